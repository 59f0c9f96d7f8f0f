"""Block by block into NIfTI: the very file that is written of the whole, wherever it lies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_lgmsnet import load, predict, read, write, write_labels
from napari_lgmsnet.cli import main
from napari_lgmsnet.core import progress
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.errors import InputError, WriteError
from napari_lgmsnet.core.io.nifti_blocks import Block, empty_like, write_blocks
from napari_lgmsnet.core.large import predict_large
from napari_lgmsnet.core.large.source import Source
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.recipes import Intensity
from tests.core.helpers import small_model
from tests.core.large.helpers import write_scan
from tests.core.large.test_large import ROUNDING, quick_model

# Neither resampled nor scaled by what is summed in another order.
EXACT = {"orientation": "RAS", "intensity": Intensity(kind="range", low=30, high=200)}

_SROW_X = 280
"""Where the first row of the affine stands in a header of NIfTI-1."""


@pytest.mark.parametrize(
    ("kind", "out_channels"), [("plain", 1), ("compressed", 3), ("big-endian", 1), ("nifti-2", 3)]
)
def test_the_files_are_those_of_the_whole(tmp_path: Path, kind: str, out_channels: int) -> None:
    name = "scan.nii.gz" if kind == "compressed" else "scan.nii"
    scan = write_scan(tmp_path / name, big_endian=kind == "big-endian", second=kind == "nifti-2")
    model = quick_model(out_channels, **EXACT)
    whole = predict(model, read(scan), flips=False)
    write_labels(tmp_path / "whole.nii", whole.label_volume())
    write(tmp_path / "whole_p.nii", whole.foreground_volume())
    mask, probability = tmp_path / "mask.nii", tmp_path / "mask_p.nii"
    job = predict_large(
        model, Source(scan), mask, PredictSettings(flips=False), probability=probability, block=24,
    )  # fmt: skip
    assert progress.run(job).computed > 8
    assert mask.read_bytes() == (tmp_path / "whole.nii").read_bytes()
    images = [nibabel.load(path) for path in (probability, tmp_path / "whole_p.nii")]
    assert images[0].header.binaryblock == images[1].header.binaryblock
    voxels = [np.asarray(image.dataobj, np.float32) for image in images]
    np.testing.assert_array_max_ulp(*voxels, ROUNDING)
    assert probability.stat().st_size == (tmp_path / "whole_p.nii").stat().st_size
    assert np.array_equal(read(mask).affine, read(scan).affine)
    assert np.array_equal(nibabel.load(mask).affine, nibabel.load(scan).affine)
    assert 0 < read(mask).data.mean() < out_channels
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("recipe", [{"orientation": "PIR"}, {"spacing": (1.0, 1.2, 2.5)}])
def test_other_recipes_agree_but_for_rounding(tmp_path: Path, recipe: dict) -> None:
    scan, model = write_scan(tmp_path / "scan.nii"), quick_model(**recipe)
    whole = predict(model, read(scan), flips=False)
    job = predict_large(
        model, Source(scan), tmp_path / "mask.nii", PredictSettings(flips=False),
        probability=tmp_path / "p.nii", block=24,
    )  # fmt: skip
    progress.run(job)
    assert np.allclose(read(tmp_path / "p.nii").data, whole.foreground, rtol=0, atol=2e-5)


def test_slices_of_a_2d_network(tmp_path: Path) -> None:
    scan, model = write_scan(tmp_path / "scan.nii"), quick_model(dimensions=2, orientation="RIP")
    progress.run(predict_large(model, Source(scan), tmp_path / "m.nii", PredictSettings()))
    assert np.array_equal(read(tmp_path / "m.nii").data, predict(model, read(scan)).labels)


def test_a_killed_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan, mask = write_scan(tmp_path / "scan.nii"), tmp_path / "mask.nii"
    save(tmp_path / "small.safetensors", small_model(2, size=(32, 32), orientation="SPL"))
    arguments = ["predict", scan, "-o", mask, "-c", tmp_path / "small.safetensors", "--blocks"]
    words = [*map(str, arguments), "--probabilities", "-q"]
    done = tmp_path / ".mask_probability.nii.partial" / "done"  # written after the mask's block
    process = subprocess.Popen([sys.executable, "-m", "napari_lgmsnet", *words])
    deadline = time.monotonic() + 120
    while not (done.is_dir() and len(list(done.iterdir())) >= 1):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not mask.exists()
    with pytest.raises(SystemExit) as caught:
        main([*words, "--json"])
    assert caught.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["computed"] < told["blocks"] == 5
    prediction = predict(load(tmp_path / "small.safetensors"), read(scan))
    assert np.array_equal(read(mask).data, prediction.labels)
    assert np.array_equal(read(tmp_path / "mask_probability.nii").data, prediction.foreground)
    assert not list(tmp_path.glob(".*"))


def test_wrong_use(tmp_path: Path) -> None:
    scan, model = write_scan(tmp_path / "scan.nii"), quick_model(**EXACT)

    def run(name: str) -> None:
        progress.run(predict_large(model, Source(scan), tmp_path / name, PredictSettings()))

    with pytest.raises(InputError, match=r"use one of \.zarr, \.nii"):
        run("mask.nii.gz")
    (tmp_path / "there.nii").write_text("precious")
    with pytest.raises(InputError, match="exists"):
        run("there.nii")
    assert (tmp_path / "there.nii").read_text() == "precious"


def test_zarr_refuses_what_nifti_takes_and_names_the_way(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    scan, model = write_scan(tmp_path / "scan.nii"), quick_model(**EXACT)
    with pytest.raises(InputError, match=r"turned or mirrored.* \.nii, .*--blocks"):
        progress.run(predict_large(model, Source(scan), tmp_path / "m.zarr", PredictSettings()))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    scan = read(write_scan(tmp_path / "scan.nii"))
    data = np.random.default_rng(0).integers(0, 2, scan.data.shape).astype(np.uint8)
    empty, path = empty_like(scan, np.uint8), tmp_path / "mask.nii"
    asked = iter([data[::-1], data])

    def blocks() -> Iterator[Block]:
        """Give what was meant, but only after something else went to the disk."""
        whole = next(asked)
        for start, stop in ((0, 20), (20, len(data))):
            yield (slice(start, stop), slice(None), slice(None)), whole[start:stop]

    with pytest.raises(WriteError, match="other numbers"):
        write_blocks(path, path, empty, blocks)
    asked = iter([data, data])
    write_blocks(path, path, empty, blocks)
    assert np.array_equal(read(path).data, data)


def test_where_it_lies_is_read_back(tmp_path: Path) -> None:
    scan, path = read(write_scan(tmp_path / "scan.nii")), tmp_path / "mask.nii"
    data = np.ones(scan.data.shape, np.uint8)

    def blocks() -> Iterator[Block]:
        """Give the numbers, and move the file in space once they are written."""
        yield (slice(None),) * 3, data
        with path.open("r+b") as file:
            file.seek(_SROW_X)
            file.write(np.float32(-3).tobytes())

    with pytest.raises(WriteError, match="mask"):
        write_blocks(path, path, empty_like(scan, np.uint8), blocks)
