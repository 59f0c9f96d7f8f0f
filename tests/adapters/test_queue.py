"""One question at a time, the newest of each kind."""

import threading

from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.core.types import Progress


def answer(value, wait=None):
    yield Progress(0, 1)
    if wait is not None:
        assert wait.wait(30)
    yield Progress(1, 1)
    return value


def test_only_the_newest_of_those_that_wait_is_answered(qtbot):
    queue, go, heard = Queue(), threading.Event(), []
    queue.ask("map", answer("first", go), heard.append)
    for value in ("second", "third"):
        queue.ask("map", answer(value), heard.append)
    queue.ask("point", answer("other"), heard.append)
    go.set()
    qtbot.waitUntil(lambda: not queue.busy)
    assert heard == ["first", "third", "other"]


def test_an_error_is_told_and_the_next_question_answered(qtbot):
    def fails():
        yield Progress(0, 1)
        raise RuntimeError("shapes differ")

    queue, go, heard, failed = Queue(), threading.Event(), [], []
    queue.failed.connect(lambda kind, error: failed.append((kind, str(error))))
    queue.ask("wait", answer(0, go), heard.append)
    queue.ask("map", fails(), heard.append)
    queue.ask("point", answer(1), heard.append)
    go.set()
    qtbot.waitUntil(lambda: not queue.busy)
    assert (heard, failed) == ([0, 1], [("map", "shapes differ")])


def test_cancel_drops_what_waits_as_well(qtbot):
    queue, go, heard, stopped = Queue(), threading.Event(), [], []
    queue.stopped.connect(lambda: stopped.append(True))
    queue.ask("map", answer(1, go), heard.append)
    queue.ask("point", answer(2), heard.append)
    queue.cancel()
    go.set()
    qtbot.waitUntil(lambda: not queue.busy)
    assert (heard, stopped) == ([], [True])
