"""The masks of a project's cases, read; also while another window writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_lgmsnet.core.errors import ProjectError
from napari_lgmsnet.core.project import snapshots
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.masks import Arrays, CaseMask
from napari_lgmsnet.core.project.stored import Stored, files_in_use, read_stored
from napari_lgmsnet.core.project.tail import Tail, read_tail

_TRIES = 20


class LabelReader:
    """The masks of all cases, for any thread.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the project.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._labels = folder / "labels"
        self._journal = folder / "journal"

    def has(self, case_id: int) -> bool:
        """Tell whether a case has a mask."""
        return self.stored(case_id) is not None

    def layout(self, case_id: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and type of a case's mask.

        Raises
        ------
        ProjectError
            If it has none.
        """
        stored = self._stored_or_error(case_id)
        return stored.shape, stored.dtype

    def read(self, case_id: int) -> CaseMask | None:
        """Return the mask of a case with all edits that are saved, or None if it has none.

        Raises
        ------
        ProjectError
            If a file that the mask needs is missing or damaged.
        """
        for _ in range(_TRIES):
            stored = self.stored(case_id)
            if stored is None:
                return None
            try:
                tail = read_tail(self._journal, case_id, stored.sequence)
                arrays = self._load(stored, tail)
            except FileNotFoundError as error:
                missing = error.filename
            else:
                missing = None
            # If it was stored whole meanwhile, what was read is a mixture of before and after.
            if self._sequence(case_id) != stored.sequence:
                continue
            # Journals are listed, not named: one that is gone was not needed any more.
            if missing is not None and Path(missing).parent == self._journal:
                continue
            if missing is not None:
                raise is_missing(case_id, missing)
            return CaseMask(
                labels=arrays.filled("labels"),
                prediction=arrays.get("prediction"),
                touched=arrays.filled("touched"),
                vouched=arrays.filled("vouched"),
                checkpoint=stored.checkpoint,
                settings=stored.settings,
                sequence=tail.last,
                torn_bytes=tail.torn,
                damage=tail.damage,
            )
        raise ProjectError(f"the mask of case {case_id} changes too fast to be read: try again")

    def tail(self, case_id: int) -> Tail:
        """Return what is in the journals of a case and not yet in its stored mask."""
        for _ in range(_TRIES):
            sequence = self._sequence(case_id)
            try:
                tail = read_tail(self._journal, case_id, sequence)
            except FileNotFoundError:
                continue
            if self._sequence(case_id) == sequence:
                return tail
        raise ProjectError(f"the journal of case {case_id} changes too fast to be read: try again")

    def stored(self, case_id: int) -> Stored | None:
        """Return which files a case's mask is made of, or None if it has no mask."""
        with self._database.reading() as connection:
            return read_stored(connection, case_id)

    def files_in_use(self) -> set[str]:
        """Return the SHA-256 of the files of all masks."""
        with self._database.reading() as connection:
            return files_in_use(connection)

    def _stored_or_error(self, case_id: int) -> Stored:
        stored = self.stored(case_id)
        if stored is None:
            raise ProjectError(
                f"case {case_id} has no mask yet: store a prediction or an empty mask first"
            )
        return stored

    def _sequence(self, case_id: int) -> int:
        stored = self.stored(case_id)
        return 0 if stored is None else stored.sequence

    def _load(self, stored: Stored, tail: Tail) -> Arrays:
        """Return the stored layers with the edits of the journals."""
        layers = {layer: snapshots.load(self._labels, name) for layer, name in stored.files.items()}
        arrays = Arrays(stored.shape, stored.dtype, layers)
        for entry in tail.entries:
            arrays.apply(entry.content)
        return arrays


def is_missing(case_id: int, name: str) -> ProjectError:
    """Return the error for a mask of which a file is missing."""
    return ProjectError(
        f'the file "{name}" of case {case_id} is missing: put back a copy of it, or discard the '
        "mask and predict this case again"
    )
