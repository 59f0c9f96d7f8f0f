"""Keeping a project's folder small: what nothing needs is removed, never what might be needed."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from napari_lgmsnet.core.project import snapshots
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.labels import LabelStore
from napari_lgmsnet.core.project.states import record_state, state_of
from napari_lgmsnet.core.project.stored import files_in_use, read_stored
from napari_lgmsnet.core.project.tail import numbered
from napari_lgmsnet.core.project.trash import to_trash
from napari_lgmsnet.core.types import Progress

YOUNG = 600.0  # seconds in which a file may belong to what is just being stored


def tidy(database: Database, labels: LabelStore, folder: Path) -> Generator[Progress, None, None]:
    """Store all masks whole; remove masks of before, and files that a kill left behind.

    Journals of cases that were removed are moved to the trash folder.

    Parameters
    ----------
    database : Database
    labels : LabelStore
    folder : Path
        Of the project.
    """
    database.check_writable()
    journals = [(numbered(path), path) for path in (folder / "journal").glob("*.journal")]
    case_ids = sorted({number[0] for number, _ in journals if number is not None})
    for done, case_id in enumerate(case_ids):
        yield Progress(done, len(case_ids), "storing masks")
        if labels.has(case_id):
            yield from labels.compact(case_id)
    with database.reading() as connection:
        known = {row["id"] for row in connection.execute("SELECT id FROM cases")}
        used = files_in_use(connection)
    orphans = [path for number, path in journals if number and number[0] not in known]
    to_trash(folder, orphans, "journals-without-case")
    for path in [*unused_snapshots(folder, used), *leftovers(folder)]:
        # On Windows a second window may be reading it: it goes the next time.
        with contextlib.suppress(PermissionError):
            if time.time() - path.stat().st_mtime >= YOUNG:
                path.unlink(missing_ok=True)


def unused_snapshots(folder: Path, used: set[str]) -> Iterator[Path]:
    """Give the files of masks that are no case's any more."""
    for path in sorted((folder / "labels").glob("*/*.npz")):
        if path.stem not in used and not path.name.startswith("."):
            yield path


def leftovers(folder: Path) -> Iterator[Path]:
    """Give files that were being written when the program was stopped."""
    for pattern in (".*.sqlite", "labels/*/.*.npz", "checkpoints/.*.safetensors"):
        yield from sorted(folder.glob(pattern))


def remove_case(database: Database, labels: LabelStore, folder: Path, case_id: int) -> None:
    """Forget a case, and move its mask to the trash folder.

    Raises
    ------
    InputError
        If there is no such case.
    """
    with database.writing() as connection:
        state_of(connection, case_id)
        files = _take_mask(connection, folder, case_id)
        connection.execute("DELETE FROM cases WHERE id = ?", (case_id,))
    to_trash(folder, [*labels.forget(case_id), *files], f"case-{case_id}")


def discard_mask(database: Database, labels: LabelStore, folder: Path, case_id: int) -> None:
    """Move a case's mask to the trash folder: the case is new again.

    Raises
    ------
    InputError
        If there is no such case.
    """
    with database.writing() as connection:
        files = _take_mask(connection, folder, case_id)
        record_state(connection, case_id, "new", forced=True)
    to_trash(folder, [*labels.forget(case_id), *files], f"mask-of-case-{case_id}")


def _take_mask(connection: sqlite3.Connection, folder: Path, case_id: int) -> list[Path]:
    """Delete the row of a mask, and return the files that nothing else needs."""
    stored = read_stored(connection, case_id)
    connection.execute("DELETE FROM labels WHERE case_id = ?", (case_id,))
    names = set() if stored is None else set(stored.files.values())
    unused = sorted(names - files_in_use(connection))
    return [snapshots.path_of(folder / "labels", name) for name in unused]
