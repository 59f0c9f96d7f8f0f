"""Files that are no longer needed are moved aside first, and deleted only when asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from napari_lgmsnet.core.project.times import utc_now

NAME = "trash"


def to_trash(folder: Path, paths: Iterable[Path], what: str) -> Path | None:
    """Move files of a project aside.

    Parameters
    ----------
    folder : Path
        Of the project.
    paths : iterable of Path
        Those that are missing are passed over.
    what : str
        Why, as a part of a folder's name.

    Returns
    -------
    Path or None
        Where they are now; None if there were none.
    """
    present = [path for path in paths if path.exists()]
    if not present:
        return None
    stamp = utc_now().replace(":", "").replace(".", "")
    target = folder / NAME / f"{stamp}-{what}"
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{stamp}-{what}-{number}")
    target.mkdir(parents=True)
    for path in present:
        path.rename(target / path.name)
    return target


def empty_trash(folder: Path) -> int:
    """Delete for good what was moved aside; return how many files that were."""
    trash = folder / NAME
    if not trash.is_dir():
        return 0
    count = sum(path.is_file() for path in trash.rglob("*"))
    shutil.rmtree(trash)
    return count
