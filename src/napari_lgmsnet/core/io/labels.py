"""What a mask is: whole numbers from 0 on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Volume

_TYPES = (np.uint8, np.uint16, np.uint32)


@dataclass(frozen=True)
class MadeBy:
    """How a mask came about, for formats that say so.

    Parameters
    ----------
    checkpoint : str
        Name of the network that made it.
    edited : bool
        Whether a person has changed it since.
    """

    checkpoint: str
    edited: bool = False


def as_labels(volume: Volume) -> Volume:
    """Return the same labels in the smallest unsigned type that holds them.

    Raises
    ------
    InputError
        If the data have channels, or hold fractions, negative or too large numbers.
    """
    if volume.has_channels:
        raise InputError(f'"{volume.name}" has channels: a mask has one label a voxel')
    return replace(volume, data=_smallest(volume.data, volume.name))


def _smallest(data: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    if data.dtype == np.bool_ or data.size == 0:
        return data.astype(np.uint8)
    if data.dtype.kind not in "iuf":
        raise InputError(f'"{name}" holds {data.dtype}: labels are whole numbers')
    low, high = data.min(), data.max()
    finite = np.isfinite(low) and np.isfinite(high)
    if not finite or (data.dtype.kind == "f" and (data != np.floor(data)).any()):
        raise InputError(f'"{name}" holds fractions: labels are whole numbers. Threshold it first')
    if low < 0:
        raise InputError(f'"{name}" holds negative numbers (down to {low}): labels start at 0')
    for kind in _TYPES:
        if high <= np.iinfo(kind).max:
            return data.astype(kind, copy=False)
    raise InputError(
        f'"{name}" holds the label {high}: renumber the labels, {2**32 - 1} is the end'
    )
