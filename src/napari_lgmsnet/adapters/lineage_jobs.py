"""The checkpoints of a project, or of the person, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.errors import CheckpointError
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Checkpoint, Checkpoints, Project


@dataclass(frozen=True, eq=False)
class Shelf:
    """Where checkpoints are kept.

    Parameters
    ----------
    folder : Path
        Of those that belong to no project.
    project : Project or None
        Whose checkpoints are meant instead.
    """

    folder: Path
    project: Project | None = None

    @contextmanager
    def open(self) -> Iterator[Checkpoints]:
        """Give the checkpoints."""
        if self.project is not None:
            yield self.project.checkpoints
            return
        from napari_lgmsnet.core.project import library

        with library(self.folder) as checkpoints:
            yield checkpoints


@dataclass(frozen=True)
class Family:
    """All checkpoints, each after its parent.

    Parameters
    ----------
    rows : tuple of (int, Checkpoint)
        Depth in the tree, and the checkpoint.
    current : str
        SHA-256 of the one in use, or "".
    """

    rows: tuple[tuple[int, Checkpoint], ...] = ()
    current: str = ""


@dataclass(frozen=True)
class Done:
    """What came of it.

    Parameters
    ----------
    family : Family
    reference : str
        The checkpoint that is to be used from now on, or "".
    """

    family: Family
    reference: str = ""


Action = Callable[["Checkpoints"], str | None]
"""Changes something; returns a checkpoint's reference if that is to be used from now on."""


def look(shelf: Shelf, action: Action | None = None) -> Generator[Progress, None, Done]:
    """Do something with checkpoints, if asked, and return what there is then."""
    yield Progress(0, 0, "checkpoints")
    if shelf.project is None and action is None and not shelf.folder.exists():
        return Done(Family())
    with shelf.open() as checkpoints:
        reference = action(checkpoints) if action is not None else None
        family = Family(tuple(checkpoints.tree()), checkpoints.current_sha256())
        return Done(family, reference or "")


def use(sha256: str) -> Action:
    """Return the action that makes a checkpoint the one in use."""

    def act(checkpoints: Checkpoints) -> str:
        reference = reference_of(checkpoints, sha256)
        checkpoints.rollback(sha256)
        return reference

    return act


def reference_of(checkpoints: Checkpoints, sha256: str) -> str:
    """Return a checkpoint's file, or its name if it ships.

    Raises
    ------
    CheckpointError
        If its file is in neither place.
    """
    one = checkpoints.get(sha256)
    if one.kept == "elsewhere" and one.name in shipped():
        return one.name
    if one.kept == "elsewhere":
        raise CheckpointError(
            f'"{one.name}" is a file of yours that is not kept here: choose it with Browse'
        )
    return str(checkpoints.path(sha256))
