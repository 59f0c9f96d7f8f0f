"""The ledger of corrections: who changed how much of what, in which time."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.project.cases import Cases
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.reading import LabelReader
from napari_lgmsnet.core.project.sessions import read_sessions, summed


@dataclass(frozen=True)
class LedgerRow:
    """What was done on one case in one window.

    Parameters
    ----------
    case_id : int
    case : str
        Its name.
    image_sha256 : str
        "" until it was computed.
    state : str
        As it is now.
    checkpoint_sha256 : str
        Whose prediction was corrected, or "".
    session : str
        Random, the same for all cases in one window.
    started, ended : str
        UTC.
    voxels_changed : int
        Each change counted, undo as well.
    strokes, clicks : int
    minutes : float
        At work; breaks of more than a minute are left out.
    """

    case_id: int
    case: str
    image_sha256: str
    state: str
    checkpoint_sha256: str
    session: str
    started: str
    ended: str
    voxels_changed: int
    strokes: int
    clicks: int
    minutes: float


def read_ledger(database: Database, cases: Cases, labels: LabelReader) -> list[LedgerRow]:
    """Return the ledger, the latest edits included, in the order of the cases."""
    rows = []
    for case in cases.all():
        tail = labels.tail(case.id)
        with database.reading() as connection:
            stored = read_sessions(connection, case.id)
        rows += [
            LedgerRow(
                case.id,
                case.name,
                case.sha256,
                case.state,
                one.checkpoint,
                one.name,
                one.started,
                one.ended,
                one.activity.voxels,
                one.activity.strokes,
                one.activity.clicks,
                round(one.activity.seconds / 60, 3),
            )
            for one in summed([*stored, *tail.sessions()])
        ]
    return rows


def write_ledger(path: Path, rows: Iterable[LedgerRow], *, overwrite: bool = False) -> None:
    """Write the ledger as CSV (UTF-8, a line for the names first).

    Raises
    ------
    InputError
        If the file exists and must not be replaced, or cannot be written.
    """
    with (
        atomic_path(path, overwrite) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, [one.name for one in fields(LedgerRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
