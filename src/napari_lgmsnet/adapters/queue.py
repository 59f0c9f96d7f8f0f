"""Questions that are answered one after the other, in the background, the newest of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import Signal

from napari_lgmsnet.adapters.jobs import Job
from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.core.types import Progress

Question = tuple[Job, Callable[[Any], None]]


class Queue:
    """Asks one question at a time; a newer one of the same kind takes the place of one that waits.

    A network may run for one question only at a time, and a person who turns a knob quickly wants
    the last answer, not all of them.

    Attributes
    ----------
    progressed, failed, stopped : psygnal signals
        As those of :class:`~napari_lgmsnet.adapters.workers.Background`; ``failed`` comes with
        the kind of the question and the error.
    idle : psygnal signal
        Nothing is left to do.
    """

    progressed = Signal(Progress)
    failed = Signal(str, Exception)
    stopped = Signal()
    idle = Signal()

    def __init__(self) -> None:
        self._background = Background()
        self._waiting: dict[str, Question] = {}
        self._kind = ""
        self._done: Callable[[Any], None] | None = None
        self._background.progressed.connect(self._on_progressed)
        self._background.returned.connect(self._on_returned)
        self._background.failed.connect(self._on_failed)
        self._background.stopped.connect(self._on_stopped)

    @property
    def busy(self) -> bool:
        """Return whether a question is being answered or waits."""
        return self._background.running or bool(self._waiting)

    @property
    def kind(self) -> str:
        """Return the kind of the question that is being answered; empty if there is none."""
        return self._kind if self._background.running else ""

    def ask(self, kind: str, job: Job, done: Callable[[Any], None]) -> None:
        """Ask a question.

        Parameters
        ----------
        kind : str
        job : generator of Progress
        done : callable
            Gets the answer, on the main thread.
        """
        self._drop(kind)
        self._waiting[kind] = (job, done)
        self._next()

    def cancel(self) -> None:
        """Stop the question under way, and drop those that wait."""
        for kind in list(self._waiting):
            self._drop(kind)
        self._background.cancel()

    def abandon(self) -> None:
        """Stop everything and report nothing of it: whoever listened is going away."""
        for kind in list(self._waiting):
            self._drop(kind)
        self._background.abandon()

    def _drop(self, kind: str) -> None:
        if kind in self._waiting:
            job, _done = self._waiting.pop(kind)
            job.close()

    def _next(self) -> None:
        if self._background.running:
            return
        if not self._waiting:
            self.idle.emit()
            return
        self._kind = next(iter(self._waiting))
        job, self._done = self._waiting.pop(self._kind)
        self._background.start(job)

    def _on_progressed(self, progress: Progress) -> None:
        self.progressed.emit(progress)

    def _on_returned(self, answer: Any) -> None:
        done, self._done = self._done, None
        assert done is not None
        done(answer)
        self._next()

    def _on_failed(self, error: Exception) -> None:
        self._done = None
        self.failed.emit(self._kind, error)
        self._next()

    def _on_stopped(self) -> None:
        self._done = None
        self.stopped.emit()
        self._next()
