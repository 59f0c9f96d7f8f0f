"""The images in a folder and the folders inside: files, zarr folders, DICOM series."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

from napari_lgmsnet.core.io import dicom, is_readable, ome_zarr
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.project.sources import Source
from napari_lgmsnet.core.types import Progress

_SIGNATURE = 132


def images_in(folder: Path, leave_out: Path) -> Generator[Progress, None, list[tuple[Source, str]]]:
    """Return all images in a folder, each with a name.

    Parameters
    ----------
    folder : Path
    leave_out : Path
        A folder in it that is not looked into: the project itself.
    """
    found: list[tuple[Source, str]] = []
    series = False
    for seen, path in enumerate(walk(folder)):
        yield Progress(seen, 0, f"looking for images in {folder.name}")
        if path.is_relative_to(leave_out):
            continue
        if path.is_dir():
            found.append((Source(path, "folder"), path.stem))
        elif _is_dicom(path):
            series = True
        elif is_readable(path):
            found.append((Source(path), split_suffix(path)[0]))
    return [*found, *(series_in(folder) if series else [])]


def series_in(folder: Path) -> list[tuple[Source, str]]:
    """Return the DICOM series in a folder and the folders inside, each with a name.

    The name is that of the folder and the series' number: descriptions may tell whose it is.
    """
    contents = dicom.survey(folder)
    found = []
    for one in contents.series:
        places = {file.parent for file, _ in contents.files[one.uid]}
        place = Path(os.path.commonpath(places))
        found.append((Source(place, "dicom", one.uid), f"{place.name} {one.modality} {one.key}"))
    return found


def walk(folder: Path) -> Iterator[Path]:
    """Give all files in a folder and the folders inside, in order, without hidden ones.

    A zarr folder is given itself, and not looked into.
    """
    for root, folders, files in os.walk(os.path.normpath(folder.absolute())):
        visible = sorted(name for name in folders if not name.startswith("."))
        images = [name for name in visible if name.lower().endswith(ome_zarr.ENDING)]
        folders[:] = [name for name in visible if name not in images]
        for name in sorted(name for name in files if not name.startswith(".")):
            yield Path(root) / name
        for name in images:
            if is_readable(Path(root) / name):
                yield Path(root) / name


def _is_dicom(path: Path) -> bool:
    if is_readable(path) and ending(path) not in dicom.ENDINGS:
        return False
    try:
        with path.open("rb") as file:
            return dicom.recognises(file.read(_SIGNATURE))
    except OSError:
        return False
