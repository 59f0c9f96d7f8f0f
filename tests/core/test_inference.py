"""Prediction: same grid out as in, windows that agree, cancelling, memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_lgmsnet import predict
from napari_lgmsnet.core import inference, windows
from napari_lgmsnet.core.errors import InputError, OutOfMemoryError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.postprocess import labels_from_probabilities
from napari_lgmsnet.core.prediction import make_settings
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.recipes import Recipe
from napari_lgmsnet.core.types import Progress, Volume
from napari_lgmsnet.core.windows import slide
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("shape", "in_channels", "out_channels", "options"),
    [
        ((50, 70), 1, 1, {}),
        ((50, 70, 3), 3, 4, {}),
        ((50, 70, 4), 3, 1, {}),
        ((1, 1), 1, 1, {}),
        ((3, 40, 50), 1, 3, {}),
        ((3, 40, 50, 3), 3, 1, {}),
        ((50, 70), 1, 1, {"native": True, "overlap": 0.25, "flips": True}),
    ],
    ids=str,
)
def test_images_and_stacks_come_back_on_their_grid(
    shape: tuple[int, ...], in_channels: int, out_channels: int, options: dict[str, object]
) -> None:
    colour = "rgb" if in_channels == 3 else "grey"
    model = small_model(2, in_channels, out_channels, colour=colour, size=(32, 32))
    array = GENERATOR.integers(0, 255, shape, dtype=np.uint8)
    result = predict(model, array, **options)
    grid = shape[:-1] if shape[-1] in (3, 4) else shape
    assert result.labels.shape == grid
    assert result.labels.dtype == np.uint8
    assert result.probabilities.shape == (out_channels, *grid)
    if out_channels > 1:
        np.testing.assert_allclose(result.probabilities.sum(axis=0), 1.0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (31, 40, 33), (70, 8, 45)], ids=str)
@pytest.mark.parametrize("spacing", [None, (2.0, 1.0, 0.7)])
def test_volumes_come_back_on_their_grid(
    shape: tuple[int, ...], spacing: tuple[float, ...] | None
) -> None:
    model = small_model(3, out_channels=3, orientation="RAS", spacing=(1.5, 1.5, 2.0))
    result = predict(model, GENERATOR.normal(size=shape), spacing)
    assert result.labels.shape == shape
    assert result.label_volume().spacing == pytest.approx(spacing or (1.0, 1.0, 1.0))


def test_labels_follow_the_image_when_it_is_turned() -> None:
    """Reading the same head in another orientation must give the same mask, turned as well."""
    model = small_model(3, orientation="RAS", spacing=(1.0, 1.0, 1.0))
    data = GENERATOR.normal(size=(20, 30, 40)).astype(np.float32)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (5, 6, 7)
    straight = predict(model, Volume(data, "ZYX", affine, "mm"))
    turn = np.array([[0, 0, -1, 19], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    turned_data = np.flip(data.transpose(2, 1, 0), axis=2)
    turned = predict(model, Volume(turned_data, "ZYX", affine @ turn, "mm"))
    back = np.flip(turned.probabilities[0], axis=2).transpose(2, 1, 0)
    np.testing.assert_allclose(back, straight.probabilities[0], atol=1e-6)


def test_a_2d_network_sees_the_same_slices_however_a_volume_is_stored() -> None:
    model = small_model(2, size=(32, 32), orientation="SPL")
    data = GENERATOR.normal(size=(3, 40, 36)).astype(np.float32)
    straight = predict(model, Volume(data, "ZYX", np.eye(4), "mm"))
    slices = [predict(model, image).labels for image in data]
    np.testing.assert_array_equal(straight.labels, np.stack(slices))
    # The same head with x first and y backwards: stored[x, y, z] = data[z, 39 - y, x].
    stored = np.flip(data.transpose(2, 1, 0), axis=1)
    affine = np.array([[0, 0, 1, 0], [0, -1, 0, 39], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    turned = predict(model, Volume(stored, "ZYX", affine, "mm"))
    back = np.flip(turned.labels, axis=1).transpose(2, 1, 0)
    np.testing.assert_array_equal(back, straight.labels)


@pytest.mark.parametrize(
    ("axis", "as_seen"),
    [
        (0, lambda image: image),  # axial: front up
        (1, lambda image: np.flip(image, axis=0)),  # coronal: head up
        (2, lambda image: np.flip(image, axis=0)),  # sagittal: head up, front to the left
    ],
)
def test_a_2d_network_takes_one_slice_of_a_volume_as_it_is_seen(
    axis: int, as_seen: Callable[[np.ndarray], np.ndarray]
) -> None:
    model = small_model(2, size=(32, 32), orientation="SPL")
    data = GENERATOR.normal(size=(30, 40, 36)).astype(np.float32)
    thin = data.take([7], axis)
    prediction = predict(model, Volume(thin, "ZYX", np.eye(4), "mm"))
    expected = as_seen(predict(model, as_seen(data.take(7, axis))).labels)
    np.testing.assert_array_equal(prediction.labels.squeeze(axis), expected)


def test_a_bare_volume_is_taken_in_the_recipes_orientation() -> None:
    data = GENERATOR.normal(size=(20, 30, 40)).astype(np.float32)
    with_orientation = predict(small_model(3, orientation="RAS"), data)
    without = predict(small_model(3), data)
    np.testing.assert_array_equal(with_orientation.probabilities, without.probabilities)


def test_one_window_is_the_plain_network() -> None:
    model = small_model(2)
    array = torch.randn(1, 32, 32)
    with torch.inference_mode():
        plain = model.network(array[None])[0]
    torch.testing.assert_close(run(slide(model.network, array, (32, 32), 0.5, CPU)), plain)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75])
def test_blending_covers_every_voxel_evenly(overlap: float) -> None:
    """A network that answers its input must come out unchanged, whatever the windows."""
    array = torch.randn(2, 75, 41)
    out = run(slide(lambda x: x, array, (32, 32), overlap, CPU, flips=(0, 1)))
    torch.testing.assert_close(out, array, atol=1e-5, rtol=1e-5)


def test_a_network_learns_nothing_and_keeps_no_graph() -> None:
    model = small_model(2)
    result = run(slide(model.network, torch.randn(1, 40, 40), (32, 32), 0.5, CPU))
    assert not result.requires_grad
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_threshold_cuts_the_same_probabilities_again() -> None:
    result = predict(small_model(2, size=(32, 32)), GENERATOR.normal(size=(40, 40)))
    areas = [result.at_threshold(t).labels.sum() for t in (0.0, 0.3, 0.5, 0.7, 1.0)]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] == 1600
    assert result.at_threshold(0.5).labels.tolist() == result.labels.tolist()


def test_half_is_the_usual_decision() -> None:
    probabilities = torch.randn(4, 50, 50).softmax(dim=0).numpy()
    np.testing.assert_array_equal(
        labels_from_probabilities(probabilities), probabilities.argmax(axis=0)
    )
    single = torch.rand(1, 50, 50).numpy()
    np.testing.assert_array_equal(labels_from_probabilities(single), single[0] >= 0.5)


def test_it_can_be_stopped_between_windows() -> None:
    model = small_model(2)
    volume = Volume.from_array(GENERATOR.normal(size=(100, 100)), "YX")
    job = iterate(model, volume, make_settings())
    first = next(job)
    assert isinstance(first, Progress)
    assert first.total > 4
    job.close()
    with pytest.raises(StopIteration):
        next(job)
    assert not torch.is_inference_mode_enabled()


def failing_above(limit: int, network: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return a network that runs out of memory as torch does on inputs above a size."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        if x[0, 0].numel() > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return network(x)

    return forward


def test_smaller_windows_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2, window=(128, 128))
    monkeypatch.setattr(model.network, "forward", failing_above(64 * 64, model.network.forward))
    messages: list[str] = []
    volume = Volume.from_array(GENERATOR.normal(size=(130, 90)), "YX")
    result = run(iterate(model, volume, make_settings()), lambda p: messages.append(p.message))
    assert result.window == (64, 64)
    assert any("64 x 64" in note for note in result.notes)
    assert any("out of memory" in message for message in messages)
    assert "64 x 64" in result.describe()
    monkeypatch.setattr(model.network, "forward", failing_above(10, model.network.forward))
    with pytest.raises(OutOfMemoryError, match="close other programs"):
        run(iterate(model, volume, make_settings()))


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2)

    def broken(_x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(model.network, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        predict(model, np.zeros((40, 40)))


@pytest.mark.parametrize(
    ("array", "settings", "message"),
    [
        (np.zeros((4, 4)), {"treshold": 0.5}, "treshold"),
        (np.zeros((4, 4)), {"threshold": 2.0}, "threshold"),
        (np.zeros((4, 4)), {"device": "tpu"}, "no device"),
        (np.zeros(4), {}, "does not suit"),
        (np.zeros((2, 2, 2, 2)), {}, "does not suit"),
        (np.zeros((4, 4)), {"spacing": (1.0,)}, "2 positive numbers"),
        (np.zeros((4, 4)), {"spacing": (1.0, 0.0)}, "2 positive numbers"),
    ],
)
def test_wrong_use_is_said(array: np.ndarray, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict(small_model(2), array, **settings)


def test_an_image_is_not_a_volume() -> None:
    with pytest.raises(InputError, match="works on volumes"):
        predict(small_model(3), Volume.from_array(np.zeros((8, 8)), "YX"))


def test_the_input_is_never_changed() -> None:
    array = GENERATOR.normal(size=(40, 40)).astype(np.float32)
    before = array.copy()
    array.setflags(write=False)
    predict(small_model(2), array)
    np.testing.assert_array_equal(array, before)


def test_flips_are_all_combinations() -> None:
    assert len(list(windows.flips_of((0, 1, 2)))) == 8
    assert list(windows.flips_of((1,))) == [(), (3,)]
    assert list(windows.flips_of(())) == [()]
    assert inference.is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory"))


def test_flips_are_as_the_recipe_has_them_unless_asked_otherwise() -> None:
    model = small_model(2)
    image = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    plain, flipped = (predict(model, image, flips=one, device="cpu") for one in (False, True))
    assert not np.allclose(plain.probabilities, flipped.probabilities)
    recipe = model.info.recipe.model_copy(update={"flips": True})
    asked = predict(model.with_recipe(recipe), image, device="cpu")
    assert asked.settings.flips is True
    assert np.allclose(asked.probabilities, flipped.probabilities)
    refused = predict(model.with_recipe(recipe), image, flips=False, device="cpu")
    assert np.allclose(refused.probabilities, plain.probabilities)
    assert predict(model, image, device="cpu").settings.flips is False


def test_only_flips_that_make_sense_to_the_network_are_averaged() -> None:
    model = small_model(2)
    image = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    recipe = model.info.recipe.model_copy(update={"flips": True, "flip_axes": (1,)})
    model = model.with_recipe(recipe)
    here, there = (predict(model, one, device="cpu").probabilities for one in (image, mirrored))
    np.testing.assert_allclose(here[..., ::-1], there, rtol=0, atol=1e-5)
    upside_down = predict(model, np.ascontiguousarray(image[::-1]), device="cpu").probabilities
    assert not np.allclose(here[..., ::-1, :], upside_down, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="a window has 2 axes"):
        Recipe.model_validate({**recipe.model_dump(), "flip_axes": (2,)})
