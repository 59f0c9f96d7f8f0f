"""Grow and shrink by a distance in mm."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lgmsnet.core.components import Window, overlap, widened, window_of, windows_of
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.pieces import Piece, blocks, pieces_of, reach_of
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, checked
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Progress


def grow(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    distance: float,
    label: int | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, Change]:
    """Add a margin: voxels whose centre is at most a distance away from a voxel of the class.

    Without a class the outer border of all labels moves, each new voxel takes the label nearest
    to it (the smaller of two at the same distance), and borders between labels stay.

    Parameters
    ----------
    labels : integer array (Y, X) or (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
    distance : float
        In mm.
    label : int, optional
        The class that grows.
    overwrite : bool
        Whether other labels may be overwritten as well, and not background only. Locked ones
        never are.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, label and scope do not suit each other, the label is locked, the distance is
        negative, or all labels are to overwrite each other.
    """
    labels = checked(labels, spacing, scope, label)
    if overwrite and label is None:
        raise InputError("all labels cannot overwrite each other: choose the one that grows")
    _check(distance)
    draft = Draft(labels, scope)
    pieces = pieces_of(labels, spacing, scope)
    message = f"measuring {distance:g} mm from the border"
    for done, piece in enumerate(pieces):
        window = window_of(piece.labels > 0 if label is None else piece.labels == label)
        reach = reach_of(distance, piece.spacing)
        around = _around(window, reach, piece)
        parts = list(blocks(around, reach, piece.labels.shape))
        for number, block in enumerate(parts):
            yield Progress(done * len(parts) + number, len(pieces) * len(parts), message)
            seen = piece.labels[block.halo]
            if (seen == seen.flat[0]).all():
                continue
            kept = scope.locked_labels if label is None else frozenset[int]()
            near = _nearest(seen, label, distance, piece.spacing, kept)[block.inner]
            old = seen[block.inner]
            where = near > 0
            where &= old != label if overwrite else old == 0
            draft.write(piece.part(block.core), where, near)
    return draft.finish()


def shrink(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    distance: float,
    label: int | None = None,
) -> Generator[Progress, None, Change]:
    """Take a margin away: voxels at most a distance away from what is not the class.

    Without a class the outer border of all labels moves, and borders between labels stay. What
    is taken away becomes background. Where an object is cut off by the border of the image, it
    is taken to go on, and does not shrink.

    Parameters
    ----------
    labels, spacing, scope, distance, label
        As for :func:`grow`.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        As for :func:`grow`.
    """
    labels = checked(labels, spacing, scope, label)
    _check(distance)
    draft = Draft(labels, scope)
    pieces = pieces_of(labels, spacing, scope)
    message = f"measuring {distance:g} mm from the border"
    for done, piece in enumerate(pieces):
        mask = piece.labels > 0 if label is None else piece.labels == label
        reach = reach_of(distance, piece.spacing)
        window = window_of(mask)
        inside = overlap(window, piece.window) if window is not None else None
        parts = list(blocks(inside, reach, mask.shape))
        for number, block in enumerate(parts):
            yield Progress(done * len(parts) + number, len(pieces) * len(parts), message)
            seen = mask[block.halo]
            if seen.all() or not seen.any():
                continue
            near = _within(~seen, distance, piece.spacing)[block.inner]
            draft.write(piece.part(block.core), near & seen[block.inner], 0)
    return draft.finish()


def _check(distance: float) -> None:
    if not (np.isfinite(distance) and distance >= 0):
        raise InputError(f"the distance is 0 mm or more, not {distance}")


def _around(window: Window | None, reach: tuple[int, ...], piece: Piece) -> Window | None:
    """Return the box in which a label can grow."""
    if window is None:
        return None
    return overlap(widened(window, reach, piece.labels.shape), piece.window)


def _within(
    target: NDArray[np.bool_], distance: float, spacing: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Return which voxels have a voxel of the target at most a distance away."""
    return _distances(target, spacing) <= _tolerant(distance, spacing)


def _distances(target: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.floating]:
    """Return how far each voxel is from the nearest one of the target; infinity without one."""
    if not target.any():
        return np.full(target.shape, np.inf)
    distances: NDArray[np.floating] = ndimage.distance_transform_edt(~target, sampling=spacing)
    return distances


def _tolerant(distance: float, spacing: tuple[float, ...]) -> float:
    # 3 x 0.1 mm is not at most 0.3 mm in floating point.
    return distance + 1e-6 * min(spacing)


def _nearest(
    labels: Labels,
    label: int | None,
    distance: float,
    spacing: tuple[float, ...],
    without: frozenset[int],
) -> Labels:
    """Return the nearest label at most a distance away; 0 where there is none."""
    limit, tie = _tolerant(distance, spacing), 1e-6 * min(spacing)
    reach = reach_of(distance, spacing)
    best = np.full(labels.shape, limit + 2 * tie)
    nearest = np.zeros_like(labels)
    for value, window in windows_of(labels).items():
        if value in without or (label is not None and value != label):
            continue
        box = widened(window, reach, labels.shape)
        distances = _distances(labels[box] == value, spacing)
        closer = (distances <= limit) & (distances < best[box] - tie)
        best[box][closer] = distances[closer]
        nearest[box][closer] = value
    return nearest
