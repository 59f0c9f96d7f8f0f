"""Long actions in the background: one guard for all of them.

napari's workers swallow a RuntimeError (torch's shape and memory errors are such), stop without
closing the generator, and report errors twice. Here a job's error comes back as a value, stopping
closes the job in its own thread, and nothing keeps hold of it afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QThreadPool, QTimer

from napari_lgmsnet.adapters.jobs import Job
from napari_lgmsnet.core.types import Progress

LONGEST_SILENCE = 0.2
"""Seconds."""
PAUSE = 250
"""Milliseconds between two reports of progress: beside a canvas that is drawn with OpenGL, Qt puts
the whole window together anew for each word and each bar that changes."""
_UNDER_WAY: set[Background] = set()
"""A job may outlive the widget that started it. Qt calls back what it was connected to, and crashes
if that is gone."""


@dataclass(frozen=True)
class Failure:
    """An error that ended a job."""

    error: Exception


@dataclass(frozen=True)
class Success:
    """What a job returned."""

    result: Any


@dataclass
class Link:
    """What the two threads tell each other.

    Parameters
    ----------
    stop : threading.Event
        Heeded after every step of the job.
    latest : Progress
        The last step.
    under_way : bool
        Whether word of a step is on its way to the main thread. Until it has arrived there is no
        need for another: a job of many small steps would bury the window under them.
    """

    stop: Event = field(default_factory=Event)
    latest: Progress = field(default_factory=lambda: Progress(0, 0))
    under_way: bool = False


def guard(job: Job, link: Link) -> Generator[None, None, Success | Failure | None]:
    """Run a job to its end, to its first error, or until it should stop.

    Parameters
    ----------
    job : generator of Progress
    link : Link

    Yields
    ------
    None
        When there is news in ``link.latest``; and now and then in any case, since napari can only
        stop a worker that yields.

    Returns
    -------
    Success, Failure, or None if it was stopped
        In each case the job is closed: its ``finally`` clauses have run.
    """
    told = 0.0
    try:
        while not link.stop.is_set():
            try:
                link.latest = next(job)
            except StopIteration as end:
                return Success(end.value)
            now = time.monotonic()
            if not link.under_way or now - told > LONGEST_SILENCE:
                link.under_way, told = True, now
                yield
    except Exception as error:  # noqa: BLE001 (handed to the person, whatever it is)
        return Failure(error)
    finally:
        job.close()
    return None


class Background:
    """Runs one job at a time in a worker thread and reports on the main thread.

    Attributes
    ----------
    progressed, returned, failed, stopped : psygnal signals
        With a Progress, the job's result, its error, or nothing. After any of the last three
        another job can be started. Of steps that follow each other quickly the last one is told.
    """

    progressed = Signal(Progress)
    returned = Signal(object)
    failed = Signal(Exception)
    stopped = Signal()

    def __init__(self) -> None:
        self._link = Link()
        self._worker: Any = None
        self._outcome: Success | Failure | None = None
        self._news = False
        self._pause = QTimer()
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE)
        self._pause.timeout.connect(self._tell)

    @property
    def running(self) -> bool:
        """Return whether a job is under way."""
        return self._worker is not None

    def start(self, job: Job) -> None:
        """Start a job.

        Raises
        ------
        RuntimeError
            If another one is under way.
        """
        if self.running:
            raise RuntimeError("another job is under way: stop it, or wait for its end")
        self._link = Link()
        self._outcome = None
        self._worker = create_worker(guard, job, self._link)
        self._worker.yielded.connect(self._on_yielded)
        self._worker.returned.connect(self._on_returned)
        self._worker.finished.connect(self._on_finished)
        _UNDER_WAY.add(self)
        # Qt runs as many workers as there are cores: beside a training on a laptop, nothing else.
        # So jobs don't count.
        _pool().releaseThread()
        self._worker.start()

    def cancel(self) -> None:
        """Ask the job to stop after its current step."""
        self._link.stop.set()

    def abandon(self) -> None:
        """Stop the job and report nothing of it: whoever listened is going away."""
        self.cancel()
        self.forget_listeners()

    def forget_listeners(self) -> None:
        """Let the job go on, but report nothing of it."""
        for signal in (self.progressed, self.returned, self.failed, self.stopped):
            signal.disconnect()

    def _on_yielded(self, _nothing: None) -> None:
        self._news = True
        if not self._pause.isActive():
            self._tell()

    def _tell(self) -> None:
        if not self._news:
            return
        self._news = self._link.under_way = False
        self._pause.start()
        if not self._link.stop.is_set():
            self.progressed.emit(self._link.latest)

    def _on_returned(self, outcome: Success | Failure | None) -> None:
        self._outcome = outcome

    def _on_finished(self) -> None:
        _pool().reserveThread()
        # Dropped before anyone is told: a listener may start the next job at once, and results
        # (device memory among them) must not outlive their use.
        outcome, self._outcome, self._worker = self._outcome, None, None
        self._news = False
        self._pause.stop()
        _UNDER_WAY.discard(self)
        if isinstance(outcome, Success) and not self._link.stop.is_set():
            self.returned.emit(outcome.result)
        elif isinstance(outcome, Failure):
            self.failed.emit(outcome.error)
        else:
            self.stopped.emit()


def _pool() -> QThreadPool:
    pool: QThreadPool = QThreadPool.globalInstance()
    return pool
