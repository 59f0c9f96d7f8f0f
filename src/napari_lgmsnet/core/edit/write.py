"""Write labels: another class, the slice beside, what a network proposes."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.components import Window, connected, overlap, window_of
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.pieces import blocks
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, check_target, checked
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.types import Progress


def replace(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    label: int,
    by: int,
) -> Generator[Progress, None, Change]:
    """Give the voxels of a class another one.

    Parameters
    ----------
    labels : integer array (Y, X) or (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
        With a selection from :func:`object_at`, a single object changes its class.
    label : int
        The class.
    by : int
        The label instead; 0 removes the class.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, labels and scope do not suit each other, or one of both labels is locked.
    """
    labels = checked(labels, spacing, scope, label)
    check_target(labels, scope, by)
    draft = Draft(labels, scope)
    window = scope.window(labels.shape)
    parts = list(blocks(window, (0,) * labels.ndim, labels.shape))
    for done, block in enumerate(parts):
        yield Progress(done, len(parts), "replacing")
        draft.write(block.core, labels[block.core] == label, by)
    return draft.finish()


def copy_slice(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    source: int,
    target: int,
    axis: int = 0,
    label: int | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, Change]:
    """Copy what is painted in one plane to another.

    Parameters
    ----------
    labels, spacing, scope
        As for :func:`replace`; a volume. The scope says where the target may change.
    source, target : int
        Planes across ``axis``.
    axis : int
    label : int, optional
        The class to copy; all without it.
    overwrite : bool
        Without it, background is painted and no more. With it, the target shows the class exactly
        as the source does: other labels are overwritten, and what it had too much is removed.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, label, planes and scope do not suit each other, or the label is locked.
    """
    labels = checked(labels, spacing, scope, label)
    if labels.ndim != 3 or not 0 <= axis < 3:
        raise GeometryError(f"a mask of shape {labels.shape} has no planes across axis {axis}")
    for plane in (source, target):
        if not 0 <= plane < labels.shape[axis]:
            raise GeometryError(
                f"there is no plane {plane}: the mask has {labels.shape[axis]} of them"
            )
    yield Progress(0, 1, f"copying plane {source} to {target}")
    draft = Draft(labels, scope)
    there, here = labels.take(source, axis), labels.take(target, axis)
    box = tuple(
        target if other == axis else slice(0, size) for other, size in enumerate(labels.shape)
    )
    painted, old = (
        np.asarray(plane > 0 if label is None else plane == label) for plane in (there, here)
    )
    where = painted if overwrite else painted & (here == 0)
    new = np.where(where, there, 0).astype(labels.dtype)
    if overwrite:
        where = where | old
    draft.write(box, where, new)
    return draft.finish()


def put(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    proposal: Labels,
    box: Window | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, Change]:
    """Write labels that a network, or anything else, proposes.

    Parameters
    ----------
    labels, spacing, scope
        As for :func:`replace`.
    proposal : integer array
        Labels for the box.
    box : tuple of slice, optional
        Slices with start and stop; the whole mask without it.
    overwrite : bool
        Without it only background is painted, so that nothing that is there is lost. With it the
        mask becomes the proposal, wherever the scope permits.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, proposal, box and scope do not suit each other.
    """
    labels = checked(labels, spacing, scope)
    box = box or tuple(slice(0, size) for size in labels.shape)
    if labels[box].shape != proposal.shape:
        raise GeometryError(
            f"the proposal has shape {proposal.shape}, the part of the mask {labels[box].shape}"
        )
    if proposal.size:
        check_target(labels, Scope(), int(proposal.max()))
    draft = Draft(labels, scope)
    window = scope.window(labels.shape)
    inside = overlap(window, box) if window else None
    parts = list(blocks(inside, (0,) * labels.ndim, labels.shape))
    for done, block in enumerate(parts):
        yield Progress(done, len(parts), "writing labels")
        start = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(block.core, box, strict=True)
        )
        old, new = labels[block.core], proposal[start]
        where = new != old
        if not overwrite:
            where &= old == 0
        draft.write(block.core, where, new)
    return draft.finish()


def object_at(labels: Labels, index: tuple[int, ...], axis: int | None = None) -> NDArray[np.bool_]:
    """Return the object under the pointer, as a selection for a :class:`Scope`.

    Parameters
    ----------
    labels : integer array
    index : tuple of int
        A voxel of the object.
    axis : int, optional
        Only the part of it in the plane across this axis.

    Returns
    -------
    bool array of the mask's shape
        Nothing where the voxel is background or does not exist.
    """
    selection = np.zeros(labels.shape, dtype=bool)
    if not all(0 <= place < size for place, size in zip(index, labels.shape, strict=True)):
        return selection
    value = labels[index]
    plane = tuple(index[other] if other == axis else slice(None) for other in range(labels.ndim))
    mask = labels[plane] == value
    window = window_of(mask) if value != 0 else None
    if window is None:
        return selection
    place = tuple(i for other, i in enumerate(index) if other != axis)
    objects, _ = connected(mask[window])
    number = objects[tuple(i - part.start for i, part in zip(place, window, strict=True))]
    selection[plane][window] = objects == number
    return selection
