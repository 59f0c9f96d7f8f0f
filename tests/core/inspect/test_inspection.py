"""What is read out of a network: the released answers, no hooks, no graph, clear refusals."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_lgmsnet import predict
from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.errors import InputError, OutOfMemoryError
from napari_lgmsnet.core.inspect import blend
from napari_lgmsnet.core.inspect.gradcam import grad_cam
from napari_lgmsnet.core.inspect.hooks import outputs_of
from napari_lgmsnet.core.inspect.inspection import Inspection, inspect
from napari_lgmsnet.core.inspect.stages import block_named, stages_of
from napari_lgmsnet.core.prediction import make_settings
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import averaging_model, hooks_on, look

GENERATOR = np.random.default_rng(0)


def image(*shape: int) -> Volume:
    return Volume.from_array(GENERATOR.normal(size=shape), "ZYX"[-len(shape) :])


@pytest.mark.parametrize("name", ["official2d", "official3d", "variant2d", "variant3d"])
def test_the_first_stage_is_the_released_answer(fixtures_folder: Path, name: str) -> None:
    model = load(fixtures_folder / f"{name}.pth")
    answers = np.load(fixtures_folder / f"{name}_io.npz")
    assert stages_of(model.network)[0].name == "encoder5"
    i = 0
    while f"input_{i}" in answers:
        for batch, array in enumerate(answers[f"input_{i}"]):
            recipe = model.info.recipe.model_copy(update={"size": None, "window": array.shape[1:]})
            shape = array.shape[1:] if len(array) == 1 else (*array.shape[1:], len(array))
            axes = "ZYX"[-(array.ndim - 1) :] + ("C" if len(array) > 1 else "")
            volume = Volume.from_array(np.zeros(shape, dtype=np.float32), axes)
            inspection = look(model.with_recipe(recipe), volume)
            # The fixtures are inputs already: they take the place of the prepared image.
            inputs = replace(inspection.inputs, pieces=(torch.from_numpy(array),))
            again = Inspection(inspection.model, inputs, inspection.settings, inspection.device)
            run(again.load(["encoder5"]))
            released = answers[f"stage5_{i}"][batch]
            own = again.stage("encoder5").data
            assert own.shape == released.shape
            assert np.abs(own - released).max() <= 1e-3 * released.std()
        i += 1
    assert i


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_stage_and_the_answer_come_from_one_run(dimensions: int) -> None:
    model = small_model(dimensions, out_channels=3, window=(64,) * dimensions)
    volume = image(*(40, 50, 33)[:dimensions])
    names = [stage.name for stage in stages_of(model.network)]
    inspection = look(model, volume, names)
    prediction = predict(model, volume)
    np.testing.assert_allclose(inspection.probabilities, prediction.probabilities, atol=1e-5)
    np.testing.assert_array_equal(inspection.labels, prediction.labels)
    padded = inspection.inputs.pieces[0][None]
    with torch.inference_mode(), outputs_of(model.network, names) as found:
        model.network(padded)
    for name in names:
        stage = inspection.stage(name)
        expected = found[name][0].numpy()[(slice(None), *stage.part)]
        np.testing.assert_allclose(stage.data, expected, atol=1e-5)


def test_a_slice_of_a_stack_is_what_it_is_alone() -> None:
    model = small_model(2, size=(64, 32), window=(64, 32))
    stack = GENERATOR.normal(size=(4, 50, 40))
    together = look(model, Volume.from_array(stack, "ZYX"), ["encoder3", "encoder5"])
    assert together.cells("encoder5").step[0] == 1.0
    for index, one in enumerate(stack):
        alone = look(model, Volume.from_array(one, "YX"), ["encoder3", "encoder5"])
        for stage in ("encoder3", "encoder5"):
            np.testing.assert_allclose(
                together.features(stage)[:, index], alone.features(stage), atol=1e-5
            )


def test_asking_again_computes_only_what_is_missing() -> None:
    inspection = look(small_model(2), image(70, 40))
    assert inspection.has("encoder5")
    assert not inspection.has("stem")
    with pytest.raises(InputError, match="not loaded"):
        inspection.features("stem")
    assert list(inspection.load(["encoder5"])) == []
    before = inspection.features("encoder5")
    steps = list(inspection.load(["encoder5", "stem"]))
    assert len(steps) == steps[0].total > 1
    assert np.shares_memory(inspection.features("encoder5"), before)
    inspection.forget("stem")
    assert not inspection.has("stem")


def test_no_hook_outlives_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2)
    inspection = look(model, image(70, 40), ["encoder5", "decoder2"])
    run(grad_cam(inspection, "encoder4", 1, np.ones((70, 40), dtype=bool)))
    assert hooks_on(model.network) == 0
    closed = inspect(model, image(70, 40), ["encoder5"], make_settings())
    for _ in range(3):
        next(closed)
        assert hooks_on(model.network) == 0
    closed.close()
    assert hooks_on(model.network) == 0
    assert not torch.is_inference_mode_enabled()

    def broken(_x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(model.network.decoder5, "forward", broken)
    for job in (
        inspect(model, image(40, 40), ["encoder5"], make_settings()),
        grad_cam(inspection, "encoder5", 1, np.ones((70, 40), dtype=bool)),
    ):
        with pytest.raises(RuntimeError, match="multiplied"):
            run(job)
        assert hooks_on(model.network) == 0
        assert torch.is_grad_enabled()


def test_a_missing_stage_leaves_no_hook_behind() -> None:
    network = small_model(2).network
    with pytest.raises(AttributeError), outputs_of(network, ["encoder5", "nowhere"]):
        pass
    assert hooks_on(network) == 0


def test_another_threads_run_is_not_heard() -> None:
    import threading

    network = small_model(2).network
    window = torch.zeros(1, 1, 32, 32)
    with torch.inference_mode(), outputs_of(network, ["stem"]) as found:
        other = threading.Thread(target=network, args=(window,))
        other.start()
        other.join()
        assert not found
        network(window)
        assert set(found) == {"stem"}


def test_no_result_keeps_the_graph_alive() -> None:
    model = small_model(2)
    inspection = look(model, image(40, 40), ["encoder5"])
    coarse = run(grad_cam(inspection, "encoder4", 1, np.ones((40, 40), dtype=bool)))
    gc.collect()
    tensors = [t for t in gc.get_objects() if issubclass(type(t), torch.Tensor)]
    assert tensors
    assert not [t for t in tensors if t.grad_fn is not None]
    assert all(p.grad is None for p in model.network.parameters())
    assert isinstance(coarse.data, np.ndarray)
    assert not any(piece.requires_grad for piece in inspection.inputs.pieces)


def test_stages_in_words_for_people() -> None:
    stages = stages_of(small_model(3).network)
    assert stages[0].title.startswith("after the fourth downsampling")
    assert [one.name for one in stages if one.attends] == [
        "encoder5", "encoder4", "decoder5", "decoder4",
    ]  # fmt: skip
    assert stages_of(nn.Sequential(nn.ReLU())) == ()


def test_what_a_network_lacks_is_said() -> None:
    model = averaging_model(2)
    volume = image(40, 40)
    with pytest.raises(InputError, match=r'Averages\) has no stage "decoder4": choose.*encoder5'):
        look(model, volume, ["decoder4"])
    with pytest.raises(InputError, match="no attention: it has none, choose another"):
        block_named(model.network, "encoder5")
    with pytest.raises(InputError, match="has no attention: choose one of encoder5, encoder4"):
        block_named(small_model(2).network, "stem")
    with pytest.raises(InputError, match="flips"):
        look(model, volume, flips=True)
    with pytest.raises(InputError, match="works on volumes"):
        look(averaging_model(3), volume)


def test_a_stage_that_would_not_fit_is_refused_before_it_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blend, "MEMORY_LIMIT", 4 * 8 * 64 * 64)
    model = small_model(2, window=(64, 64))
    look(model, image(64, 64), ["encoder5"])
    with pytest.raises(InputError, match="choose a part of the image, or a coarser stage"):
        look(model, image(100, 100), ["decoder2", "encoder5"])


def test_memory_that_runs_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2)

    def full(_x: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(model.network, "forward", full)
    with pytest.raises(OutOfMemoryError, match="smaller windows"):
        look(model, image(40, 40))


def test_cells_that_fit_no_common_grid_are_refused() -> None:
    model = averaging_model(2, window=(96, 96))
    model.network.encoder5 = nn.AvgPool2d(12)
    with pytest.raises(InputError, match="cannot be placed"):
        look(model, image(96, 96))
