"""The cases of a project: images with a state, an order and notes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.sources import (
    Fingerprint,
    Place,
    Source,
    fingerprint,
    hash_source,
    relative_to,
)
from napari_lgmsnet.core.project.states import FOLLOWERS, State, record_state, state_of
from napari_lgmsnet.core.project.times import utc_now
from napari_lgmsnet.core.types import Progress

Presence = Literal["there", "missing", "changed"]


@dataclass(frozen=True)
class Case:
    """One image of a project.

    Parameters
    ----------
    id : int
        Never used for another case again.
    name : str
        The image's file name without its ending, or what the person calls it.
    place : Place
        Where the image should be.
    fingerprint : Fingerprint
    sha256 : str
        Of the image's content; "" until it was computed.
    state : str
    partial : bool
        Accepted, but the person answers for a part of the voxels only.
    note : str
    doubt : float or None
        How doubtful the prediction is; larger is worse.
    added, changed : str
        UTC.
    """

    id: int
    name: str
    place: Place
    fingerprint: Fingerprint
    sha256: str
    state: State
    partial: bool
    note: str
    doubt: float | None
    added: str
    changed: str

    @cached_property
    def source(self) -> Source:
        """Return the image; it may have been moved (:meth:`Cases.presence`)."""
        # Only when asked for: looking for thousands of files on a network takes its time.
        return self.place.source()

    @property
    def followers(self) -> tuple[State, ...]:
        """Return the states that this case may have next."""
        return FOLLOWERS[self.state]

    def suits(self, states: Collection[State] | None, min_doubt: float | None) -> bool:
        """Tell whether a filter lets this case through; see :meth:`Cases.all`."""
        doubtful = min_doubt is None or (self.doubt is not None and self.doubt >= min_doubt)
        return doubtful and (states is None or self.state in states)


class Cases:
    """The cases of a project, for any thread.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the project.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def get(self, case_id: int) -> Case:
        """Return a case.

        Raises
        ------
        InputError
            If there is none with this number.
        """
        with self._database.reading() as connection:
            state_of(connection, case_id)
            row = connection.execute("SELECT * FROM cases WHERE id = ?", (case_id,)).fetchone()
        return self._case(row)

    def all(
        self,
        states: Collection[State] | None = None,
        min_doubt: float | None = None,
        order: Literal["position", "doubt"] = "position",
    ) -> list[Case]:
        """Return cases.

        Parameters
        ----------
        states : collection of str, optional
            Only cases in one of them.
        min_doubt : float, optional
            Only cases whose prediction is at least as doubtful.
        order : "position" or "doubt"
            The person's order, or the most doubtful first and those without a score last.
        """
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM cases ORDER BY position, id").fetchall()
        cases = [case for case in map(self._case, rows) if case.suits(states, min_doubt)]
        if order == "doubt":
            cases.sort(key=lambda case: float("inf") if case.doubt is None else -case.doubt)
        return cases

    def count(self) -> dict[State, int]:
        """Return how many cases are in each state."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT state, count(*) FROM cases GROUP BY state").fetchall()
        return dict.fromkeys(FOLLOWERS, 0) | {row[0]: row[1] for row in rows}

    def next(
        self,
        case_id: int | None,
        states: Collection[State] | None = None,
        min_doubt: float | None = None,
        order: Literal["position", "doubt"] = "position",
        step: Literal[1, -1] = 1,
    ) -> Case | None:
        """Return the case after another one, among those that are asked for.

        Parameters
        ----------
        case_id : int or None
            It need not be among them itself. None: the first one.
        states, min_doubt, order
            As for :meth:`all`.
        step : 1 or -1
            Forwards or backwards.

        Returns
        -------
        Case or None
            None at the end.
        """
        every = self.all(order=order)[::step]
        numbers = [case.id for case in every]
        if case_id is not None and case_id not in numbers:
            raise InputError(f"there is no case {case_id} in this project: list the cases again")
        start = 0 if case_id is None else numbers.index(case_id) + 1
        return next((case for case in every[start:] if case.suits(states, min_doubt)), None)

    def set_state(self, case_id: int, state: State, *, partial: bool = False) -> Case:
        """Give a case another state.

        Parameters
        ----------
        case_id : int
        state : str
        partial : bool
            For "accepted": only what was touched or vouched for is accepted, the rest is
            unlabelled.

        Raises
        ------
        InputError
            If this state may not follow the present one.
        """
        with self._database.writing() as connection:
            record_state(connection, case_id, state, partial=partial)
        return self.get(case_id)

    def history(self, case_id: int) -> list[tuple[State, str]]:
        """Return a case's states with the times (UTC) at which they began."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT state, at FROM state_changes WHERE case_id = ? ORDER BY id", (case_id,)
            ).fetchall()
        return [(row["state"], row["at"]) for row in rows]

    def rename(self, case_id: int, name: str) -> None:
        """Call a case something else; the image's file keeps its name."""
        if not name.strip():
            raise InputError("a case needs a name: give one")
        self._set(case_id, "name", name.strip())

    def set_note(self, case_id: int, note: str) -> None:
        """Replace the note to a case."""
        self._set(case_id, "note", note)

    def set_doubt(self, case_id: int, doubt: float | None) -> None:
        """Say how doubtful a case's prediction is; larger is worse."""
        self._set(case_id, "doubt", doubt)

    def reorder(self, case_ids: Sequence[int]) -> None:
        """Put some cases first, in this order; the others follow in theirs."""
        with self._database.writing() as connection:
            for case_id in case_ids:
                state_of(connection, case_id)
            rows = connection.execute("SELECT id FROM cases ORDER BY position, id").fetchall()
            others = [row["id"] for row in rows if row["id"] not in set(case_ids)]
            connection.executemany(
                "UPDATE cases SET position = ? WHERE id = ?",
                list(enumerate([*case_ids, *others])),
            )

    def presence(self, case: Case) -> Presence:
        """Tell whether a case's image is where it should be, and still the same."""
        if not case.source.exists():
            return "missing"
        try:
            return "there" if fingerprint(case.source) == case.fingerprint else "changed"
        except InputError:
            return "missing"

    def hash(self, case: Case) -> Generator[Progress, None, str]:
        """Return the SHA-256 of a case's image, computed and stored if it was not yet.

        Raises
        ------
        InputError
            If the image is missing or was changed.
        """
        if case.sha256:
            return case.sha256
        if self.presence(case) != "there":
            raise InputError(
                f'the image of "{case.name}" is not the one that was added, or not at '
                f'"{case.source.path}": say where it is'
            )
        sha256 = yield from hash_source(case.source)
        if not self._database.why_read_only:
            self._set(case.id, "sha256", sha256, changed=False)
        return sha256

    def place(self, case_id: int, source: Source) -> None:
        """Write down that an image lies elsewhere now."""
        with self._database.writing() as connection:
            state_of(connection, case_id)
            connection.execute(
                "UPDATE cases SET relative_path = ?, absolute_path = ? WHERE id = ?",
                (relative_to(source.path, self._folder), str(source.path), case_id),
            )

    def insert(
        self, connection: sqlite3.Connection, source: Source, name: str, found: Fingerprint
    ) -> int:
        """Add a case at the end, inside a transaction; return its number."""
        now = utc_now()
        cursor = connection.execute(
            """INSERT INTO cases (name, kind, relative_path, absolute_path, series_uid, size,
            fingerprint, position, added, changed) VALUES (?, ?, ?, ?, ?, ?, ?,
            (SELECT coalesce(max(position), -1) + 1 FROM cases), ?, ?)""",
            (
                name,
                source.kind,
                relative_to(source.path, self._folder),
                str(source.path),
                source.series_uid,
                found.size,
                found.digest,
                now,
                now,
            ),
        )
        assert cursor.lastrowid is not None
        connection.execute(
            "INSERT INTO state_changes (case_id, state, at) VALUES (?, 'new', ?)",
            (cursor.lastrowid, now),
        )
        return cursor.lastrowid

    def _set(
        self, case_id: int, column: str, value: str | float | None, changed: bool = True
    ) -> None:
        with self._database.writing() as connection:
            state_of(connection, case_id)
            connection.execute(f"UPDATE cases SET {column} = ? WHERE id = ?", (value, case_id))  # noqa: S608 (own names)
            if changed:
                connection.execute(
                    "UPDATE cases SET changed = ? WHERE id = ?", (utc_now(), case_id)
                )

    def _case(self, row: sqlite3.Row) -> Case:
        place = Place(
            self._folder,
            row["relative_path"],
            row["absolute_path"],
            row["kind"],
            row["series_uid"],
        )
        return Case(
            row["id"],
            row["name"],
            place,
            Fingerprint(row["size"], row["fingerprint"]),
            row["sha256"] or "",
            row["state"],
            bool(row["partial"]),
            row["note"],
            row["doubt"],
            row["added"],
            row["changed"],
        )
