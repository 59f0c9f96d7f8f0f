"""Tables as files that statistics programs and spreadsheets open."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

Cell = str | int | float


def write_csv(
    path: str | Path, columns: Mapping[str, Sequence[Cell]], *, overwrite: bool = False
) -> None:
    """Write a table as CSV, completely or not at all.

    Parameters
    ----------
    path : str or Path
    columns : mapping of str to sequence
        Headers, which name the unit, and what stands below; all of the same length. NaN becomes
        an empty cell.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        If the file exists and must not be replaced, or cannot be written.
    """
    # Only now: it loads all that reads and writes images, which a window need not wait for.
    from napari_lgmsnet.core.io.atomic import atomic_path

    with (
        atomic_path(path, overwrite) as temporary,
        # The mark at the start tells spreadsheets that mm³ is UTF-8.
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if _missing(cell) else cell for cell in row])


def _missing(cell: Cell) -> bool:
    return isinstance(cell, float) and math.isnan(cell)
