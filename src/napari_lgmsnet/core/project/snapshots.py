"""Arrays in files that are named after their content and never changed.

A file is an ordinary ``.npz`` with one array, ``data``: ``numpy.load(file)["data"]``.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import ProjectError
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.types import Progress

_MEMBER = "data.npy"
_SLAB = 2**23  # bytes between two steps of progress
_FAST = 1


def path_of(folder: Path, sha256: str) -> Path:
    """Return where the array with a SHA-256 is kept: in one of 256 folders."""
    return folder / sha256[:2] / f"{sha256}.npz"


def save(folder: Path, array: NDArray[Any]) -> Generator[Progress, None, str]:
    """Keep an array.

    Parameters
    ----------
    folder : Path
    array : array

    Yields
    ------
    Progress
        A few megabytes a step.

    Returns
    -------
    str
        SHA-256 of the file, which is its name.

    Raises
    ------
    InputError
        If the disk is full or must not be written to.
    """
    array = np.ascontiguousarray(array)
    rows = max(1, _SLAB // max(1, array[:1].nbytes))
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive,
        # Opened by name it gets a fixed date: equal arrays give equal files.
        archive.open(_MEMBER, "w", force_zip64=True) as member,
    ):
        npy.write_array_header_1_0(member, npy.header_data_from_array_1_0(array))
        for row in range(0, len(array), rows):
            yield Progress(row, len(array), "saving the mask")
            member.write(array[row : row + rows].tobytes())
    content = buffer.getbuffer()
    sha256 = hashlib.sha256(content).hexdigest()
    path = path_of(folder, sha256)
    if path.exists():
        path.touch()  # so that it does not look like one that nobody needs
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_bytes(content)
    return sha256


def load(folder: Path, sha256: str) -> NDArray[Any]:
    """Return a kept array.

    Raises
    ------
    FileNotFoundError
        If it is not kept.
    ProjectError
        If its file is damaged.
    """
    path = path_of(folder, sha256)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ProjectError(
            f'"{path}" is damaged: it is not what its name promises. Put back a copy of this file'
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        array: NDArray[Any] = archive["data"]
    return array
