"""The row that says which files a case's mask is made of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_lgmsnet.core.project.masks import LAYERS
from napari_lgmsnet.core.project.times import utc_now


@dataclass(frozen=True)
class Stored:
    """A mask that is stored whole.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy dtype
        Of labels and prediction.
    files : mapping of str to str
        Layer -> SHA-256 of its file; a layer that is missing is nothing but zeros.
    sequence : int
        Number of the last edit in it.
    checkpoint : str
        SHA-256 of the checkpoint that made the prediction, or "".
    settings : mapping
        With which it was made.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: Mapping[str, str] = field(default_factory=dict)
    sequence: int = 0
    checkpoint: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_stored(connection: sqlite3.Connection, case_id: int) -> Stored | None:
    """Return which files a case's mask is made of, or None if it has no mask."""
    row = connection.execute("SELECT * FROM labels WHERE case_id = ?", (case_id,)).fetchone()
    if row is None:
        return None
    return Stored(
        tuple(json.loads(row["shape"])),
        np.dtype(row["dtype"]),
        {layer: row[layer] for layer in LAYERS if row[layer] is not None},
        row["sequence"],
        row["checkpoint"],
        json.loads(row["settings"]),
    )


def write_stored(connection: sqlite3.Connection, case_id: int, stored: Stored) -> None:
    """Write down which files a case's mask is made of, inside a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            case_id,
            json.dumps(stored.shape),
            stored.dtype.name,
            *(stored.files.get(layer) for layer in LAYERS),
            stored.sequence,
            stored.checkpoint,
            json.dumps(stored.settings),
            utc_now(),
        ),
    )


def files_in_use(connection: sqlite3.Connection) -> set[str]:
    """Return the SHA-256 of the files of all masks."""
    rows = connection.execute("SELECT labels, prediction, touched, vouched FROM labels").fetchall()
    return {name for row in rows for name in row if name is not None}
