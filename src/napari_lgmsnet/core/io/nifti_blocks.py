"""NIfTI files that are too large for memory, filled block by block by one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.io.nifti import image_of
from napari_lgmsnet.core.io.nifti_lazy import open_levels
from napari_lgmsnet.core.io.verify import check_grid, not_written
from napari_lgmsnet.core.types import Volume

Block = tuple[tuple[slice, ...], NDArray[Any]]
_ZEROS = bytes(2**20)


def empty_like(volume: Volume, dtype: Any) -> Volume:
    """Return a volume of zeros on another one's spatial grid, which takes no memory."""
    zeros = np.broadcast_to(np.zeros((), dtype), volume.spatial_shape)
    return volume.with_data(zeros, volume.spatial_axes)


def write_blocks(
    target: Path, path: Path, empty: Volume, blocks: Callable[[], Iterator[Block]]
) -> None:
    """Write an uncompressed NIfTI file block by block, read it back and compare.

    The file is the one that :func:`~napari_lgmsnet.core.io.nifti.write` writes of the whole, bit by
    bit: its header is made in the same way.

    Parameters
    ----------
    target : pathlib.Path
        The file as the person knows it.
    path : pathlib.Path
        Where it lies until it takes its place.
    empty : Volume
        As :func:`empty_like` gives it; axes ``ZYX``.
    blocks : callable
        Yields each box and the numbers in it, to write and to compare. What no block covers stays
        zero.

    Raises
    ------
    InputError
        If NIfTI cannot hold the volume.
    WriteError
        If reading it back gave something else.
    OSError
        If the disk is full.
    """
    image, expected = image_of(empty)
    image.update_header()
    header = image.header
    header.set_slope_inter(1, 0)
    with path.open("wb") as file:
        header.write_to(file)
        # Written and not left out: in a hole that the disk has no space for, mapping would crash.
        left = empty.data.nbytes
        while left > 0:
            left -= file.write(_ZEROS[:left])
    offset, dtype = int(header.get_data_offset()), header.get_data_dtype()
    shape = empty.data.shape[::-1]  # x first, and any further axes have the length 1
    for box, block in blocks():
        mapped = np.memmap(path, dtype, "r+", offset, shape, order="F")
        mapped.T[box] = block
        mapped.flush()
        del mapped
    found = open_levels(path)[0]
    placed = empty.with_data(found.data, found.axes).data
    check_grid(target, expected, found)
    for box, block in blocks():
        if not np.array_equal(np.asarray(placed[box]), block, equal_nan=True):
            raise not_written(target, "it holds other numbers")
