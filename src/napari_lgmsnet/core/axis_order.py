"""The order of a volume's axes: as a file stores them, and as a viewer can show them.

A viewer that shows the last two axes of an array in the plane of the world's y and x cannot show
a volume stored in sagittal or coronal slices: one of these axes runs across the plane. Exchanging
axes, and nothing else, makes every volume showable; exchanging them back gives the file's order.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.types import Volume


def viewing_order(affine: NDArray[np.float64]) -> tuple[int, ...]:
    """Return which axis of a volume should come first, second and third in a viewer.

    Parameters
    ----------
    affine : float array (d + 1, d + 1)
        As for :class:`Volume`.

    Returns
    -------
    tuple of int
        The axis that runs most along z, then along y, then along x: of all orders the one in
        which the product of these shares is largest. Images, which have no third axis to
        exchange with, keep theirs.
    """
    count = len(affine) - 1
    natural = tuple(range(count))
    if count < 3:
        return natural
    shares = np.abs(affine[:-1, :-1]) / np.linalg.norm(affine[:-1, :-1], axis=0)
    # The natural order comes first and stays if another is as good.
    return max(permutations(natural), key=lambda order: shares[natural, order].prod().round(9))


def reorder(volume: Volume, order: tuple[int, ...]) -> Volume:
    """Return a volume with its spatial axes exchanged, lying where it lay.

    Parameters
    ----------
    volume : Volume
        Its data may be lazy.
    order : tuple of int
        The spatial axis to be taken first, second and third.
    """
    if order == tuple(range(volume.ndim_spatial)):
        return volume
    lead = int(volume.axes.startswith("T"))
    axes = [*range(lead), *(lead + axis for axis in order)]
    axes += range(len(axes), len(volume.axes))
    affine = volume.affine[:, [*order, volume.ndim_spatial]]
    return replace(volume, data=volume.data.transpose(axes), affine=affine)


def inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the order that undoes another one."""
    return tuple(int(place) for place in np.argsort(order))
