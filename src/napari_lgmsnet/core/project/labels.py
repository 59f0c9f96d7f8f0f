"""The masks of a project's cases: stored whole now and then, edits appended in between.

Files first, then the row that names them: whenever the program stops, the row names files that
are there. docs/project-format.md says how the parts fit together.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import defaultdict
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.project import snapshots
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.edits import Activity, Edit, pack, pack_activity, pack_head
from napari_lgmsnet.core.project.journal import JournalWriter
from napari_lgmsnet.core.project.masks import Arrays, merged
from napari_lgmsnet.core.project.reading import LabelReader, is_missing
from napari_lgmsnet.core.project.sessions import write_sessions
from napari_lgmsnet.core.project.states import begin_correction, set_predicted, state_of
from napari_lgmsnet.core.project.stored import Stored, write_stored
from napari_lgmsnet.core.project.tail import FORMAT, journal_path, journals_of, read_tail
from napari_lgmsnet.core.project.times import utc_now
from napari_lgmsnet.core.project.trash import to_trash
from napari_lgmsnet.core.types import Progress


@dataclass
class _Open:
    """A case that is being edited, and where its journals end."""

    stored: Stored
    last: int
    journal: int
    size: int
    writer: JournalWriter | None = None


class LabelStore(LabelReader):
    """The masks of all cases, for any thread.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the project.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database, folder)
        self._session = secrets.token_hex(8)
        self._open: dict[int, _Open] = {}
        self._lock = threading.RLock()
        self._storing: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def append(
        self, case_id: int, edits: list[Edit], activity: Activity | None = None
    ) -> tuple[int, int]:
        """Write edits to the disk, all of them or none.

        Parameters
        ----------
        case_id : int
        edits : list of Edit
        activity : Activity, optional
            What was done besides.

        Returns
        -------
        int, int
            Number of the last edit of this case, and the size of its journals in bytes.

        Raises
        ------
        InputError
            If an edit does not fit the mask.
        OSError
            If the disk is full or gone; call again with the same edits.
        ReadOnlyError
            If the project is open for reading only.
        """
        self._database.check_writable()
        with self._lock:
            opened = self._opened(case_id)
            shape, dtype = opened.stored.shape, opened.stored.dtype
            for edit in edits:
                edit.check(shape, dtype)
            contents = [pack(edit, shape, dtype) for edit in edits]
            if activity is not None:
                contents.append(pack_activity(activity))
            if any(edit.author != "network" for edit in edits):
                begin_correction(self._database, case_id)
            writer = self._writer(case_id, opened)
            before = writer.size
            try:
                writer.append(list(enumerate(contents, start=opened.last + 1)))
            except OSError:
                if writer.broken:
                    writer.close()
                    opened.writer = None
                raise
            opened.size += writer.size - before
            opened.last += len(contents)
            return opened.last, opened.size

    def store(
        self,
        case_id: int,
        *,
        labels: NDArray[Any] | None = None,
        prediction: NDArray[Any] | None = None,
        touched: NDArray[np.bool_] | None = None,
        vouched: NDArray[np.bool_] | None = None,
        checkpoint: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Generator[Progress, None, None]:
        """Store layers whole; those that are not given stay as they are.

        A prediction alone becomes the mask as well, where the person neither touched nor vouched
        for anything. Edits that are made meanwhile come after it.

        Parameters
        ----------
        case_id : int
        labels, prediction : unsigned integer arrays of the same shape, optional
            The first that are stored for a case decide its shape.
        touched, vouched : bool arrays of this shape, optional
        checkpoint : str, optional
            SHA-256 of the checkpoint that made the prediction.
        settings : mapping, optional
            With which; anything that JSON can hold.

        Raises
        ------
        InputError
            If an array does not fit the case, or cannot be written.
        ReadOnlyError
            If the project is open for reading only.
        """
        given: dict[str, NDArray[Any] | None] = {
            "labels": labels,
            "prediction": prediction,
            "touched": touched,
            "vouched": vouched,
        }
        self._database.check_writable()
        with self._storing[case_id]:
            yield from self._store(
                case_id,
                {layer: array for layer, array in given.items() if array is not None},
                checkpoint,
                settings,
            )

    def compact(self, case_id: int) -> Generator[Progress, None, None]:
        """Store a case's mask whole, with the edits from its journals, and drop these.

        Does nothing if there is no journal, or if this is being done already.
        """
        self._database.check_writable()
        if not journals_of(self._journal, case_id) or not self.has(case_id):
            return
        if not self._storing[case_id].acquire(blocking=False):
            return
        try:
            yield from self._store(case_id, {}, None, None)
        finally:
            self._storing[case_id].release()

    def forget(self, case_id: int) -> list[Path]:
        """Let go of a case that is about to be removed, and return its journals."""
        with self._lock:
            opened = self._open.pop(case_id, None)
            if opened is not None and opened.writer is not None:
                opened.writer.close()
            return [path for _, path in journals_of(self._journal, case_id)]

    def close(self) -> None:
        """Close all journals; everything in them is on the disk already."""
        with self._lock:
            for case_id in list(self._open):
                self.forget(case_id)

    def _opened(self, case_id: int) -> _Open:
        if case_id not in self._open:
            stored = self._stored_or_error(case_id)
            tail = self.tail(case_id)
            self._open[case_id] = _Open(stored, tail.last, tail.last_journal, tail.bytes)
        return self._open[case_id]

    def _writer(self, case_id: int, opened: _Open) -> JournalWriter:
        if opened.writer is None:
            # Never an old file: what stands in it, or is damaged in it, stays as it is.
            head = {
                "format": FORMAT,
                "case": case_id,
                "session": self._session,
                "checkpoint": opened.stored.checkpoint,
                "started": utc_now(),
            }
            path = journal_path(self._journal, case_id, opened.journal + 1)
            opened.writer = JournalWriter(path, pack_head(head))
            opened.journal += 1
            opened.size += opened.writer.size
        return opened.writer

    def _store(
        self,
        case_id: int,
        given: Mapping[str, NDArray[Any]],
        checkpoint: str | None,
        settings: Mapping[str, Any] | None,
    ) -> Generator[Progress, None, None]:
        with self._database.reading() as connection:
            state_of(connection, case_id)
        before, last, journal = self._end_journal(case_id)
        after = before.sequence if before else last
        tail = read_tail(self._journal, case_id, after, up_to=last)
        try:
            arrays = merged(given, self._load(before, tail) if before else None)
        except FileNotFoundError as error:
            raise is_missing(case_id, error.filename) from error
        files = yield from self._save(arrays, before.files if before else {})
        stored = Stored(
            arrays.shape,
            arrays.dtype,
            files,
            last,
            (before.checkpoint if before else "") if checkpoint is None else checkpoint,
            (before.settings if before else {}) if settings is None else settings,
        )
        with self._lock:
            with self._database.writing() as connection:
                write_stored(connection, case_id, stored)
                write_sessions(connection, case_id, tail.sessions())
                if "prediction" in given:
                    set_predicted(connection, case_id)
            self._drop_journals(case_id, journal, stored, keep=before is None or bool(tail.damage))

    def _end_journal(self, case_id: int) -> tuple[Stored | None, int, int]:
        """Let later edits go to a new journal.

        Returns what is stored, and the numbers of the last edit and journal before that.
        """
        with self._lock:
            stored = self.stored(case_id)
            if stored is None:
                # Journals of a mask that was discarded, if the program was stopped just then.
                tail = self.tail(case_id)
                return None, tail.last, tail.last_journal
            opened = self._opened(case_id)
            if opened.writer is not None:
                opened.writer.close()
                opened.writer = None
            return stored, opened.last, opened.journal

    def _save(
        self, arrays: Arrays, before: Mapping[str, str]
    ) -> Generator[Progress, None, dict[str, str]]:
        """Write the layers that changed; return the files of all layers."""
        files = dict(before)
        for layer in sorted(arrays.changed):
            array = arrays.get(layer)
            files.pop(layer, None)
            if layer == "prediction" and array is arrays.get("labels") and "labels" in files:
                files[layer] = files["labels"]
            elif array is not None and (layer == "prediction" or array.any()):
                files[layer] = yield from snapshots.save(self._labels, array)
        return files

    def _drop_journals(self, case_id: int, number: int, stored: Stored, *, keep: bool) -> None:
        """Remove journals up to a number, or keep them aside."""
        old = [path for one, path in journals_of(self._journal, case_id) if one <= number]
        if keep:
            to_trash(self._folder, old, f"journals-of-case-{case_id}")
        for path in old:
            # On Windows a second window may be reading it: it goes the next time.
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)
        if case_id in self._open:
            opened = self._open[case_id]
            opened.stored = stored
            opened.size = sum(p.stat().st_size for _, p in journals_of(self._journal, case_id))
