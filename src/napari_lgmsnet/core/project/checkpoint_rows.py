"""What a project's database knows of checkpoints."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from napari_lgmsnet.core.project.times import utc_now

Kept = Literal["here", "elsewhere", "trash", "gone"]
Status = Literal["candidate", "accepted", "rejected"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, and where it came from.

    Parameters
    ----------
    sha256 : str
        Of its file, and its name there.
    name : str
        What a person calls it.
    kept : "here", "elsewhere", "trash" or "gone"
        Where its file is: in this project; not in it, as for those that ship; in its trash
        folder; nowhere.
    parent : str
        SHA-256 of the checkpoint that it was trained from, or "".
    status : "candidate", "accepted" or "rejected"
    settings, metrics : mapping
        Of the run that made it.
    run_id : int or None
    created : str
        When it came into the project, UTC.
    trained_on, held_out : tuple of str
        SHA-256 of images.
    """

    sha256: str
    name: str
    kept: Kept
    parent: str
    status: Status
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    run_id: int | None
    created: str
    trained_on: tuple[str, ...]
    held_out: tuple[str, ...]


def read_all(connection: sqlite3.Connection) -> list[Checkpoint]:
    """Return all checkpoints, oldest first."""
    cases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in connection.execute("SELECT * FROM checkpoint_cases ORDER BY case_sha256"):
        cases[row["checkpoint"], row["role"]].append(row["case_sha256"])
    return [
        Checkpoint(
            row["sha256"],
            row["name"],
            cast("Kept", row["kept"]),
            row["parent"],
            cast("Status", row["status"]),
            json.loads(row["settings"]),
            json.loads(row["metrics"]),
            row["run_id"],
            row["created"],
            tuple(cases[row["sha256"], "trained on"]),
            tuple(cases[row["sha256"], "held out"]),
        )
        for row in connection.execute("SELECT * FROM checkpoints ORDER BY created, rowid")
    ]


def insert(
    connection: sqlite3.Connection,
    sha256: str,
    name: str,
    kept: Kept,
    parent: str,
    settings: Mapping[str, Any],
    metrics: Mapping[str, float],
    run_id: int | None,
    cases: Mapping[str, Collection[str]],
) -> None:
    """Write down a new checkpoint, inside a transaction."""
    connection.execute(
        "INSERT INTO checkpoints VALUES (?, ?, ?, ?, 'candidate', ?, ?, ?, ?)",
        (
            sha256,
            name,
            kept,
            parent,
            json.dumps(dict(settings)),
            json.dumps(dict(metrics)),
            run_id,
            utc_now(),
        ),
    )
    connection.executemany(
        "INSERT INTO checkpoint_cases VALUES (?, ?, ?)",
        [(sha256, one, role) for role, hashes in cases.items() for one in sorted(set(hashes))],
    )
    record_event(connection, sha256, "added")


def update(
    connection: sqlite3.Connection,
    sha256: str,
    column: Literal["name", "kept", "status"],
    value: str,
) -> None:
    """Change a fact of a checkpoint, inside a transaction."""
    connection.execute(f"UPDATE checkpoints SET {column} = ? WHERE sha256 = ?", (value, sha256))  # noqa: S608 (own names)


def record_event(connection: sqlite3.Connection, sha256: str, what: str) -> None:
    """Write down what was done with a checkpoint, inside a transaction."""
    connection.execute(
        "INSERT INTO checkpoint_events (checkpoint, what, at) VALUES (?, ?, ?)",
        (sha256, what, utc_now()),
    )


def read_current(connection: sqlite3.Connection) -> str:
    """Return the SHA-256 of the checkpoint in use, or ""."""
    row = connection.execute("SELECT value FROM facts WHERE key = 'checkpoint'").fetchone()
    return str(row[0]) if row else ""


def set_current(connection: sqlite3.Connection, sha256: str) -> None:
    """Write down which checkpoint is in use, inside a transaction."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('checkpoint', ?)", (sha256,))
