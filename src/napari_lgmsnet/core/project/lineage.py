"""The checkpoints of a project, and where each of them came from."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from napari_lgmsnet.core.catalogue import SUFFIX, peek
from napari_lgmsnet.core.errors import CheckpointError, InputError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.project.checkpoint_rows import (
    Checkpoint,
    insert,
    read_all,
    read_current,
    record_event,
    set_current,
    update,
)
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.trash import NAME as TRASH
from napari_lgmsnet.core.project.trash import to_trash


class Checkpoints:
    """The checkpoints of a project, for any thread.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the project.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def add(
        self,
        file: Path,
        *,
        name: str = "",
        parent: str = "",
        trained_on: Collection[str] = (),
        held_out: Collection[str] = (),
        settings: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        run_id: int | None = None,
    ) -> Checkpoint:
        """Copy a checkpoint into the project, as a candidate.

        A file with the same content is there only once; then nothing is changed.

        Parameters
        ----------
        file : Path
            As :func:`napari_lgmsnet.core.checkpoints.save` writes it.
        name : str
            What a person calls it; without it the one in the file.
        parent : str
            SHA-256 of the checkpoint that it was trained from; without it the one in the file.
        trained_on, held_out : collections of str
            SHA-256 of images.
        settings, metrics : mapping, optional
            Anything that JSON can hold.
        run_id : int, optional

        Raises
        ------
        CheckpointError
            If the file is no checkpoint of this program.
        InputError
            If it cannot be written.
        """
        self._database.check_writable()
        info = peek(file)
        if info is None or not file.is_file():
            raise CheckpointError(
                f'"{file}" is no checkpoint of napari-lgmsnet: save it with this program first'
            )
        sha256 = file_sha256(file)
        target = self._file(sha256)
        if not target.exists():
            with atomic_path(target, overwrite=True) as temporary:
                shutil.copyfile(file, temporary)
                if file_sha256(temporary) != sha256:
                    raise CheckpointError(f'"{file}" changed while it was copied: try again')
        with self._database.writing() as connection:
            known = {one.sha256: one for one in read_all(connection)}.get(sha256)
            if known is not None:
                update(connection, sha256, "kept", "here")
            else:
                insert(
                    connection,
                    sha256,
                    name or info.name,
                    "here",
                    parent or info.parent_sha256,
                    settings or {},
                    metrics or info.metrics,
                    run_id,
                    {"trained on": trained_on, "held out": held_out},
                )
        return self.get(sha256)

    def register(self, sha256: str, name: str) -> Checkpoint:
        """Note a checkpoint that is kept elsewhere: one that ships, or a file of the person's.

        It can be a parent, and the current one. If it is known, nothing is changed.
        """
        with self._database.writing() as connection:
            if sha256 not in {one.sha256 for one in read_all(connection)}:
                insert(connection, sha256, name, "elsewhere", "", {}, {}, None, {})
        return self.get(sha256)

    def get(self, sha256: str) -> Checkpoint:
        """Return what is known of a checkpoint.

        Raises
        ------
        InputError
            If the project does not know it.
        """
        for one in self.all():
            if one.sha256 == sha256:
                return one
        raise InputError(f"there is no checkpoint {sha256[:12]}… in this project")

    def all(self) -> list[Checkpoint]:
        """Return all checkpoints, oldest first, also those whose files are gone."""
        with self._database.reading() as connection:
            return read_all(connection)

    def path(self, sha256: str) -> Path:
        """Return a checkpoint's file in this project.

        Raises
        ------
        CheckpointError
            If its file is not in the project.
        """
        one = self.get(sha256)
        if one.kept != "here" or not self._file(sha256).is_file():
            raise CheckpointError(
                f'the file of checkpoint "{one.name}" is not in this project: '
                + ("restore it" if one.kept == "trash" else "load it from where it is kept")
            )
        return self._file(sha256)

    def current(self) -> Checkpoint | None:
        """Return the checkpoint that is in use, if one was accepted."""
        sha256 = self.current_sha256()
        return self.get(sha256) if sha256 else None

    def current_sha256(self) -> str:
        """Return the SHA-256 of the checkpoint that is in use, or ""."""
        with self._database.reading() as connection:
            return read_current(connection)

    def accept(self, sha256: str) -> Checkpoint:
        """Use a checkpoint from now on."""
        return self._use(sha256, "accepted")

    def reject(self, sha256: str) -> Checkpoint:
        """Note that a checkpoint is not to be used; its file stays.

        Raises
        ------
        InputError
            If it is in use.
        """
        one = self.get(sha256)
        with self._database.writing() as connection:
            if read_current(connection) == sha256:
                raise InputError(f'checkpoint "{one.name}" is in use: roll back first')
            update(connection, sha256, "status", "rejected")
            record_event(connection, sha256, "rejected")
        return self.get(sha256)

    def rollback(self, sha256: str | None = None) -> Checkpoint:
        """Go back to an earlier checkpoint.

        Parameters
        ----------
        sha256 : str, optional
            Without it the nearest ancestor of the current one that still exists.

        Raises
        ------
        InputError
            If there is none.
        """
        if sha256 is None:
            current = self.current()
            line = [] if current is None else self.ancestors(current.sha256)
            usable = [one for one in line if one.kept in ("here", "elsewhere")]
            if not usable:
                raise InputError("there is no earlier checkpoint to go back to")
            sha256 = usable[0].sha256
        return self._use(sha256, "rolled back to")

    def rename(self, sha256: str, name: str) -> Checkpoint:
        """Call a checkpoint something else."""
        if not name.strip():
            raise InputError("a checkpoint needs a name: give one")
        self.get(sha256)
        with self._database.writing() as connection:
            update(connection, sha256, "name", name.strip())
        return self.get(sha256)

    def delete(self, sha256: str, *, force: bool = False) -> Checkpoint:
        """Move a checkpoint's file to the trash folder; where it came from stays known.

        Parameters
        ----------
        sha256 : str
        force : bool
            Also if it is in use, or an ancestor of the one in use.

        Raises
        ------
        InputError
            If it is needed.
        """
        one, current = self.get(sha256), self.current()
        if current is not None and not force:
            line = {ancestor.sha256 for ancestor in self.ancestors(current.sha256)}
            if sha256 == current.sha256 or sha256 in line:
                relation = "in use" if sha256 == current.sha256 else f'a parent of "{current.name}"'
                raise InputError(
                    f'checkpoint "{one.name}" is {relation}: without it there is no way back. '
                    "Roll back first, or insist"
                )
        with self._database.writing() as connection:
            update(connection, sha256, "kept", "trash" if one.kept == "here" else "gone")
            record_event(connection, sha256, "deleted")
            if read_current(connection) == sha256:
                set_current(connection, "")
        to_trash(self._folder, [self._file(sha256)], f"checkpoint-{sha256[:12]}")
        return self.get(sha256)

    def restore(self, sha256: str) -> Checkpoint:
        """Take a checkpoint out of the trash folder again.

        Raises
        ------
        CheckpointError
            If it is not there any more.
        """
        one = self.get(sha256)
        self._database.check_writable()
        target = self._file(sha256)
        if not target.is_file():
            found = sorted((self._folder / TRASH).glob(f"*/{target.name}"))
            if not found:
                raise CheckpointError(f'the file of checkpoint "{one.name}" is not in the trash')
            found[-1].rename(target)
        with self._database.writing() as connection:
            update(connection, sha256, "kept", "here")
            record_event(connection, sha256, "restored")
        return self.get(sha256)

    def export(self, sha256: str, path: Path, *, overwrite: bool = False) -> None:
        """Copy a checkpoint's file out of the project."""
        if path.suffix != SUFFIX:
            raise InputError(f'"{path.name}" must end in {SUFFIX}')
        source = self.path(sha256)
        with atomic_path(path, overwrite) as temporary:
            shutil.copyfile(source, temporary)

    def ancestors(self, sha256: str) -> list[Checkpoint]:
        """Return the checkpoints that one came from, the nearest first."""
        known = {one.sha256: one for one in self.all()}
        line: list[Checkpoint] = []
        parent = self.get(sha256).parent
        # A parent cannot come from its child, but a damaged file may say so.
        while parent in known and known[parent] not in line:
            line.append(known[parent])
            parent = known[parent].parent
        return line

    def tree(self) -> list[tuple[int, Checkpoint]]:
        """Return all checkpoints with their depth, each one after its parent."""
        every = self.all()
        known = {one.sha256 for one in every}
        result: list[tuple[int, Checkpoint]] = []

        def visit(parents: list[Checkpoint], depth: int) -> None:
            for one in parents:
                result.append((depth, one))
                visit([child for child in every if child.parent == one.sha256], depth + 1)

        visit([one for one in every if one.parent not in known], 0)
        return result

    def forget_trash(self) -> None:
        """Note that the trash folder was emptied."""
        with self._database.writing() as connection:
            connection.execute("UPDATE checkpoints SET kept = 'gone' WHERE kept = 'trash'")

    def _use(self, sha256: str, what: str) -> Checkpoint:
        one = self.get(sha256)
        if one.kept not in ("here", "elsewhere"):
            raise InputError(f'the file of checkpoint "{one.name}" was deleted: restore it first')
        with self._database.writing() as connection:
            update(connection, sha256, "status", "accepted")
            record_event(connection, sha256, what)
            set_current(connection, sha256)
        return self.get(sha256)

    def _file(self, sha256: str) -> Path:
        return self._folder / "checkpoints" / f"{sha256}{SUFFIX}"
