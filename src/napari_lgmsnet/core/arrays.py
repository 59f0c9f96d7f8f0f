"""Bare arrays: what they are taken for, and lazy ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.info import ModelInfo

DIRECTIONS = {"R": (2, -1), "L": (2, 1), "A": (1, -1), "P": (1, 1), "S": (0, 1), "I": (0, -1)}
"""Anatomical direction -> row and sign in the world's z, y, x (LPS+)."""


def volume_from_array(
    array: NDArray[Any],
    info: ModelInfo,
    spacing: tuple[float, ...] | None = None,
    axes: str | None = None,
) -> Volume:
    """Wrap a bare array for a checkpoint; see :func:`predict` for what is assumed.

    Raises
    ------
    InputError
        If the shape does not suit the checkpoint.
    """
    axes = axes or guess_axes(array.shape, info)
    volume = Volume.from_array(array, axes, spacing)
    orientation = info.recipe.orientation
    if volume.ndim_spatial == 2 or orientation is None:
        return volume
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for column, letter in enumerate(orientation):
        row, sign = DIRECTIONS[letter]
        affine[row, column] = sign * volume.spacing[column]
    return replace(volume, affine=affine)


def guess_axes(shape: tuple[int, ...], info: ModelInfo) -> str:
    """Return the axes that an array of this shape most likely has for a checkpoint.

    Raises
    ------
    InputError
        If no reading fits.
    """
    wanted = info.architecture.in_channels
    colours = {wanted, 3, 4} if info.recipe.dimensions == 2 else {wanted}
    last_is_colour = bool(shape) and shape[-1] in colours
    if info.recipe.dimensions == 2:
        table = {2: "YX", 3: "YXC" if last_is_colour else "ZYX", 4: "ZYXC"}
    else:
        table = {3: "ZYX", 4: "ZYXC"}
    if len(shape) not in table or (len(shape) == 4 and not last_is_colour):
        raise InputError(
            f'an array of shape {shape} does not suit "{info.name}", a {info.recipe.dimensions}D '
            f"checkpoint with {wanted} channel(s): give an image or a volume, channels last"
        )
    return table[len(shape)]


def as_lazy(data: Any) -> Any:
    """Return a dask array of data of any kind; what is dask already stays as it is."""
    from dask import array as dask_array

    if isinstance(data, dask_array.Array):
        return data
    chunks = getattr(data, "chunks", None) or (1,) * (data.ndim - 2) + tuple(data.shape[-2:])
    meta = np.empty((0,) * data.ndim, data.dtype)  # or dask would ask the data for an example
    return dask_array.from_array(data, chunks=chunks, name=False, meta=meta)
