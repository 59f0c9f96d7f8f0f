"""The guard around background jobs: errors, stopping, and letting go."""

import gc
import threading
import time
import weakref

import pytest
from qtpy.QtCore import QThreadPool

from napari_lgmsnet.adapters import workers
from napari_lgmsnet.adapters.workers import (
    LONGEST_SILENCE,
    Background,
    Failure,
    Link,
    Success,
    guard,
)
from napari_lgmsnet.core.types import Progress


def drive(generator):
    """Run a generator to its end; return how often it yielded, and its result."""
    count = 0
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return count, end.value
        count += 1


def counting(steps, closed=None):
    try:
        for step in range(steps):
            yield Progress(step, steps)
        return steps
    finally:
        if closed is not None:
            closed.append(True)


class Heard:
    """Writes down what a background job reports, and on which thread."""

    def __init__(self, background):
        self.words, self.steps, self.threads = [], [], set()
        background.progressed.connect(self.on_progress)
        background.returned.connect(lambda result: self.words.append(("returned", result)))
        background.failed.connect(lambda error: self.words.append(("failed", error)))
        background.stopped.connect(lambda: self.words.append(("stopped",)))

    def on_progress(self, progress):
        self.steps.append(progress.step)
        self.threads.add(threading.current_thread())


@pytest.fixture
def background(qapp):
    return Background()


def wait(qtbot, background):
    qtbot.waitUntil(lambda: not background.running, timeout=20_000)


def test_guard_returns_what_the_job_returns():
    assert drive(guard(counting(3), Link()))[1] == Success(3)


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, MemoryError, StopIteration])
def test_guard_turns_every_error_into_a_value(kind):
    def broken():
        yield Progress(0, 1)
        raise kind("broken")

    _, outcome = drive(guard(broken(), Link()))
    assert isinstance(outcome, Failure)
    assert "broken" in str(outcome.error) or kind is StopIteration


def test_guard_stops_between_two_steps_and_closes_the_job():
    closed, link = [], Link()
    job = guard(counting(100, closed), link)
    next(job)
    link.stop.set()
    assert drive(job) == (0, None)
    assert closed == [True]


def test_guard_closes_the_job_when_it_is_closed_itself():
    closed = []
    job = guard(counting(100, closed), Link())
    next(job)
    job.close()
    assert closed == [True]


def test_many_small_steps_do_not_bury_the_window():
    count, outcome = drive(guard(counting(100_000), Link()))
    assert outcome == Success(100_000)
    assert count < 100


def test_reports_on_the_main_thread(background, qtbot):
    heard = Heard(background)
    background.start(counting(3))
    assert background.running
    wait(qtbot, background)
    assert heard.words == [("returned", 3)]
    assert heard.steps
    assert heard.threads == {threading.main_thread()}


def test_last_step_is_shown_though_those_before_came_quickly(background, qtbot):
    heard, go_on = Heard(background), threading.Event()

    def job():
        for step in range(50):
            yield Progress(step, 50)
        go_on.wait(20)
        return None

    background.start(job())
    qtbot.waitUntil(lambda: 49 in heard.steps, timeout=20_000)
    go_on.set()
    wait(qtbot, background)


def test_window_is_told_of_some_steps_only(qtbot, monkeypatch):
    monkeypatch.setattr(workers, "PAUSE", 1_000_000)
    background = Background()
    heard = Heard(background)

    def job():
        for step in range(8):
            # Long enough that each is worth a word of the worker.
            time.sleep(LONGEST_SILENCE * 1.1)
            yield Progress(step, 8)

    background.start(job())
    wait(qtbot, background)
    assert heard.steps == [0]
    assert heard.words == [("returned", None)]


def test_torch_error_beside_an_open_viewer(make_napari_viewer_proxy, background, qtbot):
    import torch

    make_napari_viewer_proxy()
    heard = Heard(background)

    def broken():
        yield Progress(0, 1)
        return torch.zeros(2, 3) @ torch.zeros(2, 3)

    background.start(broken())
    wait(qtbot, background)
    [(word, error)] = heard.words
    assert word == "failed"
    assert isinstance(error, RuntimeError)
    background.start(counting(2))
    wait(qtbot, background)
    assert heard.words[1:] == [("returned", 2)]


def test_cancelled_job_returns_nothing(background, qtbot):
    heard, closed = Heard(background), []

    def endless():
        try:
            while True:
                time.sleep(0.001)
                yield Progress(1, 0)
        finally:
            closed.append(threading.current_thread())

    background.start(endless())
    qtbot.waitUntil(lambda: bool(heard.steps))
    background.cancel()
    wait(qtbot, background)
    assert heard.words == [("stopped",)]
    # In the worker's own thread: that is where device memory was taken.
    assert closed != [threading.main_thread()]
    assert len(closed) == 1


def test_one_job_at_a_time(background, qtbot):
    background.start(counting(1))
    with pytest.raises(RuntimeError, match="under way"):
        background.start(counting(1))
    wait(qtbot, background)


def test_long_job_keeps_no_other_from_running(background, qtbot):
    pool = QThreadPool.globalInstance()
    count, go_on = pool.maxThreadCount(), threading.Event()

    def long():
        while not go_on.wait(0.01):
            yield Progress(0, 0)

    others = [Background() for _ in range(3)]
    pool.setMaxThreadCount(1)
    try:
        for one in (background, *others[:2]):
            one.start(long())
        others[2].start(counting(2))
        wait(qtbot, others[2])
        assert background.running
    finally:
        go_on.set()
        for one in (background, *others):
            wait(qtbot, one)
        pool.setMaxThreadCount(count)


def test_next_job_may_start_when_one_returns(background, qtbot):
    heard = Heard(background)
    background.returned.connect(lambda result: result and background.start(counting(result - 1)))
    background.start(counting(2))
    qtbot.waitUntil(lambda: ("returned", 0) in heard.words, timeout=20_000)
    assert heard.words == [("returned", 2), ("returned", 1), ("returned", 0)]


def test_nothing_keeps_hold_of_a_result(background, qtbot):
    class Large:
        pass

    kept = []

    def job():
        yield Progress(0, 1)
        large = Large()
        kept.append(weakref.ref(large))
        return large

    background.start(job())
    wait(qtbot, background)

    def gone():
        gc.collect()
        return kept[0]() is None

    qtbot.waitUntil(gone)


def test_abandoned_job_reports_nothing(background, qtbot):
    heard = Heard(background)
    background.start(counting(10_000_000))
    background.abandon()
    wait(qtbot, background)
    assert heard.words == []


def test_job_ends_well_though_nobody_holds_on_to_it(qapp, qtbot):
    ended = []

    def start():
        background = Background()
        background.start(counting(2000, ended))
        return weakref.ref(background)

    forgotten = start()
    gc.collect()
    qtbot.waitUntil(lambda: bool(ended), timeout=20_000)

    def gone():
        gc.collect()
        return forgotten() is None

    qtbot.waitUntil(gone, timeout=20_000)
