"""Names of files."""

from __future__ import annotations

from pathlib import Path


def split_suffix(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending in lower case (.nii.gz is one)."""
    name = path.name
    suffix = ".nii.gz" if name.lower().endswith(".nii.gz") else path.suffix.lower()
    return name[: len(name) - len(suffix)], suffix
