"""Parts and coarser copies of a volume: where they lie in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.types import Volume

Box = tuple[int | slice, ...]
"""One entry for each spatial axis: a slice keeps the axis, a number takes one plane of it."""


def crop(volume: Volume, box: Box) -> Volume:
    """Return a part of a volume, lying where it lay in the whole.

    Parameters
    ----------
    volume : Volume
        If its data are lazy, so are those of the part. Of a series all frames are kept.
    box : tuple of int or slice
        One for each spatial axis. Slices have a start, a stop and no step. One number in a volume
        gives an image, whose affine keeps the pixel size and no more: a plane in space has no
        affine of two dimensions.

    Returns
    -------
    Volume

    Raises
    ------
    GeometryError
        If the box does not suit the volume, or is empty.
    """
    if len(box) != volume.ndim_spatial:
        raise GeometryError(
            f'a box with {len(box)} axes does not suit "{volume.name}", which has '
            f"{volume.ndim_spatial}"
        )
    checked = [
        _check(part, size, volume.name)
        for part, size in zip(box, volume.spatial_shape, strict=True)
    ]
    kept = [axis for axis, part in enumerate(checked) if isinstance(part, slice)]
    if len(kept) < 2:
        raise GeometryError(f'a line of "{volume.name}" is no image: keep two axes at least')
    series = volume.axes.startswith("T")
    data = volume.data[(slice(None),) * series + tuple(checked)]
    affine = np.eye(len(kept) + 1)
    if len(kept) == volume.ndim_spatial:
        start = [part.start for part in checked if isinstance(part, slice)]
        affine[:] = volume.affine
        affine[:-1, -1] = volume.affine[:-1] @ [*start, 1.0]
    else:
        affine[:-1, :-1] = np.diag([volume.spacing[axis] for axis in kept])
    axes = "T" * series + "ZYX"[-len(kept) :] + "C" * volume.has_channels
    return replace(volume, data=data, axes=axes, affine=affine)


def box_around(
    affine: NDArray[np.float64], points: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[slice, ...] | None:
    """Return the smallest box of whole voxels that holds some points of the world.

    Parameters
    ----------
    affine : float array (d + 1, d + 1)
        From index to world. A voxel reaches half a step to each side of its index.
    points : float array (n, d)
        In world coordinates.
    shape : tuple of int
        The volume's; what lies outside of it is cut off.

    Returns
    -------
    tuple of slice, or None
        None if no voxel is met.
    """
    inverse = np.linalg.inv(affine)
    indices = points @ inverse[:-1, :-1].T + inverse[:-1, -1]
    # Rounding errors must not add a row of voxels where an edge runs between two.
    first = np.floor(indices.min(axis=0) + 0.5 + 1e-6).astype(int)
    last = np.ceil(indices.max(axis=0) - 0.5 - 1e-6).astype(int)
    box = []
    for low, high, size in zip(first, last, shape, strict=True):
        start, stop = max(0, int(low)), min(size, int(max(low, high)) + 1)
        if start >= stop:
            return None
        box.append(slice(start, stop))
    return tuple(box)


def affine_of_level(
    affine: NDArray[np.float64], shape: tuple[int, ...], coarser: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the affine of a coarser copy of a grid, which covers exactly the same extent.

    Parameters
    ----------
    affine : float array (d + 1, d + 1)
        Of the grid.
    shape, coarser : tuple of int
        Of the grid and of its copy. Each voxel of the copy is as large as the ratio of the two,
        and lies over the voxels that it was made of: its centre is theirs.

    Returns
    -------
    float64 array (d + 1, d + 1)
    """
    ratio = np.divide(shape, coarser)
    to_fine = np.diag([*ratio, 1.0])
    to_fine[:-1, -1] = (ratio - 1) / 2
    placed: NDArray[np.float64] = affine @ to_fine
    return placed


def coarser_volumes(volume: Volume, data: Sequence[Any]) -> list[Volume]:
    """Return coarser copies of a volume, each lying where the volume lies.

    Parameters
    ----------
    volume : Volume
        The finest level.
    data : sequence of array
        The copies' data, in the axes of the volume. Copies with fewer frames or channels, or
        that are not smaller, are left out.
    """
    copies = []
    before = volume
    for array in data:
        start = int(volume.axes.startswith("T"))
        spatial = slice(start, start + volume.ndim_spatial)
        shape = tuple(int(n) for n in array.shape[spatial])
        rest = array.shape[:start] + array.shape[spatial.stop :]
        if (
            rest == volume.data.shape[:start] + volume.data.shape[spatial.stop :]
            and shape != before.spatial_shape
            and all(n <= m for n, m in zip(shape, before.spatial_shape, strict=True))
        ):
            affine = affine_of_level(volume.affine, volume.spatial_shape, shape)
            before = replace(volume, data=array, affine=affine)
            copies.append(before)
    return copies


def _check(part: int | slice, size: int, name: str) -> int | slice:
    if not isinstance(part, slice):
        if not 0 <= part < size:
            raise GeometryError(f'"{name}" has no plane {part}: it has {size}')
        return part
    start, stop, step = part.indices(size)
    if step != 1 or start >= stop:
        raise GeometryError(f'the part of "{name}" is empty: choose a larger one')
    return slice(start, stop)
