"""Many files on real workers in other processes: the same masks, even if one dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet.cli import main
from napari_lgmsnet.core import headless, progress
from napari_lgmsnet.core.batch import Outcome, run_jobs
from napari_lgmsnet.core.batch.cluster import (
    Parcel,
    connected,
    pack_size,
    run_on_cluster,
    work_on,
)
from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from tests.core.helpers import small_model

distributed = pytest.importorskip("distributed")

COUNT = 8
SETTINGS = PredictSettings(native=True, device="cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for i in range(COUNT):
        pixels = generator.integers(0, 255, (64, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"case {i:02}.png")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save(path, small_model(2, in_channels=3, colour="rgb", size=(32, 32)))
    return path


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Model:
    return load(checkpoint)


@pytest.fixture(scope="module")
def expected(images: Path, model: Model, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The masks that one process makes."""
    out = tmp_path_factory.mktemp("expected")
    jobs = headless.plan(sorted(images.iterdir()), out)
    progress.run(run_jobs(model, jobs, SETTINGS))
    return masks(out)


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*_mask.png")}


def test_a_worker_that_dies_has_its_cases_done_by_others(
    images: Path, model: Model, client: Any, expected: dict, tmp_path: Path
) -> None:
    pids = client.run(os.getpid)
    jobs = headless.plan(sorted(images.iterdir()), tmp_path / "out")
    told: list[Outcome] = []
    work = run_on_cluster(client, model, jobs, SETTINGS, told.append)
    killed = None
    while True:
        try:
            next(work)
        except StopIteration as stop:
            outcomes = stop.value
            break
        if killed is None and told:
            busy = [address for address, tasks in client.processing().items() if tasks]
            killed = busy[0]
            os.kill(pids[killed], signal.SIGKILL)
    assert killed is not None
    assert killed not in client.scheduler_info(n_workers=-1)["workers"] or (
        client.run(os.getpid, workers=[killed])[killed] != pids[killed]
    )
    # Of a worker that had written a mask and died before it could say so, it is skipped then.
    assert {one.state for one in outcomes} <= {"done", "skipped"}
    assert len(outcomes) == COUNT
    assert [one.source for one in outcomes] == [str(job.source) for job in jobs]
    assert len(told) == COUNT
    assert masks(tmp_path / "out") == expected


def test_weights_travel_once_and_bad_files_do_not_stop_the_rest(
    images: Path, model: Model, client: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    jobs = headless.plan([bad, *sorted(images.iterdir())], tmp_path / "out")
    client.wait_for_workers(2)

    def sent(dask_worker: Any) -> int:
        log = dask_worker.transfer_outgoing_log
        return sum("Parcel" in str(one["keys"]) for one in log)

    before = sum(client.run(sent).values())
    held: list[list[tuple[str, ...]]] = []

    def look(_: Outcome) -> None:
        held.append([who for key, who in client.who_has().items() if "Parcel" in str(key)])

    outcomes = progress.run(run_on_cluster(client, model, jobs, SETTINGS, look))
    assert [one.state for one in outcomes] == ["failed"] + ["done"] * COUNT
    # There is one parcel for all tasks. A worker that is still fetching it may not have it when
    # the other one's first case is told.
    assert [len(one) for one in held] == [1] * len(jobs)
    assert all(1 <= len(one[0]) <= 2 for one in held)
    # Two workers: one gets the weights from here, and at most one from the other.
    assert sum(client.run(sent).values()) - before <= 1
    again = progress.run(run_on_cluster(client, model, jobs, SETTINGS))
    assert [one.state for one in again] == ["failed"] + ["skipped"] * COUNT


def test_many_cases_travel_in_packs(images: Path, model: Model, tmp_path: Path) -> None:
    assert pack_size(12, 2) == 1
    assert pack_size(3200, 100) == 4
    assert pack_size(10**6, 10) == 16
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    jobs = headless.plan([images / "case 00.png", bad, images / "case 01.png"], tmp_path / "out")
    outcomes = work_on(Parcel.of(model), SETTINGS, jobs)
    assert [one.state for one in outcomes] == ["done", "failed", "done"]


def test_a_scheduler_elsewhere(
    images: Path, checkpoint: Path, client: Any, expected: dict, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = ["predict", str(images), "-o", str(tmp_path / "out"), "-c", str(checkpoint)]
    arguments += ["--native", "--device", "cpu", "--json", "-q"]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--scheduler", client.scheduler.address])
    assert caught.value.code == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)} == {"done"}
    assert masks(tmp_path / "out") == expected
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--scheduler", "tcp://x", "--workers", "2"])
    assert caught.value.code == 2
    assert "not both" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nonsense", "tcp://head", "tcp://head:many", "head:99999"])
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    with pytest.raises(InputError, match="is no scheduler's address"), connected(None, address):
        pass


def test_workers_of_its_own(images: Path, checkpoint: Path, expected: dict, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "napari_lgmsnet", "predict", str(images / "case 0[0-3].png")]
    command += ["-o", str(tmp_path / "out"), "-c", str(checkpoint), "--native", "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = masks(tmp_path / "out")
    assert len(found) == 4
    assert found.items() <= expected.items()
