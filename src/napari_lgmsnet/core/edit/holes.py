"""Fill holes: background that an object encloses."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_lgmsnet.core.components import connected_by_faces, on_border, window_of
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.pieces import Piece, pieces_of
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, checked
from napari_lgmsnet.core.edit.surroundings import labels_around
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Progress


def fill_holes(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    label: int | None = None,
    up_to: float | None = None,
) -> Generator[Progress, None, Change]:
    """Fill background that is enclosed; other labels are never overwritten.

    A hole does not reach the border of the image (of the plane in 2D, of the volume in 3D) along
    faces of voxels. With a class, holes are what that class alone encloses and touches. Without
    one they are what any labels enclose together, and become the label that touches them most.

    Parameters
    ----------
    labels : integer array (Y, X) or (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
        Holes are judged whole, and filled where the scope permits.
    label : int, optional
        The class.
    up_to : float, optional
        Larger holes stay: mm² where images or planes are treated, mm³ in 3D.

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
    labels = checked(labels, spacing, scope, label)
    if up_to is not None and not up_to >= 0:
        raise InputError(f"the size of holes is 0 or more, not {up_to}")
    draft = Draft(labels, scope)
    pieces = pieces_of(labels, spacing, scope)
    for done, piece in enumerate(pieces):
        yield Progress(done, len(pieces), "looking for holes")
        _fill(piece, label, up_to, scope, draft)
    return draft.finish()


def _fill(piece: Piece, label: int | None, up_to: float | None, scope: Scope, draft: Draft) -> None:
    wall = piece.labels > 0 if label is None else piece.labels == label
    window = window_of(wall)
    if window is None:
        return
    # The box is tight: what reaches its border is open, or lies at the border of the image.
    outside = ~wall[window]
    parts, count = connected_by_faces(outside)
    enclosed = outside & ~on_border(parts, count)[parts] & (piece.labels[window] == 0)
    if not enclosed.any():
        return
    holes, count = connected_by_faces(enclosed)
    voxels = np.nonzero(enclosed)
    owner = holes[voxels].astype(np.intp) - 1
    voxels = tuple(axis + part.start for axis, part in zip(voxels, window, strict=True))
    sizes = np.bincount(owner, minlength=count) * piece.voxel
    fill = np.ones(count, dtype=bool) if up_to is None else sizes <= up_to * (1 + 1e-9)
    if label is None:
        values = labels_around(piece, voxels, owner, count, without=scope.locked_labels)
    else:
        values = np.full(count, label, dtype=piece.labels.dtype)
        # What lies in another class within this one is that class's hole.
        fill &= labels_around(piece, voxels, owner, count, only=label) == label
    keep = fill[owner]
    draft.write_voxels(piece.box, tuple(axis[keep] for axis in voxels), values[owner[keep]])
