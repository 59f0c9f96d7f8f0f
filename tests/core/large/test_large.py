"""Block by block gives what the whole gives in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.cli import main
from napari_lgmsnet.core import progress
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.engines import checked
from napari_lgmsnet.core.engines.fused import FusedEngine
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.large import predict_large
from napari_lgmsnet.core.large.intensity import _ordered
from napari_lgmsnet.core.large.linear import interpolate_part, needed
from napari_lgmsnet.core.large.source import Source
from napari_lgmsnet.core.large.store import Image
from napari_lgmsnet.core.large.zarr_store import ZarrStore
from napari_lgmsnet.core.model import Model, ModelInfo, default_classes
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.recipes import Intensity
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_architecture, small_model, small_recipe
from tests.core.large.helpers import write_source

zarr = pytest.importorskip("zarr")

GENERATOR = np.random.default_rng(0)

ROUNDING = 4
"""Units in the last place: a processor's vectors and what is left over beside them differ so."""


def quick_model(out_channels: int = 1, dimensions: int = 3, **recipe: object) -> Model:
    """A model whose network is one convolution: it answers at once, and windows matter to it."""
    info = ModelInfo(
        name="quick",
        architecture=small_architecture(dimensions, out_channels=out_channels),
        recipe=small_recipe(dimensions, **recipe),
        classes=default_classes(out_channels),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kind = torch.nn.Conv2d if dimensions == 2 else torch.nn.Conv3d
        return Model(kind(1, out_channels, 5, padding=2), info)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    z, y, x = np.mgrid[:34, :52, :45]
    ball = ((z - 15) / 9) ** 2 + ((y - 25) / 14) ** 2 + ((x - 20) / 12) ** 2 < 1
    data = GENERATOR.normal(80, 15, (34, 52, 45)) + 60 * ball
    return write_source(tmp_path / "scan.zarr", data.astype(np.float32), (2.0, 1.0, 1.25))


@pytest.mark.parametrize(
    "recipe",
    [
        {"orientation": "RAS", "spacing": (1.0, 1.2, 2.5)},
        {"orientation": "PIR"},
        {},
        {
            "orientation": "RAS",
            "crop_foreground": True,
            "intensity": Intensity(kind="range", low=110, high=200),
        },
    ],
    ids=["resampled", "turned", "as stored", "cropped"],
)
@pytest.mark.parametrize("out_channels", [1, 3])
def test_volumes(tmp_path: Path, source: Path, recipe: dict, out_channels: int) -> None:
    model = quick_model(out_channels, **recipe)
    expected = predict(model, read(source), flips=False)
    mask, probability = tmp_path / "mask.zarr", tmp_path / "probability.zarr"
    job = predict_large(
        model, Source(source), mask, PredictSettings(flips=False),
        probability=probability, block=24,
    )  # fmt: skip
    result = progress.run(job)
    assert result.blocks == result.computed > 8
    found = read(probability)
    assert np.allclose(found.data, expected.foreground, rtol=0, atol=2e-5)
    if "crop_foreground" in recipe:  # neither resampled nor scaled by what sums to rounding
        np.testing.assert_array_max_ulp(found.data, expected.foreground, ROUNDING)
    labels = read(mask)
    sure = np.abs(expected.foreground - 0.5) > 1e-3 if out_channels == 1 else ...
    assert (labels.data == expected.labels)[sure].mean() > 0.9999
    assert labels.data.any()
    for one in (found, labels):
        assert np.array_equal(one.affine, read(source).affine)
        assert tuple(one.affine[:-1, -1]) == (-12.5, 3.0, 40.0)
        assert one.units == "mm"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "recipe", [{"size": (32, 32)}, {"orientation": "SPL"}, {"orientation": "RIP"}]
)
def test_slices(tmp_path: Path, source: Path, recipe: dict) -> None:
    model = quick_model(dimensions=2, **recipe)
    expected = predict(model, read(source))
    mask = tmp_path / "mask.zarr"
    progress.run(predict_large(model, Source(source), mask, PredictSettings()))
    assert np.array_equal(read(mask).data, expected.labels)


def test_an_interrupted_run_goes_on(tmp_path: Path, source: Path) -> None:
    model, mask = quick_model(orientation="RAS"), tmp_path / "mask.zarr"
    work = (model, Source(source), mask, PredictSettings())
    job = predict_large(*work, block=24)
    for step in job:
        if step.message.startswith("block 3"):
            break
    job.close()
    assert not mask.exists()
    result = progress.run(predict_large(*work, block=24))
    assert result.computed == result.blocks - 3
    progress.run(predict_large(*work[:2], tmp_path / "whole.zarr", work[3], block=24))
    assert np.array_equal(read(mask).data, read(tmp_path / "whole.zarr").data)
    # Other settings start anew, and nothing is replaced unasked.
    other = PredictSettings(threshold=0.2)
    with pytest.raises(InputError, match="exists"):
        progress.run(predict_large(model, Source(source), mask, other, block=24))
    again = predict_large(model, Source(source), mask, other, block=24, overwrite=True)
    assert progress.run(again).computed == result.blocks
    assert (read(mask).data >= read(tmp_path / "whole.zarr").data).all()


@pytest.mark.parametrize("other", ["settings", "checkpoint", "input"])
def test_blocks_of_another_work_are_not_taken(tmp_path: Path, source: Path, other: str) -> None:
    model, mask = quick_model(orientation="RAS"), tmp_path / "mask.zarr"
    settings = PredictSettings()
    job = predict_large(model, Source(source), mask, settings, block=24)
    for step in job:
        if step.message.startswith("block 3"):
            break
    job.close()
    if other == "settings":
        settings = PredictSettings(threshold=0.2)
    elif other == "checkpoint":
        model = Model(model.network, model.info, "ab" * 32)
    else:
        state = (source / "zarr.json").stat()
        os.utime(source / "zarr.json", ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    result = progress.run(predict_large(model, Source(source), mask, settings, block=24))
    assert result.computed == result.blocks
    again = predict_large(model, Source(source), tmp_path / "a.zarr", settings, block=24)
    progress.run(again)
    assert np.array_equal(read(mask).data, read(tmp_path / "a.zarr").data)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_engine_that_was_refused_is_said(
    tmp_path: Path, source: Path, dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(FusedEngine):
        def __call__(self, batch: torch.Tensor) -> torch.Tensor:
            return batch[:, :2]

    monkeypatch.setitem(checked.BUILDERS, "fused", lambda network, *_: Wrong(network))
    settings = PredictSettings(engine="fused", flips=False, overlap=0.0)
    model = small_model(dimensions, orientation="SPL", size=(32, 32) if dimensions == 2 else None)
    job = predict_large(model, Source(source), tmp_path / "mask.zarr", settings)
    result = progress.run(job)
    assert [note for note in result.notes if "fused is not used" in note]
    assert len(result.notes) == 1
    assert "fused is not used" in result.describe()
    assert list(result.as_dict()["notes"]) == list(result.notes)


def test_command(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = tmp_path / "small.safetensors"
    save(checkpoint, small_model(2, size=(32, 32), orientation="SPL"))
    mask = tmp_path / "scan_mask.ome.zarr"
    arguments = ["predict", source, "-o", mask, "-c", checkpoint, "--probabilities", "-q"]
    arguments += ["--engine", "torch"]

    def run(*more: str) -> int:
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments), *more])
        assert isinstance(caught.value.code, int)
        return caught.value.code

    assert run("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["blocks"] == told["computed"] == 5
    prediction = predict(load(checkpoint), read(source), engine="torch")
    assert np.array_equal(read(mask).data, prediction.labels)
    probability = read(tmp_path / "scan_probability.ome.zarr")
    assert np.array_equal(probability.data, prediction.foreground)
    assert run() == 2
    assert "exists" in capsys.readouterr().err


def test_what_ome_zarr_cannot_hold_is_refused(tmp_path: Path, source: Path) -> None:
    turned = Volume(np.zeros((8, 8, 8)), "ZYX", np.diag([1.0, -1.0, 1.0, 1.0]), "mm", "scan")
    with pytest.raises(InputError, match="turned or mirrored"):
        ZarrStore(tmp_path / "a.zarr").begin(Image(turned, np.uint8, (8, 8, 8)), {})
    kvasir = quick_model(intensity=Intensity(kind="imagenet"))
    with pytest.raises(InputError, match="as for pictures"):
        progress.run(predict_large(kvasir, Source(source), tmp_path / "b.zarr", PredictSettings()))


@pytest.mark.parametrize(("before", "after"), [((9, 14), (20, 6)), ((16, 16), (16, 23))])
def test_parts_are_interpolated_as_torch_does_the_whole(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    array = GENERATOR.normal(size=(2, *before)).astype(np.float32)
    whole = F.interpolate(torch.from_numpy(array)[None], after, mode="bilinear")[0].numpy()
    for box in (((0, 4), (1, 6)), ((3, 16), (0, 5)), ((5, 6), (2, 3))):
        read = [needed(span, n, m) for span, n, m in zip(box, before, after, strict=True)]
        part = array[(slice(None), *(slice(*span) for span in read))]
        found = interpolate_part(part, [a for a, _ in read], before, after, box)
        expected = whole[(slice(None), *(slice(*span) for span in box))]
        assert np.allclose(found, expected, rtol=0, atol=1e-5)


def test_numbers_are_ordered_as_the_floats_are() -> None:
    floats = np.array([-np.inf, -3e38, -2.5, -1e-40, 0, 1e-40, 2.5, 3e38, np.inf], np.float32)
    assert (np.diff(_ordered(floats)) > 0).all()
    assert _ordered(np.array([-0.0], np.float32)) == _ordered(np.array([0.0], np.float32))
