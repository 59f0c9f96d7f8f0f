"""Training runs: what was tried, from what, on what, and how it ended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.times import utc_now
from napari_lgmsnet.core.project.trash import to_trash

Status = Literal["running", "done", "stopped", "failed", "interrupted"]


@dataclass(frozen=True)
class Run:
    """One training run.

    Parameters
    ----------
    id : int
    status : str
        "interrupted": the program ended while it ran.
    parent : str
        SHA-256 of the checkpoint that it started from, or "".
    cases : tuple of str
        SHA-256 of the images.
    settings, metrics : mapping
    message : str
        Why it failed or stopped.
    started, ended : str
        UTC; ``ended`` is "" while it runs.
    """

    id: int
    status: Status
    parent: str
    cases: tuple[str, ...]
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    message: str
    started: str
    ended: str


class Runs:
    """The training runs of a project, for any thread.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the project.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def start(self, parent: str, cases: Sequence[str], settings: Mapping[str, Any]) -> Run:
        """Note that a run begins.

        Parameters
        ----------
        parent : str
            SHA-256 of the checkpoint that it starts from, or "".
        cases : sequence of str
            SHA-256 of the images.
        settings : mapping
            Anything that JSON can hold.
        """
        with self._database.writing() as connection:
            cursor = connection.execute(
                """INSERT INTO runs (status, parent, cases, settings, started)
                VALUES ('running', ?, ?, ?, ?)""",
                (parent, json.dumps(list(cases)), json.dumps(dict(settings)), utc_now()),
            )
        assert cursor.lastrowid is not None
        return self.get(cursor.lastrowid)

    def finish(
        self,
        run_id: int,
        status: Literal["done", "stopped", "failed"],
        metrics: Mapping[str, float] | None = None,
        message: str = "",
    ) -> Run:
        """Note how a run ended."""
        self.get(run_id)
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE runs SET status = ?, metrics = ?, message = ?, ended = ? WHERE id = ?",
                (status, json.dumps(dict(metrics or {})), message, utc_now(), run_id),
            )
        return self.get(run_id)

    def resume(self, run_id: int) -> Run:
        """Note that an interrupted run goes on.

        Raises
        ------
        InputError
            If it was not interrupted.
        """
        if self.get(run_id).status != "interrupted":
            raise InputError(f"run {run_id} was not interrupted: start a new one")
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE runs SET status = 'running', ended = NULL WHERE id = ?", (run_id,)
            )
        return self.get(run_id)

    def folder(self, run_id: int) -> Path:
        """Return the folder, made if it is missing, for what a run needs to go on."""
        self._database.check_writable()
        folder = self._folder / "runs" / str(self.get(run_id).id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop(self, run_id: int) -> None:
        """Move a run's folder aside; the run stays in the list."""
        self._database.check_writable()
        to_trash(self._folder, [self._folder / "runs" / str(self.get(run_id).id)], "run")

    def get(self, run_id: int) -> Run:
        """Return a run.

        Raises
        ------
        InputError
            If there is none with this number.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise InputError(f"there is no run {run_id} in this project: list the runs again")
        return _run(row)

    def all(self) -> list[Run]:
        """Return all runs, oldest first."""
        with self._database.reading() as connection:
            return [_run(row) for row in connection.execute("SELECT * FROM runs ORDER BY id")]

    def mark_interrupted(self) -> None:
        """Note that no run goes on: called when the project is opened for writing."""
        with self._database.reading() as connection:
            running = connection.execute("SELECT 1 FROM runs WHERE status = 'running'").fetchone()
        if running is not None:
            with self._database.writing() as connection:
                connection.execute(
                    "UPDATE runs SET status = 'interrupted', ended = ? WHERE status = 'running'",
                    (utc_now(),),
                )


def _run(row: sqlite3.Row) -> Run:
    return Run(
        row["id"],
        cast("Status", row["status"]),
        row["parent"],
        tuple(json.loads(row["cases"])),
        json.loads(row["settings"]),
        json.loads(row["metrics"]),
        row["message"],
        row["started"],
        row["ended"] or "",
    )
