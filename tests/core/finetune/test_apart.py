"""Fine-tuning in a process of its own: the same result, and the same ways to end it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.errors import Cancelled, InputError, TrainingError
from napari_lgmsnet.core.finetune import (
    Control,
    FineTuneResult,
    fine_tune,
    fine_tune_apart,
    make_settings,
)
from napari_lgmsnet.core.progress import run
from tests.core.finetune.helpers import same, shuffled, squares, untrained, weights

LONG = make_settings(epochs=500, adapt="anew", device="cpu", augmentation="none")
SHORT = make_settings(epochs=2, adapt="anew", device="cpu", augmentation="light")


def children() -> list[psutil.Process]:
    """Return the processes that train for this one."""
    return [
        child
        for child in psutil.Process().children()
        if child.is_running() and "napari_lgmsnet.core.finetune.child" in child.cmdline()
    ]


def to_training(job):
    """Go on until the first steps were trained."""
    for step in job:
        if step.trained >= 2:
            return


def test_the_result_is_the_same_to_the_last_bit(tmp_path, monkeypatch):
    """Also where a file beside the program has the name of a library."""
    (tmp_path / "torch.py").write_text("raise SystemExit('imported from the wrong place')")
    monkeypatch.chdir(tmp_path)
    examples, references = squares(5), squares(2, 40)
    here = run(fine_tune(untrained(), examples, SHORT, references=references))
    job, steps = fine_tune_apart(untrained(), examples, SHORT, references=references), []
    try:
        while True:
            steps.append(next(job))
    except StopIteration as end:
        there: FineTuneResult = end.value
    assert same(weights(here), weights(there))
    assert here.verdict == there.verdict
    assert here.candidate.info == there.candidate.info.model_copy(
        update={"training": here.candidate.info.training}
    )
    assert [one.held_out_dice for one in here.curve] == [one.held_out_dice for one in there.curve]
    assert all(
        (one.change == other.change).all()
        for one, other in zip(here.changes, there.changes, strict=True)
    )
    assert [one.trained for one in steps if one.phase == "train"][-1] == here.steps
    assert {one.phase for one in steps} == {"prepare", "train", "compare"}
    assert not children()


def test_pause_go_on_and_stop():
    control = Control()
    job = fine_tune_apart(untrained(), squares(5), LONG, control=control)
    to_training(job)
    control.pause()
    while (held := next(job)).message != "paused":
        pass
    assert [next(job).trained for _ in range(4)] == [held.trained] * 4
    control.resume()
    while next(job).trained <= held.trained:
        pass
    control.stop()
    result = run(job)
    assert result.stopped
    assert 0 < result.steps < 500


def test_cancelling_ends_it():
    control = Control()
    job = fine_tune_apart(untrained(), squares(5), LONG, control=control)
    to_training(job)
    control.cancel()
    with pytest.raises(Cancelled, match="nothing of it was kept"):
        run(job)
    assert not children()


def test_closing_ends_it():
    job = fine_tune_apart(untrained(), squares(5), LONG)
    to_training(job)
    assert len(children()) == 1
    job.close()
    assert not children()


def test_a_process_that_dies_is_said():
    job = fine_tune_apart(untrained(), squares(5), LONG)
    to_training(job)
    children()[0].kill()
    with pytest.raises(TrainingError, match="ended before its work was done") as caught:
        run(job)
    assert "memory" in str(caught.value)


def test_what_cannot_be_used_is_said_as_ever():
    examples = shuffled(squares(2))
    settings = make_settings(epochs=1, held_out=("nobody",), device="cpu")
    said = []
    for tune in (fine_tune, fine_tune_apart):
        with pytest.raises(InputError) as caught:
            run(tune(untrained(), examples, settings))
        said.append(str(caught.value))
    assert said[0] == said[1]


ORPHAN = """
import sys
from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.finetune import fine_tune_apart, make_settings
from tests.core.finetune.helpers import squares
settings = make_settings(epochs=5000, adapt="anew", device="cpu", augmentation="none")
for step in fine_tune_apart(load(sys.argv[1]), squares(5), settings):
    if step.trained:
        print("training", flush=True)
"""


def test_it_does_not_outlive_a_program_that_is_killed(tmp_path: Path):
    path = tmp_path / "parent.safetensors"
    save(path, untrained())
    assert load(path).sha256
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout.readline() == "training\n"
        (child,) = psutil.Process(parent.pid).children()
        parent.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running()
