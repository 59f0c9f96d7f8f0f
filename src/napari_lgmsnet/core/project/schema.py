"""The tables of a project, and how older ones become the present ones.

docs/project-format.md explains them to people who read a project without this program.
"""

from __future__ import annotations

import sqlite3

from napari_lgmsnet.core.project.times import utc_now

APPLICATION_ID = 0x4C474D53
"""Marks an SQLite file as a project of this program (``PRAGMA application_id``): "LGMS"."""

STATES = ("new", "predicted", "in correction", "accepted", "rejected")

_CASES = (
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    f"""CREATE TABLE cases (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('file', 'folder', 'dicom')),
        relative_path TEXT,
        absolute_path TEXT NOT NULL,
        series_uid TEXT NOT NULL DEFAULT '',
        size INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        sha256 TEXT,
        state TEXT NOT NULL DEFAULT 'new' CHECK (state IN {STATES}),
        partial INTEGER NOT NULL DEFAULT 0,
        position INTEGER NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        doubt REAL,
        added TEXT NOT NULL,
        changed TEXT NOT NULL
    )""",
    "CREATE INDEX cases_by_content ON cases (size, fingerprint)",
    f"""CREATE TABLE state_changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        case_id INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        state TEXT NOT NULL CHECK (state IN {STATES}),
        at TEXT NOT NULL
    )""",
    """CREATE TABLE labels (
        case_id INTEGER PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE,
        shape TEXT NOT NULL,
        dtype TEXT NOT NULL,
        labels TEXT,
        prediction TEXT,
        touched TEXT,
        vouched TEXT,
        sequence INTEGER NOT NULL,
        checkpoint TEXT NOT NULL DEFAULT '',
        settings TEXT NOT NULL DEFAULT '{}',
        changed TEXT NOT NULL
    )""",
    """CREATE TABLE corrections (
        case_id INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        session TEXT NOT NULL,
        checkpoint TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT NOT NULL,
        voxels INTEGER NOT NULL,
        strokes INTEGER NOT NULL,
        clicks INTEGER NOT NULL,
        seconds REAL NOT NULL,
        PRIMARY KEY (case_id, session, checkpoint)
    )""",
)
_LINEAGE = (
    """CREATE TABLE checkpoints (
        sha256 TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        kept TEXT NOT NULL CHECK (kept IN ('here', 'elsewhere', 'trash', 'gone')),
        parent TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL CHECK (status IN ('candidate', 'accepted', 'rejected')),
        settings TEXT NOT NULL DEFAULT '{}',
        metrics TEXT NOT NULL DEFAULT '{}',
        run_id INTEGER REFERENCES runs (id),
        created TEXT NOT NULL
    )""",
    """CREATE TABLE checkpoint_cases (
        checkpoint TEXT NOT NULL REFERENCES checkpoints (sha256),
        case_sha256 TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('trained on', 'held out')),
        PRIMARY KEY (checkpoint, case_sha256, role)
    )""",
    """CREATE TABLE checkpoint_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        checkpoint TEXT NOT NULL REFERENCES checkpoints (sha256),
        what TEXT NOT NULL,
        at TEXT NOT NULL
    )""",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        status TEXT NOT NULL CHECK (
            status IN ('running', 'done', 'stopped', 'failed', 'interrupted')),
        parent TEXT NOT NULL,
        cases TEXT NOT NULL,
        settings TEXT NOT NULL,
        metrics TEXT NOT NULL DEFAULT '{}',
        message TEXT NOT NULL DEFAULT '',
        started TEXT NOT NULL,
        ended TEXT
    )""",
)

MIGRATIONS = (_CASES, _LINEAGE)
"""Step i takes a database from version i to i + 1. Steps are only ever added."""

VERSION = len(MIGRATIONS)
"""The version that this program writes (``PRAGMA user_version``)."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return a database's schema version."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the present version, completely or not at all.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode.
    """
    if version_of(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(version_of(connection), VERSION):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('created', ?)", (utc_now(),))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
