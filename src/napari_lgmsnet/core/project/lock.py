"""One project, one program that writes.

The lock is a write transaction that is held open on a small SQLite file beside the database. The
operating system takes it back when the program ends, however it ends. SQLite's locks work on
Windows, macOS and Linux, between two windows of one program, and on network folders that support
locks (NFS 4, SMB); where they are not supported, nothing is written.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from napari_lgmsnet.core.errors import ProjectError
from napari_lgmsnet.core.project.database import explained, primary_code
from napari_lgmsnet.core.project.times import utc_now

NAME = "lock.sqlite"
_TRIES = 40
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(frozen=True)
class Holder:
    """Who writes to a project.

    Parameters
    ----------
    host : str
        The computer's name.
    pid : int
        Number of the process there.
    since : str
        When it opened the project, UTC.
    """

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class Lease:
    """The right to write, until released or until the program ends.

    Parameters
    ----------
    connection : sqlite3.Connection
        With an open write transaction. Use :meth:`take`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def take(cls, folder: Path) -> Lease | Holder:
        """Take the lock of a project's folder, or say who has it.

        Raises
        ------
        ReadOnlyError
            If the folder cannot be written to.
        ProjectError
            If the folder's file system has no locks, or the lock's file is damaged.
        """
        path = folder / NAME
        with explained(path):
            connection = sqlite3.connect(
                path, timeout=0.0, isolation_level=None, check_same_thread=False
            )
            try:
                try:
                    _begin(connection)
                    _sign(connection)
                    _begin(connection)
                except sqlite3.Error as error:
                    if primary_code(error) in _DAMAGED:
                        raise _damaged(path) from error
                    if primary_code(error) not in _BUSY:
                        raise
                    connection.close()
                    return holder_of(folder)
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    def release(self) -> None:
        """Let another program write. Does nothing the second time."""
        self._connection.close()


def holder_of(folder: Path) -> Holder:
    """Return who wrote, or writes, to a project.

    Raises
    ------
    ProjectError
        If the lock's file is damaged.
    """
    path = folder / NAME
    for _ in range(_TRIES):
        with (
            explained(path),
            closing(sqlite3.connect(path, timeout=5.0, isolation_level=None)) as connection,
        ):
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
                row = connection.execute("SELECT host, pid, since FROM holder").fetchone()
                return Holder(str(row[0]), int(row[1]), str(row[2]))
        time.sleep(0.05)  # the very first holder is just signing
    raise _damaged(path)


def _damaged(path: Path) -> ProjectError:
    return ProjectError(f'"{path}" is damaged: delete it while nobody has the project open')


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("BEGIN IMMEDIATE")


def _sign(connection: sqlite3.Connection) -> None:
    """Write down who has the lock. Between this and the next lock another one may take it."""
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("CREATE TABLE IF NOT EXISTS holder (host TEXT, pid INTEGER, since TEXT)")
    connection.execute("DELETE FROM holder")
    connection.execute(
        "INSERT INTO holder VALUES (?, ?, ?)", (socket.gethostname(), os.getpid(), utc_now())
    )
    connection.execute("COMMIT")
