"""Split objects that touch at a narrow place."""

from __future__ import annotations

from collections.abc import Generator
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from napari_lgmsnet.core.components import Window, connected, overlap, widened, windows_of
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.pieces import Piece, pieces_of
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, check_target, checked
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Progress


def split(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    label: int,
    waist: float | None = None,
    into: Literal["line", "labels"] = "line",
    new_from: int = 1,
) -> Generator[Progress, None, Change]:
    """Split objects of a class where they are narrow.

    Parts are found by a watershed on the distance to the border. Two parts are told apart if the
    place where they meet is narrower than the thinner of them by more than ``waist``.

    Parameters
    ----------
    labels : integer array (Y, X) or (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
    label : int
        The class.
    waist : float, optional
        In mm of width. Without it, twice the largest voxel size: less is a matter of chance.
    into : "line" or "labels"
        ``line`` draws a line of background, one voxel wide, between the parts: they keep their
        class, and become objects of their own. ``labels`` gives the parts labels that the mask
        did not have: the largest keeps its own, and no voxel is lost.
    new_from : int
        New labels start here, or above the highest in the mask and the highest locked one if that
        is more. Give the number of classes, so that no part becomes a class not painted yet.

    Yields
    ------
    Progress
        One an object.

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, label and scope do not suit each other, the label is locked, or the type of the
        mask holds no more labels.
    """
    labels = checked(labels, spacing, scope, label)
    if waist is not None and not (np.isfinite(waist) and waist > 0):
        raise InputError(f"the waist is a number of mm above 0, not {waist}")
    draft = Draft(labels, scope)
    taken = [int(labels.max(initial=0)), *scope.locked_labels]
    fresh = max(new_from, max(taken) + 1)
    for piece in pieces_of(labels, spacing, scope):
        objects, count = connected(piece.labels == label)
        for number, window in windows_of(objects).items():
            yield Progress(number - 1, count, "looking for narrow places")
            if overlap(window, piece.window) is None:
                continue
            box, parts = _parts(objects, number, window, piece, waist)
            found = int(parts.max())
            if found < 2:
                continue
            if into == "line":
                draft.write(piece.part(box), _line(parts), 0)
                continue
            check_target(labels, scope, fresh + found - 2)
            # The largest part keeps its label.
            order = np.argsort(-np.bincount(parts.ravel())[1:], kind="stable") + 1
            names = np.zeros(found + 1, dtype=labels.dtype)
            names[order] = [label, *range(fresh, fresh + found - 1)]
            draft.write(piece.part(box), parts > 0, names[parts])
            fresh += found - 1
    return draft.finish()


def _parts(
    objects: NDArray[np.int32], number: int, window: Window, piece: Piece, waist: float | None
) -> tuple[Window, NDArray[np.int32]]:
    """Return a box around an object, and its parts numbered from 1 on."""
    # One voxel of surroundings, but none beyond the image: there the object may go on.
    box = widened(window, (1,) * objects.ndim, objects.shape)
    mask = objects[box] == number
    depth = max(piece.spacing) if waist is None else waist / 2
    if mask.all():
        return box, mask.astype(np.int32)
    distance = ndimage.distance_transform_edt(mask, sampling=piece.spacing)
    peaks, _ = connected(local_maxima(distance, connectivity=mask.ndim) & mask)
    basins = watershed(-distance, peaks, mask=mask, connectivity=mask.ndim)
    top = np.zeros(int(peaks.max()) + 1)
    top[peaks[peaks > 0]] = distance[peaks > 0]
    return box, _joined(basins, distance, top, depth)


def _joined(
    basins: NDArray[np.int32],
    distance: NDArray[np.float64],
    peak: NDArray[np.float64],
    depth: float,
) -> NDArray[np.int32]:
    """Join basins unless the way from the lower to the higher peak dips by more than a depth."""
    root = np.arange(peak.size)

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = int(root[number])
        return number

    pairs, saddles = _saddles(basins, distance)
    for place in np.argsort(-saddles, kind="stable"):
        one, other = (find(int(number)) for number in pairs[place])
        low, high = sorted((one, other), key=lambda number: float(peak[number]))
        if low != high and peak[low] - saddles[place] <= depth * (1 + 1e-9):
            root[low] = high
    roots = np.array([find(number) for number in range(peak.size)])
    # Numbered from 1 on again; 0 is its own root, and stays.
    return np.asarray(np.unique(roots, return_inverse=True)[1][basins], dtype=np.int32)


def _saddles(
    basins: NDArray[np.int32], distance: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return pairs of basins that touch, (n, 2), and the largest distance where they do."""
    # One number for each pair: sorting rows of two would take many times as long.
    base = np.int64(basins.max()) + 1
    touching, heights = [], []
    for step in product((-1, 0, 1), repeat=basins.ndim):
        if step <= (0,) * basins.ndim:
            continue  # the same pairs, seen from the other side
        here = tuple(
            slice(max(0, -s), n - max(0, s)) for s, n in zip(step, basins.shape, strict=True)
        )
        there = tuple(
            slice(max(0, s), n - max(0, -s)) for s, n in zip(step, basins.shape, strict=True)
        )
        one, other = basins[here], basins[there]
        meet = (one != other) & (one > 0) & (other > 0)
        low, high = np.minimum(one[meet], other[meet]), np.maximum(one[meet], other[meet])
        touching.append(low * base + high)
        heights.append(np.minimum(distance[here][meet], distance[there][meet]))
    keys, places = np.unique(np.concatenate(touching), return_inverse=True)
    saddles = np.zeros(keys.size)
    np.maximum.at(saddles, places, np.concatenate(heights))
    return np.stack(np.divmod(keys, base), axis=1), saddles


def _line(parts: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return voxels that touch a part of a higher number, even by a corner."""
    highest = ndimage.maximum_filter(parts, size=3, mode="constant", cval=0)
    return np.asarray((parts > 0) & (highest > parts))
