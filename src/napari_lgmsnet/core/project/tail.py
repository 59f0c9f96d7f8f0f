"""The journals of a case: what was edited since its mask was last stored whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_lgmsnet.core.project.edits import activity_of, head_of
from napari_lgmsnet.core.project.journal import scan
from napari_lgmsnet.core.project.sessions import Session, summed

FORMAT = 1
"""Version of the records in journals."""

_NAME = re.compile(r"(\d+)-(\d+)\.journal")


def journal_path(folder: Path, case_id: int, number: int) -> Path:
    """Return the name of one of the journals of a case."""
    return folder / f"{case_id:06d}-{number:06d}.journal"


def numbered(path: Path) -> tuple[int, int] | None:
    """Return a journal's case and number, or None for another file."""
    found = _NAME.fullmatch(path.name)
    return (int(found[1]), int(found[2])) if found else None


def journals_of(folder: Path, case_id: int) -> list[tuple[int, Path]]:
    """Return the journals of a case with their numbers, oldest first."""
    found = [(numbered(path), path) for path in folder.glob(f"{case_id:06d}-*.journal")]
    return sorted((number[1], path) for number, path in found if number and number[0] == case_id)


@dataclass(frozen=True)
class Entry:
    """One record of an edit.

    Parameters
    ----------
    session : mapping
        The description at the start of its journal.
    sequence : int
        Edits of a case are numbered from 1 on.
    content : bytes
    """

    session: dict[str, Any]
    sequence: int
    content: bytes


@dataclass(frozen=True)
class Tail:
    """What the journals of a case hold beyond the mask that is stored whole.

    Parameters
    ----------
    entries : tuple of Entry
        In order.
    last : int
        Number of the last edit, stored or not.
    last_journal : int
        Number of the newest journal, 0 without any.
    bytes : int
        Size of all journals.
    torn : int
        Bytes cut off at the ends.
    damage : tuple of str
        In a person's words.
    """

    entries: tuple[Entry, ...]
    last: int
    last_journal: int
    bytes: int
    torn: int
    damage: tuple[str, ...]

    def sessions(self) -> list[Session]:
        """Return what was done, session by session."""
        return summed(_session(entry.session, head_of(entry.content)) for entry in self.entries)


def read_tail(folder: Path, case_id: int, after: int, up_to: int | None = None) -> Tail:
    """Read the journals of a case.

    Parameters
    ----------
    folder : Path
    case_id : int
    after : int
        Records up to this number are in the stored mask already.
    up_to : int, optional
        Records after this number are left out.

    Raises
    ------
    FileNotFoundError
        If a journal was deleted meanwhile: the mask was stored whole.
    """
    entries: list[Entry] = []
    damage = []
    last, last_journal, size, torn = after, 0, 0, 0
    for number, path in journals_of(folder, case_id):
        found = scan(path)
        size += path.stat().st_size
        last_journal = number
        torn += found.torn
        damage += [f'"{path.name}" is damaged at byte {place}' for place in found.damaged]
        if not found.records or found.records[0][0] != 0:
            damage += [f'"{path.name}" does not begin as a journal does'] if found.records else []
            session = {"session": "", "checkpoint": "", "started": ""}
        else:
            session = head_of(found.records[0][1])
        for sequence, content in found.records:
            if sequence == 0 or sequence <= last or (up_to is not None and sequence > up_to):
                continue
            if sequence != last + 1:
                damage.append(f'"{path.name}" misses edits {last + 1} to {sequence - 1}')
            entries.append(Entry(session, sequence, content))
            last = sequence
    return Tail(tuple(entries), last, last_journal, size, torn, tuple(damage))


def _session(journal: dict[str, Any], head: dict[str, Any]) -> Session:
    """Return one record as a session of its own."""
    return Session(
        journal["session"],
        journal["checkpoint"],
        journal["started"] or head["at"],
        head["at"],
        activity_of(head),
    )
