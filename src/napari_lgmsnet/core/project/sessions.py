"""What a person did on a case: voxels, strokes, clicks, time, session by session."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from napari_lgmsnet.core.project.edits import Activity


@dataclass(frozen=True)
class Session:
    """A person's work on one case in one window.

    Parameters
    ----------
    name : str
        Random, the same for all cases that were edited in one window.
    checkpoint : str
        SHA-256 of the checkpoint whose prediction was corrected, or "".
    started, ended : str
        UTC.
    activity : Activity
        Its sums.
    """

    name: str
    checkpoint: str
    started: str
    ended: str
    activity: Activity

    def __add__(self, other: Session) -> Session:
        """Return both parts of one session together."""
        return Session(
            self.name,
            self.checkpoint,
            min(self.started, other.started),
            max(self.ended, other.ended),
            self.activity + other.activity,
        )


def summed(sessions: Iterable[Session]) -> list[Session]:
    """Join the parts of sessions, in the order of their first parts."""
    found: dict[tuple[str, str], Session] = {}
    for part in sessions:
        key = (part.name, part.checkpoint)
        found[key] = found[key] + part if key in found else part
    return list(found.values())


def read_sessions(connection: sqlite3.Connection, case_id: int) -> list[Session]:
    """Return the sessions of a case that are in its row already, oldest first."""
    rows = connection.execute(
        "SELECT * FROM corrections WHERE case_id = ? ORDER BY started", (case_id,)
    ).fetchall()
    return [
        Session(
            row["session"],
            row["checkpoint"],
            row["started"],
            row["ended"],
            Activity(row["strokes"], row["clicks"], row["seconds"], row["voxels"]),
        )
        for row in rows
    ]


def write_sessions(
    connection: sqlite3.Connection, case_id: int, sessions: Iterable[Session]
) -> None:
    """Add to the sessions of a case, inside a transaction."""
    for one in summed([*read_sessions(connection, case_id), *sessions]):
        connection.execute(
            "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                case_id,
                one.name,
                one.checkpoint,
                one.started,
                one.ended,
                one.activity.voxels,
                one.activity.strokes,
                one.activity.clicks,
                one.activity.seconds,
            ),
        )
