"""NIfTI files of which only the parts that are asked for are read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.damage import damaged
from napari_lgmsnet.core.io.lazy import Fetch, Slices, Stamp, arranged, chunks_of, lazy_array
from napari_lgmsnet.core.io.nifti import (
    GZIP,
    NAME,
    image_in,
    read_errors,
    scaled,
    volume_of,
)
from napari_lgmsnet.core.io.nifti_header import affine_in, axes_in
from napari_lgmsnet.core.types import Volume


def can_open(path: Path) -> bool:
    """Return whether a file can be read in parts: compressed ones need ``indexed_gzip``."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP
    return not compressed or find_spec("indexed_gzip") is not None


def open_levels(path: Path) -> tuple[Volume, ...]:
    """Open a NIfTI file; its data are read when they are computed.

    Returns
    -------
    tuple of Volume
        One, which has the same numbers as :func:`napari_lgmsnet.core.io.nifti.read` returns, in
        a dask array.

    Raises
    ------
    InputError
        If it is compressed, and ``indexed_gzip`` is not installed.
    FileFormatError
        If it is damaged or cut short. In a compressed file that may show only when a part is
        read.
    """
    if not can_open(path):
        raise InputError(
            f'"{path}" is compressed, so a part of it can only be read with another package: '
            'install it by `pip install "napari-lgmsnet[large]"`, or unpack the file'
        )
    try:
        return (_open(path),)
    except read_errors() as error:
        raise damaged(path, NAME, error) from error


def _open(path: Path) -> Volume:
    with path.open("rb") as file:
        stream = _decompressing(path) if file.read(2) == GZIP else None
        file.seek(0)
        image = image_in(stream or file)
    header, proxy = image.header, image.dataobj
    order, axes = axes_in(header, path)
    slope, intercept = float(proxy.slope), float(proxy.inter)
    stored, shape = proxy.dtype, tuple(proxy.shape)
    if stored.names:
        # Records of 8-bit numbers are one more axis, along which the file runs fastest.
        count = len(stored.names)
        stored, shape = np.dtype(np.uint8), (count, *shape)
        order = tuple((axis + 1) % len(shape) for axis in order)
    offset = int(proxy.offset)
    if stream is None:
        fetch = _part_of_file(path, shape, stored, offset)
    else:
        fetch = _part_of_stream(stream, path, shape, stored, offset)

    def fetch_scaled(box: Slices) -> NDArray[Any]:
        return scaled(fetch(box), slope, intercept)

    dtype = scaled(np.empty(0, stored), slope, intercept).dtype
    volume_shape = tuple(shape[axis] for axis in order)
    apart = proxy.dtype.names is None
    chunks = chunks_of(volume_shape, axes, dtype.itemsize, channels_apart=apart)
    data = lazy_array(arranged(fetch_scaled, shape, order), volume_shape, dtype, chunks)
    return volume_of(path, data, axes, affine_in(header), header)


def _part_of_file(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> Fetch:
    """Return a fetch that maps a file into memory for as long as a part is copied."""
    stamp = Stamp.of(path)
    end = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if stamp.size < end:
        raise EOFError(f"it has {stamp.size} bytes, {end} are expected")

    def fetch(box: Slices) -> NDArray[Any]:
        stamp.check()
        mapped = np.memmap(path, dtype, "r", offset, shape, order="F")
        return np.array(mapped[box], order="F")

    return fetch


def _part_of_stream(
    stream: Any, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int
) -> Fetch:
    """Return a fetch that unpacks a part, from one of the places where unpacking can begin."""
    from nibabel.fileslice import fileslice

    stamp, lock = Stamp.of(path), Lock()

    def fetch(box: Slices) -> NDArray[Any]:
        stamp.check()
        try:
            part: NDArray[Any] = fileslice(stream, box, shape, dtype, offset, "F", lock=lock)
        except read_errors() as error:
            raise damaged(path, NAME, error) from error
        return part

    return fetch


def _decompressing(path: Path) -> Any:
    from indexed_gzip import IndexedGzipFile

    # Holds no file open between two reads, but remembers where unpacking can begin.
    return IndexedGzipFile(str(path), drop_handles=True)
