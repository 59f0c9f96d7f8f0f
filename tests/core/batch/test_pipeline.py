"""Many files: the same results as one by one, nothing twice, and on after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet import read
from napari_lgmsnet.cli import main
from napari_lgmsnet.core import headless, progress
from napari_lgmsnet.core.batch import Outcome, predict_files, run_jobs
from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.headless import RECORDS
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from tests.core.helpers import small_model


def write_pictures(folder: Path, count: int) -> Path:
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = generator.integers(0, 255, (36, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"case {i:02}.png")
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save(path, small_model(2, in_channels=3, colour="rgb", size=(32, 32)))
    return path


@pytest.fixture
def model(checkpoint: Path) -> Model:
    return load(checkpoint)


def states(outcomes: list[Outcome]) -> list[str]:
    return [one.state for one in outcomes]


def contents(folder: Path) -> dict[str, bytes]:
    """What the files of a folder hold; of TIFF the numbers, as each file gets an id of its own."""
    return {
        path.name: read(path).data.tobytes() if path.suffix == ".tif" else path.read_bytes()
        for path in folder.iterdir()
        if path.is_file()
    }


def test_results_are_those_of_one_file_after_another(tmp_path: Path, model: Model) -> None:
    images = write_pictures(tmp_path / "images", 5)
    told: list[Outcome] = []
    jobs = headless.plan(sorted(images.iterdir()), tmp_path / "many", probabilities=True)
    outcomes = progress.run(run_jobs(model, jobs, PredictSettings(), told.append))
    assert states(outcomes) == ["done"] * 5
    assert told == outcomes
    assert [Path(one.source).name for one in outcomes] == sorted(p.name for p in images.iterdir())
    for job in headless.plan(sorted(images.iterdir()), tmp_path / "single", probabilities=True):
        progress.run(headless.predict_file(model, job, PredictSettings()))
    assert contents(tmp_path / "many") == contents(tmp_path / "single")
    assert not [one for one in threading.enumerate() if one.name.startswith(("read", "writ"))]


def test_nothing_is_done_twice(tmp_path: Path, model: Model) -> None:
    images, out = write_pictures(tmp_path / "images", 3), tmp_path / "out"
    assert states(predict_files(model, images, out)) == ["done"] * 3
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    write_pictures(tmp_path / "images", 4)
    assert states(predict_files(model, images, out)) == ["skipped"] * 3 + ["done"]
    assert {path: path.stat().st_mtime_ns for path in before if path.is_file()} == {
        path: when for path, when in before.items() if path.is_file()
    }
    # A mask that is gone is made again.
    (out / "case 01_mask.png").unlink()
    assert states(predict_files(model, images, out)) == ["skipped", "done", "skipped", "skipped"]


def test_other_settings_do_not_replace_masks_unasked(tmp_path: Path, model: Model) -> None:
    images, out = write_pictures(tmp_path / "images", 2), tmp_path / "out"
    predict_files(model, images, out, threshold=0.5)
    before = contents(out)
    with pytest.raises(InputError, match="was made with other settings"):
        predict_files(model, images, out, threshold=0.3)
    other = small_model(2, in_channels=3, colour="rgb", size=(32, 32), seed=1)
    save(tmp_path / "other.safetensors", other)
    with pytest.raises(InputError, match="another checkpoint"):
        predict_files(load(tmp_path / "other.safetensors"), images, out)
    assert contents(out) == before
    assert states(predict_files(model, images, out, threshold=0.3, overwrite=True)) == ["done"] * 2
    # Where it is computed makes no difference.
    assert states(predict_files(model, images, out, threshold=0.3, device="cpu")) == ["skipped"] * 2


def test_a_mask_that_a_person_changed_is_kept(tmp_path: Path, model: Model) -> None:
    images, out = write_pictures(tmp_path / "images", 2), tmp_path / "out"
    predict_files(model, images, out)
    edited = out / "case 00_mask.png"
    Image.fromarray(np.ones((36, 40), np.uint8)).save(edited)
    precious = edited.read_bytes()
    outcomes = predict_files(model, images, out)
    assert states(outcomes) == ["failed", "skipped"]
    assert "case 00_mask.png" in outcomes[0].message
    assert "was changed since" in outcomes[0].message
    assert edited.read_bytes() == precious
    assert states(predict_files(model, images, out, overwrite=True)) == ["done", "skipped"]
    assert edited.read_bytes() != precious


def test_an_image_that_changed_is_said(tmp_path: Path, model: Model) -> None:
    images, out = write_pictures(tmp_path / "images", 2), tmp_path / "out"
    predict_files(model, images, out)
    Image.fromarray(np.zeros((36, 40, 3), np.uint8)).save(images / "case 01.png")
    outcomes = predict_files(model, images, out)
    assert states(outcomes) == ["skipped", "failed"]
    assert "before it changed" in outcomes[1].message


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path, model: Model) -> None:
    images = write_pictures(tmp_path / "images", 4)
    (images / "case 01.png").write_text("no picture")
    (images / "case 02.nii").write_bytes(b"\0" * 400)
    outcomes = predict_files(model, images, tmp_path / "out")
    assert states(outcomes) == ["done", "failed", "failed", "done", "done"]
    assert "case 01.png" in outcomes[1].message
    # What can be done now is done, and only that.
    write_pictures(images, 2)
    again = predict_files(model, images, tmp_path / "out")
    assert states(again) == ["skipped", "done", "failed", "skipped", "skipped"]


def test_any_format_can_be_asked_for(tmp_path: Path, model: Model) -> None:
    images = write_pictures(tmp_path / "images" / "deep", 1).parent
    predict_files(model, images, tmp_path / "out", file_ending=".tif")
    assert read(tmp_path / "out" / "deep" / "case 00_mask.tif").spatial_shape == (36, 40)
    with pytest.raises(InputError, match="cannot tell the format"):
        predict_files(model, images, tmp_path / "out", file_ending=".xyz")


def test_a_run_that_is_given_up_leaves_no_thread(tmp_path: Path, model: Model) -> None:
    images = write_pictures(tmp_path / "images", 4)
    jobs = headless.plan(sorted(images.iterdir()), tmp_path / "out")
    job = run_jobs(model, jobs, PredictSettings())
    for _ in range(4):
        next(job)
    job.close()
    assert not [one for one in threading.enumerate() if one.name.startswith(("read", "writ"))]
    assert not [
        path
        for path in (tmp_path / "out").iterdir()
        if path.name.startswith(".") and path.is_file()
    ]


def test_a_killed_run_goes_on(
    tmp_path: Path, checkpoint: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = write_pictures(tmp_path / "images", 60), tmp_path / "out"
    arguments = ["predict", str(images), "-o", str(out), "-c", str(checkpoint), "-q"]
    process = subprocess.Popen([sys.executable, "-m", "napari_lgmsnet", *arguments])
    deadline = time.monotonic() + 120
    while not (out.is_dir() and len(list(out.glob("*_mask.png"))) >= 3):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = len(list(out.glob("*_mask.png")))
    assert 3 <= left < 60
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--json"])
    assert caught.value.code == 0
    after = [one["state"] for one in json.loads(capsys.readouterr().out)]
    assert after.count("skipped") in (left, left - 1)  # the last one may lack its record
    assert set(after) == {"skipped", "done"}
    predict_files(model, images, tmp_path / "whole")
    visible = {name: data for name, data in contents(out).items() if not name.startswith(".")}
    assert visible == contents(tmp_path / "whole")


def test_a_mask_cut_off_before_its_record_is_taken_for_its_own(
    tmp_path: Path, model: Model
) -> None:
    images, out = write_pictures(tmp_path / "images", 1), tmp_path / "out"
    predict_files(model, images, out)
    path = out / RECORDS / "case 00_mask.png.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"outputs": None}))  # as a kill leaves it
    assert states(predict_files(model, images, out)) == ["done"]
    assert read_labels(out / "case 00_mask.png").spatial_shape == (36, 40)
    path.unlink()  # without any record it is somebody's mask
    with pytest.raises(InputError, match="exists"):
        predict_files(model, images, out)
