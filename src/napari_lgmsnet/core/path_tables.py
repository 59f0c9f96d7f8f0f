"""Tables of paths: CSV files whose rows name the files of one case each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.paths import text_of

ENDINGS = (".csv", ".tsv")


def is_table(path: Path) -> bool:
    """Tell from its ending whether a file is a table of paths."""
    return path.suffix.lower() in ENDINGS and path.is_file()


def read_path_table(path: Path) -> list[dict[str, str]]:
    """Read a table with a header; columns are parted by commas, semicolons or tabs.

    Returns
    -------
    list of dict
        One a row: the header's names in lower case, and what stands below them. Empty rows are
        left out.

    Raises
    ------
    InputError
        If the file cannot be read, has no header, or no rows.
    """
    text = text_of(path, "table")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = [
        {
            (key or "").strip().lower(): (value or "").strip()
            for key, value in row.items()
            if isinstance(value, str)
        }
        for row in csv.DictReader(text.splitlines(), delimiter=delimiter)
    ]
    rows = [row for row in rows if any(row.values())]
    if not rows:
        raise InputError(f'the table "{path}" has no rows below its header')
    return rows


def column_of(rows: list[dict[str, str]], names: Sequence[str], table: Path) -> str:
    """Return the first of some names that a table has as a column.

    Raises
    ------
    InputError
        If it has none of them.
    """
    for name in names:
        if name in rows[0]:
            return name
    raise InputError(
        f'the table "{table}" has the columns {", ".join(rows[0])}: name one of them "{names[0]}"'
    )


def path_in(table: Path, text: str) -> Path:
    """Return a path that a table names; relative ones start at the table's folder."""
    return table.absolute().parent / Path(text).expanduser()
