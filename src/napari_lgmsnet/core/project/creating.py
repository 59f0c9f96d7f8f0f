"""Making the folder of a new project."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from napari_lgmsnet.core.errors import InputError, ReadOnlyError
from napari_lgmsnet.core.project import database, schema
from napari_lgmsnet.core.project.database import explained

FOLDERS = ("labels", "journal", "checkpoints", "runs")

_README = """This folder is a project of napari-lgmsnet: cases, masks, checkpoints. Open it there.

project.sqlite  which images belong to it, their states, what was corrected when (SQLite)
labels/         masks: numpy.load(file)["data"]; project.sqlite says which file is whose
journal/        the latest edits, until they are stored in labels/
checkpoints/    trained networks (safetensors)
runs/           what training runs need to go on
trash/          moved aside, deleted only when you ask for it
lock.sqlite     keeps two programs from writing at once

The images are elsewhere. To keep it safe copy the whole folder, while no program has it open.
How to read it without the program: docs/project-format.md of napari-lgmsnet.
"""


def make_folders(folder: Path) -> None:
    """Make a project's folder and those inside, where they are missing."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)


def create_folder(folder: Path) -> None:
    """Make a project's folder with an empty database.

    Raises
    ------
    InputError
        If it is a project already.
    ReadOnlyError
        If it cannot be written to.
    """
    path = folder / database.NAME
    if path.exists():
        raise InputError(f'"{folder}" is a project already: open it')
    # Made under another name: whoever sees the name sees the whole database.
    unfinished = folder / f".{secrets.token_hex(8)}.sqlite"
    try:
        make_folders(folder)
        (folder / "README.txt").write_text(_README, encoding="utf-8")
        with (
            explained(path),
            closing(sqlite3.connect(unfinished, isolation_level=None)) as connection,
        ):
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            schema.migrate(connection)
        unfinished.rename(path)
    except OSError as error:
        raise ReadOnlyError(
            f'no project can be made in "{folder}" ({error.strerror}): choose another folder'
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
