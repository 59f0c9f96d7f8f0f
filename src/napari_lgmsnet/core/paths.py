"""Names of files."""

from __future__ import annotations

from pathlib import Path

from napari_lgmsnet.core.io.atomic import ending


def split_suffix(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending in lower case (.nii.gz is one)."""
    suffix = ending(path)
    return path.name[: len(path.name) - len(suffix)], suffix
