"""A slice of an image with a map over it, turned as people look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import CellGrid
from napari_lgmsnet.core.inspect.maps import CoarseMap
from napari_lgmsnet.core.preprocess import axis_codes
from napari_lgmsnet.core.types import Volume

Extent = tuple[float, float, float, float]
_HEIGHT = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}


@dataclass(frozen=True)
class Plane:
    """What of a map and its image is drawn.

    Parameters
    ----------
    image : array (rows, columns) or (rows, columns, 3)
    cells : array (rows, columns) or (rows, columns, 3), optional
        None where the network saw nothing of the slice.
    mask : bool array (rows, columns), optional
    image_extent, cells_extent : tuple of float
        Left, right, bottom and top edge, in pixels of the image.
    limits : pair of pair of float
        From left to right and from bottom to top, so that the slice stands as it should.
    pixel : pair of float
        Height and width of a pixel of the image, in units of the world.
    where : str
        Which slice, in words.
    """

    image: NDArray[Any]
    cells: NDArray[Any] | None
    mask: NDArray[np.bool_] | None
    image_extent: Extent
    cells_extent: Extent
    limits: tuple[tuple[float, float], tuple[float, float]]
    pixel: tuple[float, float]
    where: str


def plane_of(
    coarse: CoarseMap,
    mask: NDArray[np.bool_] | None = None,
    axis: int | None = None,
    index: int | None = None,
) -> Plane:
    """Cut a slice.

    Parameters
    ----------
    coarse : CoarseMap
    mask : bool array (*S), optional
    axis : int, optional
        Of a volume: which axis the slice is cut across; without it, the one closest to head
        and feet (the first one of a volume without physical size).
    index : int, optional
        Which slice; without it, the one with most of the mask, or the middle one.

    Raises
    ------
    InputError
        If there is no such axis or slice, or the mask is that of another image.
    """
    volume = coarse.volume
    if mask is not None and mask.shape != volume.spatial_shape:
        raise InputError(
            f"the mask has the shape {mask.shape}, the image {volume.spatial_shape}: choose the "
            "mask of this image"
        )
    if volume.ndim_spatial == 2:
        return _assemble(coarse, mask, (0, 1), None, "")
    axis = _across(volume) if axis is None else axis
    if not 0 <= axis < 3:
        raise InputError(f"a volume has no axis {axis}: choose 0, 1 or 2")
    size = volume.spatial_shape[axis]
    if index is None:
        index = _telling(mask, axis) if mask is not None and mask.any() else size // 2
    if not 0 <= index < size:
        raise InputError(f'"{volume.name}" has no slice {index}: choose one from 0 to {size - 1}')
    rows, columns = (other for other in range(3) if other != axis)
    if volume.units == "mm":
        codes = axis_codes(volume)
        if _HEIGHT[codes[rows]] < _HEIGHT[codes[columns]]:
            rows, columns = columns, rows
    return _assemble(coarse, mask, (rows, columns), (axis, index), f", slice {index}")


def _assemble(
    coarse: CoarseMap,
    mask: NDArray[np.bool_] | None,
    shown: tuple[int, int],
    cut: tuple[int, int] | None,
    where: str,
) -> Plane:
    volume, cells = coarse.volume, coarse.cells
    rows, columns = shown
    height, width = volume.spatial_shape[rows], volume.spatial_shape[columns]
    cell = int(cells.cell_of_voxel(cut[0])[cut[1]]) if cut is not None else 0
    right, up = (-0.5, width - 0.5), (height - 0.5, -0.5)
    if cut is not None and volume.units == "mm":
        codes = axis_codes(volume)
        # As radiologists look at it: head or front up, the patient's right or front at the left.
        right = right[::-1] if codes[columns] in "RA" else right
        up = up[::-1] if codes[rows] in "SA" else up

    def take(array: NDArray[Any], at: int) -> NDArray[Any]:
        flat = array if cut is None else array.take(at, axis=cut[0])
        return flat if rows < columns else np.swapaxes(flat, 0, 1)

    index = cut[1] if cut is not None else 0
    return Plane(
        image=_shades(take(np.asarray(volume.data), index), coloured=volume.has_channels),
        cells=take(coarse.data, cell) if cell >= 0 else None,
        mask=take(mask, index) if mask is not None else None,
        image_extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        cells_extent=(*_edges(cells, columns), *_edges(cells, rows)[::-1]),
        limits=(right, up),
        pixel=(volume.spacing[rows], volume.spacing[columns]),
        where=where,
    )


def _shades(image: NDArray[Any], *, coloured: bool) -> NDArray[Any]:
    """Return colours as they are, everything else as grey between its 1 and 99 percentile."""
    if coloured and image.shape[-1] in (3, 4) and image.dtype == np.uint8:
        colours: NDArray[np.uint8] = image[..., :3]
        return colours
    grey = np.nan_to_num((image[..., 0] if coloured else image).astype(np.float64))
    low, high = np.percentile(grey, (1, 99))
    shades: NDArray[np.float64] = np.clip((grey - low) / max(high - low, 1e-12), 0, 1)
    return shades


def _edges(cells: CellGrid, axis: int) -> tuple[float, float]:
    start = cells.first[axis] - cells.step[axis] / 2
    return start, start + cells.step[axis] * cells.shape[axis]


def _across(volume: Volume) -> int:
    """Return the axis closest to head and feet."""
    if volume.units != "mm":
        return 0
    return next(axis for axis, code in enumerate(axis_codes(volume)) if code in "SI")


def _telling(mask: NDArray[np.bool_], axis: int) -> int:
    others = tuple(other for other in range(mask.ndim) if other != axis)
    return int(np.argmax(mask.sum(axis=others)))
