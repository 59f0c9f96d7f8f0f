"""Checkpoints that belong to no project: kept like those of one, in a folder of the person's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_lgmsnet.core.project import database, schema
from napari_lgmsnet.core.project.creating import create_folder
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.lineage import Checkpoints
from napari_lgmsnet.core.project.places import on_network


@contextmanager
def library(folder: Path) -> Iterator[Checkpoints]:
    """Open the checkpoints of a folder; it is made when first asked for.

    The folder is a project without cases. Since each change is one transaction, several windows
    may use it at once.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ReadOnlyError
        If the folder cannot be written to.
    ProjectError
        If what is in it is damaged.
    """
    path = folder / database.NAME
    if not path.exists():
        create_folder(folder)
    opened = Database(path)
    try:
        opened.prepare(schema.migrate, "delete" if on_network(folder) else "wal")
        yield Checkpoints(opened, folder)
    finally:
        opened.close()
