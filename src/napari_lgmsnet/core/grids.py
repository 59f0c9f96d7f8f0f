"""Masks and images that lie on the same grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Volume


def on_same_grid(one: Volume, other: Volume) -> bool:
    """Return whether two volumes have the same voxels, to a thousandth of a voxel."""
    if one.spatial_axes != other.spatial_axes or one.spatial_shape != other.spatial_shape:
        return False
    # The corners of the grid: a small error of a step adds up along the way to them.
    sizes = np.array(one.spatial_shape) - 1
    corners = np.indices((2,) * sizes.size).reshape(sizes.size, -1).T * sizes
    steps = one.affine[:-1, :-1]
    apart = corners @ (other.affine - one.affine)[:-1, :-1].T
    apart = apart + (other.affine - one.affine)[:-1, -1]
    return bool((np.abs(apart @ np.linalg.inv(steps).T) < 1e-3).all())


def labels_of(mask: Volume) -> NDArray[np.integer[Any]]:
    """Return the labels of a mask.

    Raises
    ------
    InputError
        If it has time or channels, or holds anything but whole numbers from 0 on.
    """
    labels = mask.loaded().data
    if mask.axes != mask.spatial_axes or labels.dtype.kind not in "bui":
        raise InputError(
            f'"{mask.name}" is {labels.dtype} with axes "{mask.axes}": a mask has whole numbers on '
            "YX or ZYX. Choose one frame, or convert it"
        )
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise InputError(f'"{mask.name}" holds negative numbers: labels start at 0')
    return labels.astype(np.uint8) if labels.dtype.kind == "b" else labels
