"""Blocks of one large volume on real workers in other processes: the same, even if one dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_lgmsnet import predict, read
from napari_lgmsnet.core import progress
from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.large import LargeResult, predict_large
from napari_lgmsnet.core.large.source import Source
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.large.helpers import write_scan, write_source

pytest.importorskip("distributed")
pytest.importorskip("zarr")

SETTINGS = PredictSettings(device="cpu", engine="torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A real network, which turns the volume and leaves its voxels as they are."""
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save(path, small_model(3, orientation="PIR", overlap=0.25))
    return load(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    z, y, x = np.mgrid[:30, :44, :30]
    ball = ((z - 14) / 9) ** 2 + ((y - 20) / 14) ** 2 + ((x - 13) / 10) ** 2 < 1
    data = np.random.default_rng(0).normal(80, 15, ball.shape) + 60 * ball
    path = tmp_path_factory.mktemp("scan") / "scan.zarr"
    return Source(write_source(path, data.astype(np.float32), (2.0, 1.0, 1.25)))


@pytest.fixture(scope="module")
def alone(
    model: Model, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Volume, Volume]:
    """What one process makes."""
    return segment(model, source, tmp_path_factory.mktemp("alone"))[1:]


def segment(model: Model, source: Source, folder: Path, client: Any = None) -> tuple[
    LargeResult, Volume, Volume
]:  # fmt: skip
    """Return the result, the mask, and the probability, all in memory."""
    job = job_of(model, source, folder, client)
    return finished(progress.run(job))


def job_of(model: Model, source: Source, folder: Path, client: Any) -> Any:
    return predict_large(
        model, source, folder / "mask.zarr", SETTINGS,
        probability=folder / "probability.zarr", client=client, block=22,
    )  # fmt: skip


def finished(result: LargeResult) -> tuple[LargeResult, Volume, Volume]:
    assert result.probability is not None
    return result, read(result.mask), read(result.probability)


def same(one: tuple[Volume, Volume], other: tuple[Volume, Volume]) -> bool:
    return all(np.array_equal(a.data, b.data) for a, b in zip(one, other, strict=True)) and all(
        np.array_equal(a.affine, b.affine) for a, b in zip(one, other, strict=True)
    )


def test_one_process_gives_what_the_whole_gives(
    model: Model, source: Source, alone: tuple[Volume, Volume]
) -> None:
    whole = predict(model, read(source.path), **SETTINGS.model_dump())
    assert np.array_equal(alone[0].data, whole.labels)
    assert 0 < alone[0].data.mean() < 1
    # Block by block the intensities are summed in another order: their last digits may differ.
    assert np.allclose(alone[1].data, whole.foreground, rtol=0, atol=1e-6)


def test_workers_give_what_one_process_gives_even_if_one_dies(
    model: Model, source: Source, alone: tuple[Volume, Volume], client: Any, tmp_path: Path
) -> None:
    client.wait_for_workers(2)
    by: dict[str, int] = client.run(os.getpid)
    job, killed = job_of(model, source, tmp_path, client), None
    while True:
        try:
            step = next(job)
        except StopIteration as stop:
            result, *found = finished(stop.value)
            break
        if killed is None and step.message.startswith("block 2"):
            busy = [address for address, tasks in client.processing().items() if tasks]
            killed = busy[0]
            os.kill(by[killed], signal.SIGKILL)
    assert killed is not None
    client.wait_for_workers(2)
    now = client.run(os.getpid)
    assert by[killed] not in now.values()
    assert result.blocks == result.computed == 8
    assert same((found[0], found[1]), alone)
    assert not list(tmp_path.glob(".*"))


def test_a_run_on_workers_goes_on_in_one_process(
    model: Model, source: Source, alone: tuple[Volume, Volume], client: Any, tmp_path: Path
) -> None:
    client.wait_for_workers(2)
    job = job_of(model, source, tmp_path, client)
    for step in job:
        if step.message.startswith("block 3"):
            break
    job.close()
    result, *found = segment(model, source, tmp_path)
    assert 0 < result.computed <= result.blocks - 3
    assert same((found[0], found[1]), alone)


def test_workers_write_the_nifti_file_that_one_process_writes(
    model: Model, client: Any, tmp_path: Path
) -> None:
    client.wait_for_workers(2)
    scan = Source(write_scan(tmp_path / "scan.nii"))
    for name, workers in (("alone", None), ("many", client)):
        job = predict_large(
            model, scan, tmp_path / f"{name}.nii", SETTINGS,
            probability=tmp_path / f"{name}_p.nii", client=workers, block=30,
        )  # fmt: skip
        assert progress.run(job).computed == 8
    for kind in ("", "_p"):
        alone, many = (tmp_path / f"{name}{kind}.nii" for name in ("alone", "many"))
        assert many.read_bytes() == alone.read_bytes()
    assert np.array_equal(read(tmp_path / "many.nii").affine, read(scan.path).affine)
    assert read(tmp_path / "many.nii").data.any()
    assert not list(tmp_path.glob(".*"))
