"""What surrounds an object or a hole: the label that it touches most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.edit.change import Indices, Labels
from napari_lgmsnet.core.edit.pieces import Piece


def labels_around(
    piece: Piece,
    voxels: Indices,
    owner: NDArray[np.intp],
    count: int,
    *,
    without: frozenset[int] = frozenset(),
    only: int | None = None,
) -> Labels:
    """Return for each of several objects the label that touches most of its surface.

    Objects that touch each other do not count as each other's surroundings.

    Parameters
    ----------
    piece : Piece
    voxels : tuple of index arrays (n,)
        Of all the objects, within the piece.
    owner : intp array (n,)
        To which object each voxel belongs, 0 to ``count`` - 1.
    count : int
        Number of objects.
    without : frozenset of int
        Labels that are not taken.
    only : int, optional
        The one label that is asked about.

    Returns
    -------
    integer array (count,)
        The smaller label where two touch as much; 0 where nothing does.
    """
    labels = piece.labels
    own = np.zeros(labels.shape, dtype=bool)
    own[voxels] = True
    owners, values, faces = [], [], []
    for axis, size in enumerate(labels.shape):
        for step in (-1, 1):
            place = voxels[axis] + step
            keep = (place >= 0) & (place < size)
            beside = tuple(
                (place if other == axis else voxels[other])[keep] for other in range(labels.ndim)
            )
            other = ~own[beside]
            owners.append(owner[keep][other])
            values.append(labels[beside][other])
            area = np.prod(piece.spacing) / piece.spacing[axis]
            faces.append(np.full(owners[-1].size, area))
    value = np.concatenate(values)
    taken = ~np.isin(value, sorted(without)) if only is None else value == only
    return _most(np.concatenate(owners)[taken], value[taken], np.concatenate(faces)[taken], count)


def _most(
    owners: NDArray[np.intp], values: Labels, faces: NDArray[np.float64], count: int
) -> Labels:
    """Return for each owner the value with the largest sum of faces."""
    most: Labels = np.zeros(count, dtype=values.dtype)
    if owners.size == 0:
        return most
    numbers, places = np.unique(values, return_inverse=True)
    pairs, inverse = np.unique(owners * numbers.size + places, return_inverse=True)
    area = np.bincount(inverse, weights=faces, minlength=pairs.size)
    owner, value = np.divmod(pairs, numbers.size)
    # Rounded, so that equal areas that were summed in another order stay equal.
    largest_first = np.lexsort((value, -np.round(area / faces.max(), 6), owner))
    owner, value = owner[largest_first], value[largest_first]
    first = np.unique(owner, return_index=True)[1]
    most[owner[first]] = numbers[value[first]]
    return most
