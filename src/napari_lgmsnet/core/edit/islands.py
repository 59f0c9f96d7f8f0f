"""Objects too many: keep the largest of each class, remove small ones."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.components import Window, objects_in, shifted
from napari_lgmsnet.core.edit.change import Change, Indices, Labels
from napari_lgmsnet.core.edit.pieces import Piece, pieces_of
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, checked
from napari_lgmsnet.core.edit.surroundings import labels_around
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Progress

Bools = NDArray[np.bool_]
Drop = Callable[[NDArray[np.intp], Bools, float], Bools]
"""Sizes in voxels, which of the objects may be touched, size of a voxel -> which are dropped."""


def keep_largest(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    label: int | None = None,
) -> Generator[Progress, None, Change]:
    """Keep the largest object of a class; the others become what surrounds them.

    With a region or a selection, the largest of the objects that reach into it is kept; objects
    are always judged by their full size. Of two equally large ones the first stays.

    Parameters
    ----------
    labels : integer array (Y, X) or (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
    label : int, optional
        The class; every class by itself without it.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, label and scope do not suit each other, or the label is locked.
    """

    def all_but_the_largest(sizes: NDArray[np.intp], reached: Bools, _voxel: float) -> Bools:
        drop = reached.copy()
        if reached.any():
            drop[np.argmax(np.where(reached, sizes, 0))] = False
        return drop

    return (yield from _drop_objects(labels, spacing, scope, label, all_but_the_largest))


def remove_islands(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    smaller_than: float,
    label: int | None = None,
) -> Generator[Progress, None, Change]:
    """Remove objects below a size; they become what surrounds them.

    A speck in the background becomes background, a speck of another class within an organ
    becomes organ. With a region or a selection, objects are judged by their full size, and
    changed only there.

    Parameters
    ----------
    labels, spacing, scope, label
        As for :func:`keep_largest`.
    smaller_than : float
        In mm² where images or planes are treated, in mm³ in 3D.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        As for :func:`keep_largest`; if the size is negative.
    """
    if not (np.isfinite(smaller_than) and smaller_than >= 0):
        raise InputError(f"the size of islands is 0 or more, not {smaller_than}")

    def small(sizes: NDArray[np.intp], reached: Bools, voxel: float) -> Bools:
        # Tolerant, so that 3 voxels of 0.1 mm² are not smaller than 0.3 mm².
        return reached & (sizes * voxel < smaller_than * (1 - 1e-9))

    return (yield from _drop_objects(labels, spacing, scope, label, small))


def _drop_objects(
    labels: Labels, spacing: tuple[float, ...], scope: Scope, label: int | None, drop: Drop
) -> Generator[Progress, None, Change]:
    labels = checked(labels, spacing, scope, label)
    draft = Draft(labels, scope)
    pieces = pieces_of(labels, spacing, scope)
    for done, piece in enumerate(pieces):
        voxels: list[Indices] = []
        owners: list[NDArray[np.intp]] = []
        count = 0
        targets = piece.targets(label, scope)
        for number, (value, window) in enumerate(targets):
            yield Progress(
                done * len(targets) + number, len(pieces) * len(targets), "looking at objects"
            )
            found, owner, dropped = _dropped(piece, value, window, scope, labels.shape, drop)
            voxels.append(found)
            owners.append(owner + count)
            count += dropped
        if count:
            together = tuple(np.concatenate(axis) for axis in zip(*voxels, strict=True))
            owner = np.concatenate(owners)
            surrounding = labels_around(piece, together, owner, count, without=scope.locked_labels)
            draft.write_voxels(piece.box, together, surrounding[owner])
    return draft.finish()


def _dropped(
    piece: Piece, value: int, window: Window, scope: Scope, shape: tuple[int, ...], drop: Drop
) -> tuple[Indices, NDArray[np.intp], int]:
    """Return the voxels of dropped objects, to which each belongs, and how many objects."""
    objects = list(objects_in(piece.labels[window] == value))
    sizes = np.array([np.count_nonzero(own) for _, own in objects])
    reached = np.ones(sizes.size, dtype=bool)
    if scope.region is not None or scope.selection is not None:
        for number, (box, own) in enumerate(objects):
            inside = _voxels(shifted(box, window), own)
            reached[number] = scope.covers(piece.whole(inside), shape).any()
    dropped = np.flatnonzero(drop(sizes, reached, piece.voxel))
    voxels = [_voxels(shifted(objects[n][0], window), objects[n][1]) for n in dropped]
    if not voxels:
        none = np.zeros(0, dtype=np.intp)
        return (none,) * piece.labels.ndim, none, 0
    owner = np.repeat(np.arange(dropped.size), sizes[dropped])
    return tuple(np.concatenate(axis) for axis in zip(*voxels, strict=True)), owner, dropped.size


def _voxels(box: Window, own: NDArray[np.bool_]) -> Indices:
    """Return the voxels of an object, as counted in the piece."""
    inside = np.nonzero(own)
    return tuple(axis + part.start for axis, part in zip(inside, box, strict=True))
