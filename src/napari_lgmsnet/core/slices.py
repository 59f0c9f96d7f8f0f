"""A volume as the images that a 2D network takes it for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.preprocess import axis_codes
from napari_lgmsnet.core.types import Volume


def slicing(volume: Volume, orientation: str | None) -> str | None:
    """Return the orientation in which a 2D network's slices are cut from a volume.

    That of the recipe, but a volume one voxel thick is taken as the slice that it is, turned as
    radiologists look at it: head or front up.
    """
    thin = [axis for axis, size in enumerate(volume.spatial_shape) if size == 1]
    if orientation is None or len(thin) != 1:
        return orientation
    letter = axis_codes(volume)[thin[0]]
    usual = {"S": "SPL", "I": "SPL", "A": "AIL", "P": "AIL", "R": "RIP", "L": "RIP"}
    return orientation if usual[orientation[0]] == usual[letter] else usual[letter]


def slices_of(volume: Volume) -> Iterator[Volume]:
    """Yield the images of a stack along its first axis; lazy data stay lazy."""
    for index in range(volume.spatial_shape[0]):
        yield Volume(
            data=volume.data[index],
            axes=volume.axes.removeprefix("Z"),
            affine=affine_of_slice(volume.affine),
            units=volume.units,
            name=volume.name,
        )


def affine_of_slice(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an in-plane affine: the lengths of the steps, without the plane's place in space."""
    lengths = np.linalg.norm(affine[:3, 1:3], axis=0)
    return np.diag([*lengths, 1.0])
