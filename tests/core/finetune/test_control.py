"""Pause, stop, cancel and kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.errors import Cancelled, TrainingError
from napari_lgmsnet.core.finetune import Control, FineTuneResult, fine_tune, make_settings
from napari_lgmsnet.core.finetune.state import STATE_FILE, identity
from napari_lgmsnet.core.progress import run
from tests.core.finetune.helpers import (
    same,
    shuffled,
    squares,
    tune,
    untrained,
    weights,
    write_folder,
)

SETTINGS = make_settings(epochs=50, adapt="anew", device="cpu", augmentation="none")


def test_stopping_keeps_what_was_best_so_far() -> None:
    control = Control()
    job = fine_tune(untrained(), squares(12), SETTINGS, control=control)
    result: FineTuneResult | None = None
    while result is None:
        try:
            step = next(job)
        except StopIteration as end:
            result = end.value
        else:
            if step.trained >= 25:
                control.stop()
    assert result.stopped
    assert result.steps == 25
    assert result.curve[-1].step == 25
    # An average in which early states, which found nothing, weigh next to nothing.
    best = max(point.held_out_dice for point in result.curve)
    assert best > 0.6
    assert result.verdict.dice_after > best - 0.05


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_cancelling_keeps_nothing(tmp_path: Path, how: str) -> None:
    control = Control()
    job = fine_tune(untrained(), squares(5), SETTINGS, control=control, run_folder=tmp_path)
    while not (tmp_path / STATE_FILE).exists():
        next(job)
    if how == "close":
        job.close()
    else:
        control.cancel()
        with pytest.raises(Cancelled):
            run(job)
    assert list(tmp_path.iterdir()) == []


def test_a_paused_job_waits_and_goes_on_from_another_thread() -> None:
    control = Control()
    job = fine_tune(untrained(), squares(5), SETTINGS, control=control)
    step = next(job)
    while step.trained < 2:
        step = next(job)
    control.pause()
    waiting = [next(job) for _ in range(3)]
    assert [step.message for step in waiting] == ["paused"] * 3
    assert {step.trained for step in waiting} == {2}
    timer = threading.Timer(0.2, control.resume)
    timer.start()
    while step.trained < 3:
        step = next(job)
    timer.join()
    job.close()


def test_time_while_paused_does_not_count() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.5
        return now

    control = Control(clock)
    settings = make_settings(seconds=4, adapt="anew", device="cpu", augmentation="none")
    job = fine_tune(untrained(), squares(5), settings, control=control)
    step = next(job)
    while not step.trained:
        step = next(job)
    left = step.seconds_left
    control.pause()
    for _ in range(20):
        next(job)
    control.resume()
    while step.trained < 2:
        step = next(job)
    assert left is not None
    assert step.seconds_left is not None
    assert left - step.seconds_left <= 2.0
    job.close()


def test_progress_carries_what_a_curve_needs() -> None:
    steps = []
    job = fine_tune(untrained(), squares(5), make_settings(epochs=2, device="cpu"))
    run(job, steps.append)
    training = [step for step in steps if step.loss is not None]
    assert [step.trained for step in training] == list(range(1, len(training) + 1))
    assert all(step.images_per_second > 0 for step in training if step.images_per_second)
    assert any(step.held_out_dice is not None for step in training)
    assert {step.phase for step in steps} == {"prepare", "train", "compare"}


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", squares(5))
    save(tmp_path / "parent.safetensors", untrained())

    def command(name: str) -> list[str]:
        start = [sys.executable, "-m", "napari_lgmsnet", "finetune", str(data)]
        start += ["-c", str(tmp_path / "parent.safetensors"), "--epochs", "8", "--anyway"]
        start += ["--adapt", "anew", "--augmentation", "light", "--device", "cpu", "--quiet"]
        start += ["-o", str(tmp_path / f"{name}.safetensors")]
        return [*start, "--run", str(tmp_path / name)]

    assert subprocess.run(command("whole"), check=False, capture_output=True).returncode in (0, 1)
    process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL)
    state = tmp_path / "killed" / STATE_FILE
    deadline = time.monotonic() + 200
    while not state.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed.safetensors").exists()
    kept = torch.load(state, weights_only=True)["state"]
    assert 0 < kept["step"] < 8

    other = fine_tune(untrained(), squares(4), SETTINGS, run_folder=state.parent)
    with pytest.raises(TrainingError, match="other cases or settings"):
        run(other)
    assert state.exists()

    assert subprocess.run(command("killed"), check=False, capture_output=True).returncode in (0, 1)
    ends = [load(tmp_path / f"{name}.safetensors") for name in ("whole", "killed")]
    assert same(weights(ends[0]), weights(ends[1]))
    assert not state.exists()


def test_a_run_is_told_by_its_references_as_well() -> None:
    examples, known = squares(2), squares(2, first=9)
    images = [one.image for one in known]
    runs = [(), known, shuffled(known), images, images[:1]]
    found = {identity("parent", SETTINGS, examples, references) for references in runs}
    assert len(found) == len(runs)
    assert identity("parent", SETTINGS, squares(2), squares(2, first=9)) in found


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="cannot be read"):
        tune(untrained(), squares(4), run_folder=tmp_path)
