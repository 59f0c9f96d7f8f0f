"""Objects in a mask: what belongs together, and where it lies.

Voxels of an object touch by faces, edges or corners; background, seen as what surrounds objects,
is connected by faces only. With both rules the other way round a thin slanted line would enclose
nothing, or enclose it and still be in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Window = tuple[slice, ...]
"""A box of whole voxels, one slice with start and stop for each axis."""

# find_objects makes a list as long as the highest number.
_HIGHEST_LISTED = 1_000_000
# Edge in voxels; smaller ones keep more specks apart, and take more time to look through.
_BLOCK = 16


def connected(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Give each object of a mask a number; voxels that touch by a corner belong together.

    Parameters
    ----------
    mask : bool array

    Returns
    -------
    objects : int32 array of the same shape
        0 outside, otherwise the object's number from 1 on, in the order of the array.
    count : int
    """
    structure = ndimage.generate_binary_structure(mask.ndim, mask.ndim)
    objects, count = ndimage.label(mask, structure)
    return objects, int(count)


def objects_in(mask: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Yield the objects of a mask one by one.

    Takes little time for a few small objects in a large array: empty blocks are left out.

    Parameters
    ----------
    mask : bool array

    Yields
    ------
    window : tuple of slice
        The smallest box around the object.
    voxels : bool array
        The object's voxels within the box.
    """
    for box, part in _clusters(mask):
        objects, _ = connected(part)
        for number, inner in windows_of(objects).items():
            yield shifted(inner, box), objects[inner] == number


def _clusters(mask: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Yield boxes, and their voxels of the mask, such that no object has voxels in two of them."""
    occupied = mask
    for axis, size in enumerate(mask.shape):
        if size:
            occupied = np.logical_or.reduceat(occupied, np.arange(0, size, _BLOCK), axis=axis)
    # Voxels that touch lie in the same block, or in two that touch.
    blocks, _ = connected(occupied)
    for number, coarse in windows_of(blocks).items():
        box = tuple(
            slice(part.start * _BLOCK, min(part.stop * _BLOCK, size))
            for part, size in zip(coarse, mask.shape, strict=True)
        )
        part = mask[box]
        own = blocks[coarse] == number
        if (occupied[coarse] & ~own).any():
            for axis, size in enumerate(part.shape):
                own = np.repeat(own, _BLOCK, axis=axis).take(np.arange(size), axis=axis)
            part = part & own
        yield box, part


def connected_by_faces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Give the parts of what surrounds objects a number: as :func:`connected`, by faces only."""
    parts, count = ndimage.label(mask)
    return parts, int(count)


def on_border(parts: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    """Return for each number of 0 to ``count`` whether the part reaches the array's border."""
    reached = np.zeros(count + 1, dtype=bool)
    for axis in range(parts.ndim):
        for end in (0, -1):
            reached[parts.take(end, axis)] = True
    return reached


def windows_of(labels: NDArray[np.integer[Any]]) -> dict[int, Window]:
    """Return the smallest box around each label.

    Parameters
    ----------
    labels : integer array
        0 is background and left out.

    Returns
    -------
    dict
        Label -> box, by increasing label.
    """
    if labels.size == 0 or not labels.any():
        return {}
    numbers: NDArray[np.integer[Any]] | None = None
    if int(labels.max()) > _HIGHEST_LISTED:
        numbers, places = np.unique(labels, return_inverse=True)
        if numbers[0] != 0:
            numbers = np.concatenate([np.zeros_like(numbers[:1]), numbers])
            places = places + 1
        labels = places.reshape(labels.shape)
    boxes = ndimage.find_objects(labels)
    return {
        int(index if numbers is None else numbers[index]): box
        for index, box in enumerate(boxes, start=1)
        if box is not None
    }


def window_of(mask: NDArray[np.bool_]) -> Window | None:
    """Return the smallest box around the voxels of a mask; None if it is empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        met = np.flatnonzero(mask.any(axis=others))
        if met.size == 0:
            return None
        box.append(slice(int(met[0]), int(met[-1]) + 1))
    return tuple(box)


def around(boxes: Iterable[Window]) -> Window | None:
    """Return the smallest box around several boxes; None if there is none."""
    box = tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*boxes, strict=True)
    )
    return box or None


def widened(box: Window, margin: tuple[int, ...], shape: tuple[int, ...]) -> Window:
    """Return a box with a margin of voxels along each axis, as far as the array reaches."""
    return tuple(
        slice(max(0, part.start - more), min(size, part.stop + more))
        for part, more, size in zip(box, margin, shape, strict=True)
    )


def overlap(first: Window, second: Window) -> Window | None:
    """Return the box in which two boxes overlap; None if they don't."""
    both = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(first, second, strict=True)
    )
    return both if all(part.start < part.stop for part in both) else None


def shifted(box: Window, outer: Window) -> Window:
    """Return a box that was counted from the start of a box around it as one of the whole."""
    return tuple(
        slice(part.start + start.start, part.stop + start.start)
        for part, start in zip(box, outer, strict=True)
    )


def within(box: Window, outer: Window) -> Window:
    """Return a box as counted from the start of a box around it."""
    return tuple(
        slice(part.start - start.start, part.stop - start.start)
        for part, start in zip(box, outer, strict=True)
    )
