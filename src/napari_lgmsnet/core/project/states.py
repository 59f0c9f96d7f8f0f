"""States of a case, and which may follow which."""

from __future__ import annotations

import sqlite3
from typing import Literal, cast

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.times import utc_now

State = Literal["new", "predicted", "in correction", "accepted", "rejected"]

FOLLOWERS: dict[State, tuple[State, ...]] = {
    "new": ("predicted", "in correction", "rejected"),
    "predicted": ("new", "in correction", "accepted", "rejected"),
    "in correction": ("predicted", "accepted", "rejected"),
    "accepted": ("in correction",),
    "rejected": ("new", "predicted", "in correction"),
}
"""What may follow a state. Every state may also follow itself."""


def state_of(connection: sqlite3.Connection, case_id: int) -> State:
    """Return a case's state.

    Raises
    ------
    InputError
        If there is no such case.
    """
    row = connection.execute("SELECT state FROM cases WHERE id = ?", (case_id,)).fetchone()
    if row is None:
        raise InputError(f"there is no case {case_id} in this project: list the cases again")
    return cast("State", row[0])


def record_state(
    connection: sqlite3.Connection,
    case_id: int,
    state: State,
    *,
    partial: bool = False,
    forced: bool = False,
) -> None:
    """Give a case a state, inside a transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
    case_id : int
    state : str
    partial : bool
        For "accepted": the person answers for what was touched and vouched for only.
    forced : bool
        Whichever state it has now.

    Raises
    ------
    InputError
        If there is no such case or state, or the state may not follow the present one.
    """
    before = state_of(connection, case_id)
    if state not in FOLLOWERS:
        raise InputError(f'there is no state "{state}": choose one of {", ".join(FOLLOWERS)}')
    if state != before and state not in FOLLOWERS[before] and not forced:
        raise InputError(
            f'a case that is "{before}" cannot become "{state}": possible are '
            f"{', '.join(FOLLOWERS[before])}"
        )
    now = utc_now()
    connection.execute(
        "UPDATE cases SET state = ?, partial = ?, changed = ? WHERE id = ?",
        (state, partial and state == "accepted", now, case_id),
    )
    if state != before:
        connection.execute(
            "INSERT INTO state_changes (case_id, state, at) VALUES (?, ?, ?)", (case_id, state, now)
        )


def begin_correction(database: Database, case_id: int) -> None:
    """Note that a person changes a mask, also one that was accepted or rejected before."""
    with database.reading() as connection:
        if state_of(connection, case_id) == "in correction":
            return
    with database.writing() as connection:
        record_state(connection, case_id, "in correction")


def set_predicted(connection: sqlite3.Connection, case_id: int) -> None:
    """Note that there is a prediction, if nothing else is known of the case yet."""
    if state_of(connection, case_id) == "new":
        record_state(connection, case_id, "predicted")
