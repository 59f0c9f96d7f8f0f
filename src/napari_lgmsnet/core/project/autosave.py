"""Saving every edit within moments, on a thread of its own."""

from __future__ import annotations

import atexit
import errno
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_lgmsnet.core.errors import InputError, LGMSNetError, ProjectError
from napari_lgmsnet.core.project.compaction import Compactor
from napari_lgmsnet.core.project.edits import Activity, Edit
from napari_lgmsnet.core.project.times import Stopwatch

if TYPE_CHECKING:
    from napari_lgmsnet.core.project.cases import Case
    from napari_lgmsnet.core.project.masks import CaseMask
    from napari_lgmsnet.core.project.states import State
    from napari_lgmsnet.core.project.store import Project

DELAY = 0.5
"""Seconds from the first edit that is not saved to its being written."""
PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds between tries
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Layout = tuple[tuple[int, ...], "np.dtype[Any]"]


@dataclass(frozen=True)
class SaveState:
    """How the saving stands.

    Parameters
    ----------
    status : "saved", "waiting" or "failed"
        Everything is on the disk; edits wait for their moment; they could not be written, stay
        in memory, and writing is tried again and again.
    unsaved : int
        Edits that are in memory only.
    saved : int
        Tickets (:meth:`Autosaver.edit`) up to this one are on the disk.
    message : str
        Why it failed and what to do, or "".
    """

    status: Literal["saved", "waiting", "failed"]
    unsaved: int = 0
    saved: int = 0
    message: str = ""


@dataclass(frozen=True)
class _Waiting:
    ticket: int
    case_id: int
    edit: Edit


class Autosaver:
    """Takes edits from any thread at once, and writes them a moment later on its own.

    Parameters
    ----------
    project : Project
        Open for writing.
    report : callable, optional
        Called with a :class:`SaveState` whenever it changes, **on the saving thread**.
    delay : float
        Seconds from the first edit that is not saved to its being written.
    clock : callable
        Seconds that only grow, for the time a person spends.

    Examples
    --------
    >>> saver = Autosaver(project, report=print)  # doctest: +SKIP
    >>> saver.edit(case.id, Edit(where, new=1, old=old, strokes=1))  # doctest: +SKIP
    >>> saver.close()  # doctest: +SKIP
    """

    def __init__(
        self,
        project: Project,
        report: Callable[[SaveState], object] | None = None,
        delay: float = DELAY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if project.read_only:
            raise ProjectError(f"nothing can be saved: {project.why_read_only}")
        self._project = project
        self._report = report
        self._delay = delay
        self._watch = Stopwatch(clock)
        # Everything below is shared with the saving thread, under this lock.
        self._changed = threading.Condition()
        self._layouts: dict[int, Layout] = {}
        self._waiting: list[_Waiting] = []
        self._view: Mapping[str, Any] | None = None
        self._due: float | None = None
        self._hurry = self._stopping = False
        self._begun = self._done = 0
        self._ticket = self._failures = 0
        self._failure = ""
        self._told = SaveState("saved")
        self._compactor = Compactor(project.labels)
        self._thread = threading.Thread(target=self._run, name="autosave", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    @property
    def state(self) -> SaveState:
        """Return how the saving stands."""
        with self._changed:
            return self._state()

    def edit(self, case_id: int, edit: Edit) -> int:
        """Hand over an edit; returns at once.

        Parameters
        ----------
        case_id : int
            Of a case that has a mask (:meth:`LabelStore.store`).
        edit : Edit
            Its arrays must not be changed afterwards.

        Returns
        -------
        int
            A ticket: 1 for the first edit, and so on.

        Raises
        ------
        InputError
            If the edit does not fit the mask; or if this is closed.
        """
        self._check(case_id, edit)
        with self._changed:
            self._check_running()
            self._watch.act(case_id)
            self._ticket += 1
            self._waiting.append(_Waiting(self._ticket, case_id, edit))
            self._wait_for_moment()
            return self._ticket

    def active(self, case_id: int) -> None:
        """Say that the person is at work on a case, looking or scrolling.

        Time between two such calls, or edits, counts as spent on the case if it is below a
        minute.
        """
        with self._changed:
            self._watch.act(case_id)

    def keep_view(self, view: Mapping[str, Any]) -> None:
        """Hand over what the viewer shows (:meth:`Project.set_view`); only the last one counts."""
        with self._changed:
            self._check_running()
            self._view = dict(view)
            self._wait_for_moment()

    def read(self, case_id: int) -> CaseMask | None:
        """Return a case's mask with all edits handed over so far, saved first.

        Raises
        ------
        ProjectError
            If they cannot be saved.
        """
        self._save_so_far()
        return self._project.labels.read(case_id)

    def set_state(self, case_id: int, state: State, *, partial: bool = False) -> Case:
        """Save all edits, then give a case a state.

        Without the saving, edits that wait would make an accepted case one in correction again.

        Parameters
        ----------
        case_id, state, partial
            As for :meth:`Cases.set_state`.

        Raises
        ------
        ProjectError
            If the edits cannot be saved.
        InputError
            If this state may not follow the present one.
        """
        self._save_so_far()
        return self._project.cases.set_state(case_id, state, partial=partial)

    def flush(self, timeout: float = 30.0) -> SaveState:
        """Write everything now; return when that is done, or failed.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.
        """
        with self._changed:
            wanted = self._begun + 1  # a round that runs already may miss the last edit
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= wanted or self._stopping, timeout)
            return self._state()

    def close(self) -> None:
        """Write everything and stop. Does nothing the second time.

        Raises
        ------
        ProjectError
            If something could not be written: it stays in memory and this stays open. Call
            again, or :meth:`discard`.
        """
        if self._thread.is_alive():
            state = self.flush()
            if state.status != "saved":
                raise _unsaved(state)
            self._stop()

    def discard(self) -> None:
        """Stop, and lose what could not be written."""
        with self._changed:
            self._waiting.clear()
            self._view = None
        self._stop()

    def _check(self, case_id: int, edit: Edit) -> None:
        """Refuse an edit that could never be written, while the person can be told."""
        if case_id not in self._layouts:
            self._layouts[case_id] = self._project.labels.layout(case_id)
        try:
            edit.check(*self._layouts[case_id])
        except InputError:
            # The mask may have been stored with a wider type since.
            self._layouts[case_id] = self._project.labels.layout(case_id)
            edit.check(*self._layouts[case_id])

    def _check_running(self) -> None:
        if self._stopping:
            raise InputError("saving was stopped: open the project again")

    def _wait_for_moment(self) -> None:
        if self._due is None:
            self._due = time.monotonic() + self._delay
            self._changed.notify_all()

    def _save_so_far(self) -> None:
        """Save what was handed over until now; a person who paints on is not waited for."""
        with self._changed:
            ticket = self._ticket
        state = self.flush()
        if state.status == "failed" or state.saved < ticket:
            raise _unsaved(state)

    def _stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        self._compactor.stop()
        atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        self.flush(timeout=5.0)

    def _state(self) -> SaveState:
        unsaved, saved = len(self._waiting), self._ticket
        if self._waiting:
            saved = self._waiting[0].ticket - 1
        if self._failure:
            return SaveState("failed", unsaved, saved, self._failure)
        waits = bool(self._waiting) or self._view is not None
        return SaveState("waiting" if waits else "saved", unsaved, saved)

    # What follows runs on the saving thread.

    def _run(self) -> None:
        while True:
            self._tell()
            with self._changed:
                if not self._is_time():
                    self._changed.wait(self._patience())
                if self._stopping:
                    return
                if not self._is_time():
                    continue
                batch, view, hurried = list(self._waiting), self._view, self._hurry
                spent = self._watch.spent()
                self._hurry, self._due = False, None
                self._begun += 1
            failure = self._write(batch, spent, hurried) or self._write_view(view)
            with self._changed:
                self._failures = self._failures + 1 if failure else 0
                self._failure = failure
                if failure:
                    pause = PAUSES[min(self._failures, len(PAUSES)) - 1]
                    self._due = time.monotonic() + pause
                self._done += 1
                self._changed.notify_all()

    def _is_time(self) -> bool:
        due = self._due is not None and time.monotonic() >= self._due
        return due or self._hurry or self._stopping

    def _patience(self) -> float | None:
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def _tell(self) -> None:
        with self._changed:
            state, told, self._told = self._state(), self._told, self._state()
        if self._report is not None and replace(state, unsaved=told.unsaved) != told:
            try:
                self._report(state)
            except Exception:  # noqa: BLE001 (a mistake in the window must not end the saving)
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self._thread)))

    def _write(self, batch: list[_Waiting], spent: dict[int, float], hurried: bool) -> str:
        """Write edits case by case; return what went wrong, or ""."""
        groups: defaultdict[int, list[_Waiting]] = defaultdict(list)
        for one in batch:
            groups[one.case_id].append(one)
        if hurried:  # otherwise time alone is not worth a write
            groups |= {case_id: groups[case_id] for case_id in spent}
        failure = ""
        for case_id, group in groups.items():
            seconds = spent.get(case_id, 0.0)
            activity = Activity(seconds=seconds) if seconds else None
            try:
                if group or self._project.labels.has(case_id):
                    edits = [one.edit for one in group]
                    _, size = self._project.labels.append(case_id, edits, activity)
                    self._compactor.grown(case_id, size)
            except Exception as error:  # noqa: BLE001 (if this thread died, edits would be lost)
                failure = failure or _in_words(error)
                continue
            written = {one.ticket for one in group}
            with self._changed:
                self._waiting = [one for one in self._waiting if one.ticket not in written]
                self._watch.take(case_id, seconds)
        return failure

    def _write_view(self, view: Mapping[str, Any] | None) -> str:
        if view is None:
            return ""
        try:
            self._project.set_view(view)
        except Exception as error:  # noqa: BLE001 (as above)
            return _in_words(error)
        with self._changed:
            if self._view is view:
                self._view = None
        return ""


def _unsaved(state: SaveState) -> ProjectError:
    return ProjectError(state.message or "the edits are not saved yet: try again")


def _in_words(error: Exception) -> str:
    if isinstance(error, LGMSNetError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return (
            "the disk is full: the last edits are kept in memory. Make space; saving is tried "
            "again by itself"
        )
    return (
        f"the last edits cannot be written ({error}) and are kept in memory: check the project's "
        "folder; saving is tried again by itself"
    )
