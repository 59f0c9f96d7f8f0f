"""A project: a folder with a database, and the files that it names."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError, ProjectError, ReadOnlyError
from napari_lgmsnet.core.project import adding, database, schema
from napari_lgmsnet.core.project.adding import Added
from napari_lgmsnet.core.project.cases import Cases
from napari_lgmsnet.core.project.creating import create_folder, make_folders
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.labels import LabelStore
from napari_lgmsnet.core.project.ledger import LedgerRow, read_ledger
from napari_lgmsnet.core.project.lineage import Checkpoints
from napari_lgmsnet.core.project.lock import Holder, Lease
from napari_lgmsnet.core.project.places import on_network
from napari_lgmsnet.core.project.relocating import relocate
from napari_lgmsnet.core.project.runs import Runs
from napari_lgmsnet.core.project.sources import Source
from napari_lgmsnet.core.project.tidy import discard_mask, remove_case, tidy
from napari_lgmsnet.core.project.trash import empty_trash
from napari_lgmsnet.core.types import Progress

_SQLITE = b"SQLite format 3\0"
_LONGEST_VIEW = 2**16


class Project:
    """A project, open; see :meth:`create` and :meth:`open`.

    May be used from any thread. Close it, or use ``with``.

    Attributes
    ----------
    folder : Path
    cases : Cases
    labels : LabelStore
    checkpoints : Checkpoints
    runs : Runs
    holder : Holder or None
        Who else had it open for writing when this one was opened.
    """

    def __init__(
        self, folder: Path, lease: Lease | None, holder: Holder | None, why_read_only: str
    ) -> None:
        self.folder = folder
        self.holder = holder
        self._lease = lease
        self._database = Database(folder / database.NAME, why_read_only)
        self.cases = Cases(self._database, folder)
        self.labels = LabelStore(self._database, folder)
        self.checkpoints = Checkpoints(self._database, folder)
        self.runs = Runs(self._database, folder)

    @staticmethod
    def is_project(folder: str | Path) -> bool:
        """Tell whether a folder looks like a project."""
        return (Path(folder) / database.NAME).is_file()

    @classmethod
    def create(cls, folder: str | Path) -> Project:
        """Make a new project and open it.

        Parameters
        ----------
        folder : str or Path
            Made if it is missing. May hold images, but no project.

        Raises
        ------
        InputError
            If it holds a project already.
        ReadOnlyError
            If it cannot be written to.
        """
        create_folder(Path(folder).absolute())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path, *, read_only: bool = False) -> Project:
        """Open a project.

        Where another window has it open, or the folder cannot be written to, it opens read-only:
        see :attr:`why_read_only` and :attr:`holder`. What the other window writes can be seen.

        Parameters
        ----------
        folder : str or Path
        read_only : bool
            Don't try to write.

        Raises
        ------
        ProjectError
            If it is no project, is damaged, or was made by a newer version of this program.
            Nothing was changed.
        """
        folder = Path(folder).absolute()
        _check_file(folder / database.NAME)
        lease, holder, reason = None, None, "it was opened for reading only"
        if not read_only:
            lease, holder, reason = _take_lease(folder)
        project: Project | None = None
        try:
            project = cls(folder, lease, holder, reason)
            project._prepare()
        except BaseException:
            if project is not None:
                project._database.close()
            if lease is not None:
                lease.release()
            raise
        return project

    @property
    def read_only(self) -> bool:
        """Return whether nothing can be written."""
        return bool(self.why_read_only)

    @property
    def why_read_only(self) -> str:
        """Return why nothing can be written, in a person's words, or ""."""
        return self._database.why_read_only

    def add(self, images: Iterable[Path | Source]) -> Generator[Progress, None, Added]:
        """Add images as new cases: all of them, or none if this is stopped.

        Parameters
        ----------
        images : iterable of Path or Source
            Files; folders, in which every image is taken, those in folders inside included; or
            sources, such as one DICOM series of several.
        """
        return adding.add(self._database, self.cases, self.folder, images)

    def relocate(
        self, case_ids: Iterable[int], folder: Path
    ) -> Generator[Progress, None, dict[int, Source]]:
        """Look for moved images in a folder and the folders inside, by their content.

        Returns
        -------
        dict of int to Source
            Number of each case whose image was found, and where. It is written down already.
        """
        self._database.check_writable()
        return relocate(self.cases, [self.cases.get(one) for one in case_ids], folder)

    def remove_case(self, case_id: int) -> None:
        """Take a case out of the project; its mask goes to the trash folder."""
        remove_case(self._database, self.labels, self.folder, case_id)

    def discard_mask(self, case_id: int) -> None:
        """Make a case new again; its mask goes to the trash folder."""
        discard_mask(self._database, self.labels, self.folder, case_id)

    def target(self, case_id: int) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Return what a network may learn from a case.

        Returns
        -------
        labels : unsigned integer array
        known : bool array or None
            Voxels that count; the others are unlabelled. None if all count.

        Raises
        ------
        InputError
            If the case has no mask.
        """
        case, mask = self.cases.get(case_id), self.labels.read(case_id)
        if mask is None:
            raise InputError(f'"{case.name}" has no mask yet: predict it, or paint one')
        whole = case.state == "accepted" and not case.partial
        return mask.labels, None if whole else mask.known

    def ledger(self) -> list[LedgerRow]:
        """Return what was corrected: a row for each case and session, the latest edits included."""
        return read_ledger(self._database, self.cases, self.labels)

    def view(self) -> dict[str, Any]:
        """Return what the viewer showed last (:meth:`set_view`), {} at first."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE key = 'view'").fetchone()
        view: dict[str, Any] = json.loads(row[0]) if row else {}
        return view

    def set_view(self, view: Mapping[str, Any]) -> None:
        """Keep what the viewer shows: case, slice, camera, tool; whatever the caller chooses.

        Parameters
        ----------
        view : mapping
            Anything that JSON can hold, up to 64 kB.
        """
        try:
            text = json.dumps(dict(view), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"the state of the viewer cannot be kept: {error}") from error
        if len(text) > _LONGEST_VIEW:
            raise InputError(f"the state of the viewer is too long ({len(text)} characters)")
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('view', ?)", (text,))

    def check_database(self) -> list[str]:
        """Return what is wrong with the database, in SQLite's words; an empty list if nothing."""
        with self._database.reading() as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check").fetchall()]
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        words = [
            f"a row of {row[0]} belongs to a row of {row[2]} that is missing" for row in broken
        ]
        return [text for text in found if text != "ok"] + words

    def tidy(self) -> Generator[Progress, None, None]:
        """Store all masks whole, and remove what nothing needs any more.

        Not needed for safety. Afterwards there are no journals, and the folder can be read
        without this program most easily.
        """
        return tidy(self._database, self.labels, self.folder)

    def empty_trash(self) -> int:
        """Delete what was moved aside for good; return how many files that were."""
        self._database.check_writable()
        count = empty_trash(self.folder)
        self.checkpoints.forget_trash()
        return count

    def close(self) -> None:
        """Close all files and let others write. Does nothing the second time."""
        self.labels.close()
        self._database.close()
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """Check the database; then, if it may be written to, bring it up to date."""
        path = self.folder / database.NAME
        with self._database.reading() as connection:
            mark = connection.execute("PRAGMA application_id").fetchone()[0]
            version = schema.version_of(connection)
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if mark != schema.APPLICATION_ID:
            raise ProjectError(f'"{path}" is the database of another program: choose a project')
        if problem != "ok":
            raise ProjectError(
                f'"{path}" is damaged ({" ".join(problem.split())}): nothing in it was changed. '
                "Put back a copy of it"
            )
        if version > schema.VERSION:
            raise ProjectError(
                f'"{self.folder}" was made by a newer version of this program (format {version}, '
                f"this one knows {schema.VERSION}): update napari-lgmsnet"
            )
        if not self.read_only:
            make_folders(self.folder)
            mode = "delete" if on_network(self.folder) else "wal"
            self._database.prepare(schema.migrate, mode)
            self.runs.mark_interrupted()
        elif version < schema.VERSION:
            raise ProjectError(
                f'"{self.folder}" was made by an older version of this program: open it once '
                "where it can be written to"
            )


def _check_file(path: Path) -> None:
    """Say what is wrong before SQLite touches anything."""
    if not path.is_file():
        raise ProjectError(f'"{path.parent}" is no project: choose one, or make a new one there')
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        raise ProjectError(
            f'"{path}" cannot be opened ({error.strerror}): check its permissions'
        ) from error
    if start != _SQLITE:
        raise ProjectError(
            f'"{path}" is damaged, it is no database: nothing in it was changed. Put back a copy '
            "of it; the masks in the folders beside it are files of their own"
        )


def _take_lease(folder: Path) -> tuple[Lease | None, Holder | None, str]:
    """Return the right to write, or who has it, and why this project is read-only."""
    try:
        taken = Lease.take(folder)
    except ReadOnlyError as error:
        return None, None, str(error)
    if isinstance(taken, Lease):
        return taken, None, ""
    reason = (
        f'"{folder}" is open for writing elsewhere ({taken}): here it can be looked at, but not '
        "changed"
    )
    return None, taken, reason
