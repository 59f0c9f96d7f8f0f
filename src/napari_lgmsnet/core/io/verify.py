"""Compare what was written with what reading it back gives.

This finds what a library lost on the way (a type converted, an axis turned, a position rounded),
and what a full disk or a network folder cut off without saying so. It reads what the operating
system holds of the file, so it cannot find a disk that forgets later.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError, WriteError
from napari_lgmsnet.core.io.atomic import is_full
from napari_lgmsnet.core.types import Volume

_PRECISION = 1e-12
_PART = 2**26
"""Bytes compared at a time."""


def check_file(
    target: Path, temporary: Path, written: Volume, reader: Callable[[Path], Volume]
) -> None:
    """Read a file before it takes its place, and refuse it if it differs from what was written.

    Parameters
    ----------
    target : pathlib.Path
        The file as the person knows it.
    temporary : pathlib.Path
        Where it lies until then.
    written : Volume
        As for :func:`check_same`.
    reader : callable
        Reads it.

    Raises
    ------
    WriteError
        If it is damaged, or differs.
    OSError
        If it is damaged because the disk is full: some libraries do not say so.
    """
    try:
        found = reader(temporary)
    except FileFormatError as error:
        if is_full(temporary.parent):
            raise OSError(errno.ENOSPC, "No space left on device") from error
        raise not_written(target, str(error).replace(str(temporary), "the file")) from error
    check_same(target, written, found)


def check_same(target: Path, written: Volume, found: Volume) -> None:
    """Refuse a file that does not hold what was written to it.

    Parameters
    ----------
    target : pathlib.Path
        The file as the person knows it.
    written : Volume
        What the format can hold of what was to be written, rounded as the format rounds it.
    found : Volume
        What reading the file gave.

    Raises
    ------
    WriteError
        If a single bit of the data differs, or the affine by more than 1e-12 of its size
        (formats that store a product of two numbers round its last digit). Axes of length 1 may
        have been dropped.
    """
    check_grid(target, written, found)
    if not _same_bits(_without_single_axes(written), _without_single_axes(found)):
        raise not_written(target, "it holds other numbers")


def check_grid(target: Path, written: Volume, found: Volume) -> None:
    """Refuse a file that lies elsewhere, or holds numbers of another type, than was written.

    Parameters and errors are those of :func:`check_same`; the numbers are not looked at.
    """
    one, other = _without_single_axes(written), _without_single_axes(found)
    if written.data.dtype != found.data.dtype:
        raise not_written(target, f"it holds {found.data.dtype} and not {written.data.dtype}")
    if one.shape != other.shape:
        raise not_written(target, f"it has the shape {other.shape} and not {one.shape}")
    axes = min(written.ndim_spatial, found.ndim_spatial) + 1
    expected, affine = written.affine[-axes:, -axes:], found.affine[-axes:, -axes:]
    if np.abs(affine - expected).max() > _PRECISION * np.abs(expected).max():
        raise not_written(target, "its voxels lie elsewhere")
    if written.units != found.units:
        raise not_written(target, f"its voxel size is in {found.units}, not {written.units}")


def not_written(target: Path, reason: str) -> WriteError:
    """Return the error for a file that did not stand the test."""
    return WriteError(
        f'"{target}" was not written, and nothing was changed. What had been written was read '
        f"back and is wrong: {reason}. Choose another folder or format, and report this"
    )


def _without_single_axes(volume: Volume) -> NDArray[Any]:
    """Return the data without those axes of length 1 that a format need not keep."""
    keep = [
        size
        for letter, size in zip(volume.axes, volume.data.shape, strict=True)
        if size != 1 or letter in "YX"
    ]
    data: NDArray[Any] = volume.data.reshape(keep)
    return data


def _same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Tell whether two arrays of one type and shape are equal, NaN and signed zeros included."""
    rows = max(1, _PART * one.shape[0] // max(1, one.nbytes))
    for start in range(0, one.shape[0], rows):
        parts = (np.ascontiguousarray(data[start : start + rows]) for data in (one, other))
        first, second = (part.view(np.uint8) for part in parts)
        if not np.array_equal(first, second):
            return False
    return True
