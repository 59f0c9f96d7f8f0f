"""Predicting cases beside everything else: the one on screen, and the next one ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_lgmsnet.adapters import case_jobs
from napari_lgmsnet.adapters.case_jobs import Predicted, Wanted
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.core.errors import InputError, LGMSNetError
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Autosaver, Case, Project

PREDICT, AHEAD, HASH = "predict", "ahead", "hash"


class Predictor:
    """Runs the network for one case at a time; what a person asks for goes first.

    Parameters
    ----------
    project : Project
        Open for writing.
    saver : Autosaver
    upcoming : callable
        Returns cases without a prediction, the one that will be looked at first coming first;
        gets whether all of them are wanted, or only the next.

    Attributes
    ----------
    wanted : Wanted or None
        What is used ahead of time. Without it nothing is.
    everything : bool
        Whether all new cases are wanted.
    predicted : psygnal signal
        With a :class:`~napari_lgmsnet.adapters.case_jobs.Predicted`.
    failed : psygnal signal
        With an error that names the case.
    progressed : psygnal signal
        With whether a person waits for it, and a Progress.
    changed : psygnal signal
        Another case is being predicted, or none.
    """

    predicted = Signal(object)
    failed = Signal(Exception)
    progressed = Signal(bool, Progress)
    changed = Signal()

    def __init__(
        self, project: Project, saver: Autosaver, upcoming: Callable[[bool], list[Case]]
    ) -> None:
        self.wanted: Wanted | None = None
        self.everything = False
        self._project = project
        self._saver = saver
        self._upcoming = upcoming
        self._asked: dict[str, int] = {}
        self._waits = False
        self._refused: set[int] = set()
        self._queue = Queue()
        self._queue.progressed.connect(self._on_progressed)
        self._queue.failed.connect(self._on_failed)
        self._queue.stopped.connect(lambda: self.changed.emit())
        self._queue.idle.connect(self.look_ahead)

    @property
    def case_id(self) -> int | None:
        """Return the case that is being predicted."""
        kind = self._queue.kind
        return self._asked[kind] if kind in (PREDICT, AHEAD) else None

    @property
    def asked(self) -> bool:
        """Return whether a person waits for a prediction."""
        return self._waits

    @property
    def busy(self) -> bool:
        """Return whether anything is computed."""
        return self._queue.busy

    def predict(self, case_id: int, wanted: Wanted) -> None:
        """Predict a case now; the next ones follow with the same checkpoint."""
        self.use(wanted)
        self._queue.cancel()
        self._waits = True
        self._ask(PREDICT, case_id, wanted)

    def use(self, wanted: Wanted) -> None:
        """Predict with this ahead of time from now on."""
        self.wanted = wanted
        self._refused.clear()

    def keep_to(self, reference: str) -> None:
        """Predict nothing ahead of time with another checkpoint than this one."""
        if self.wanted is not None and self.wanted.reference != reference:
            self.wanted, self.everything = None, False

    def go_on(self, wanted: Wanted, *, everything: bool) -> None:
        """Predict new cases in the background: the next one, or one after the other."""
        self.use(wanted)
        self.everything = everything
        self.look_ahead()

    def hash(self, case_id: int) -> None:
        """Compute the SHA-256 of a case's image, when there is nothing else to do."""
        self._queue.ask(HASH, case_jobs.hash_image(self._project, case_id), lambda _none: None)

    def look_ahead(self) -> None:
        """Predict what will be looked at next, if nothing else is to be done."""
        self._waits = self._waits and self._queue.busy
        self.changed.emit()
        if self._queue.busy or self.wanted is None:
            return
        cases = self._upcoming(self.everything)
        waiting = [case for case in cases if case.id not in self._refused]
        if waiting:
            self._ask(AHEAD, waiting[0].id, self.wanted)
        else:
            self.everything = False

    def stop(self) -> None:
        """Stop, and predict nothing ahead of time until something is asked for."""
        self.wanted, self.everything, self._waits = None, False, False
        self._queue.cancel()

    def leave(self) -> None:
        """Stop, and report nothing of it."""
        self.wanted, self.everything = None, False
        self._queue.abandon()

    def _ask(self, kind: str, case_id: int, wanted: Wanted) -> None:
        self._asked[kind] = case_id
        job = case_jobs.predict(self._project, self._saver, case_id, wanted)
        self._queue.ask(kind, job, self._on_predicted)
        self.changed.emit()

    def _on_predicted(self, answer: Predicted) -> None:
        if self.wanted is not None and self.wanted.reference == answer.loaded.reference:
            self.wanted = Wanted(self.wanted.reference, self.wanted.settings, answer.loaded)
        self.predicted.emit(answer)

    def _on_progressed(self, progress: Progress) -> None:
        self.progressed.emit(self._queue.kind == PREDICT or self.everything, progress)

    def _on_failed(self, kind: str, error: Exception) -> None:
        if kind == HASH:
            return  # said when the image is needed
        case_id = self._asked[kind]
        self._refused.add(case_id)
        if isinstance(error, LGMSNetError):
            name = self._project.cases.get(case_id).name
            error = InputError(f'"{name}" could not be predicted: {error}')
        self.failed.emit(error)
