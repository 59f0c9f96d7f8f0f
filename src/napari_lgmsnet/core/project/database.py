"""The database of a project: one writer at a time, any number of readers, errors in plain words."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_lgmsnet.core.errors import ProjectError, ReadOnlyError

NAME = "project.sqlite"
_PATIENCE = 5.0  # seconds to wait for another program's write


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into errors that a person can act on.

    Raises
    ------
    ProjectError
        If the database is damaged, busy, or on a full or failing disk.
    ReadOnlyError
        If it cannot be written to.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = primary_code(error)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise ProjectError(
                f'"{path}" is damaged ({error}): nothing in it was changed. Put back a copy of it; '
                f"the masks in the folders beside it are files of their own"
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise ProjectError(f'the disk is full: "{path}" was not changed. Make space') from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise ReadOnlyError(
                f'"{path}" cannot be written to ({error}): check the permissions of its folder'
            ) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise ProjectError(
                f'another program keeps "{path}" busy: close it there, then try again'
            ) from error
        if code == sqlite3.SQLITE_IOERR:
            raise ProjectError(
                f'"{path}" cannot be read or written ({error}): check its disk, or the connection '
                "to it"
            ) from error
        raise


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's code of an error without its refinement, or 0."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


class Database:
    """Connections to one SQLite file, for any thread.

    Writes take turns on one connection, each in a transaction. Each read has a connection to
    itself for as long as it takes, and sees the database at one moment.

    Parameters
    ----------
    path : Path
        Must exist.
    why_read_only : str
        If it is not empty, nothing can be written, and this is the reason.

    Raises
    ------
    ProjectError
        If it cannot be opened.
    """

    def __init__(self, path: Path, why_read_only: str = "") -> None:
        self.why_read_only = why_read_only
        self._path = path
        self._closed = False
        self._lock = threading.RLock()
        # Of its own: who reads must not wait for a write to reach the disk.
        self._idle_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._writer: sqlite3.Connection | None = None
        with explained(path):
            if why_read_only:
                self._idle.append(self._first_reader())
            else:
                self._writer = self._connect(path)

    @property
    def is_copy(self) -> bool:
        """Return whether a private copy is read, so that later changes are not seen."""
        return self._copy is not None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees what was committed when it was first read from."""
        with explained(self._path):
            with self._idle_lock:
                if self._closed:
                    raise ProjectError("the project is closed: open it again")
                connection = self._idle.pop() if self._idle else None
            connection = connection or self._connect(self._path, query_only=True)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection that writes; everything in the block is kept, or nothing.

        A block inside another one, in the same thread, belongs to the outer transaction.

        Raises
        ------
        ReadOnlyError
            If the project is open for reading only.
        """
        with self._lock, explained(self._path):
            self.check_writable()
            assert self._writer is not None
            nested = self._writer.in_transaction
            if nested:
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def check_writable(self) -> None:
        """Raise ReadOnlyError if nothing can be written."""
        if self.why_read_only:
            raise ReadOnlyError(self.why_read_only)

    def prepare(self, migrate: Callable[[sqlite3.Connection], None], journal_mode: str) -> None:
        """Bring an older database up to date, and choose how changes are logged.

        Parameters
        ----------
        migrate : callable
            Gets the connection that writes, outside of a transaction.
        journal_mode : str
            As for SQLite's pragma of this name.
        """
        with self._lock, explained(self._path):
            self.check_writable()
            assert self._writer is not None
            migrate(self._writer)
            if self._writer.execute("PRAGMA journal_mode").fetchone()[0] != journal_mode:
                self._writer.execute(f"PRAGMA journal_mode = {journal_mode}")

    def close(self) -> None:
        """Close every connection; the last one tidies the log into the database."""
        with self._lock, self._idle_lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            if self._copy is not None:
                self._copy.cleanup()
                self._copy = None
            self.why_read_only = self.why_read_only or "the project is closed: open it again"

    def _connect(self, path: Path, query_only: bool = False) -> sqlite3.Connection:
        # Each connection is used by one thread at a time, which SQLite allows.
        connection = sqlite3.connect(
            path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        try:
            if query_only:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute("PRAGMA foreign_keys = ON")
                # Power cuts must not take back what was called saved.
                connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._idle_lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _first_reader(self) -> sqlite3.Connection:
        """Open for reading, also where the files that SQLite needs beside it cannot be made."""
        connection = self._connect(self._path, query_only=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
        else:
            return connection
        self._copy = tempfile.TemporaryDirectory(prefix="napari-lgmsnet-")
        copy = Path(self._copy.name) / self._path.name
        for ending in ("", "-wal", "-journal"):
            part = self._path.with_name(self._path.name + ending)
            if part.exists():
                shutil.copyfile(part, copy.with_name(copy.name + ending))
        self._path = copy
        return self._connect(copy, query_only=True)
