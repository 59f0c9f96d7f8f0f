"""Training steps written down for the curve, whatever a window is told of them."""

from collections import deque

from napari_lgmsnet.adapters.tune_jobs import noting
from napari_lgmsnet.core.finetune import TuneProgress
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Progress


def keeping(job, passed):
    """Pass a job's steps on, and keep them."""
    while True:
        try:
            progress = next(job)
        except StopIteration as end:
            return end.value
        passed.append(progress)
        yield progress


def test_every_training_step_is_written_down():
    def job():
        yield Progress(0, 0, "reading")
        yield TuneProgress(0, 2, "", "prepare")
        for step in (1, 2, 3):
            yield TuneProgress(step, 3, "", "train", loss=1.0 / step, trained=step)
        return "tuned"

    steps, passed = deque(), []
    assert run(keeping(noting(job(), steps), passed)) == "tuned"
    assert [step.trained for step in steps] == [1, 2, 3]
    assert len(passed) == 5
    assert passed[2:] == list(steps)


def test_stopping_reaches_the_job():
    closed = []

    def job():
        try:
            while True:
                yield TuneProgress(1, 0, "", "train", trained=1)
        finally:
            closed.append(True)

    noted = noting(job(), deque())
    next(noted)
    noted.close()
    assert closed == [True]
