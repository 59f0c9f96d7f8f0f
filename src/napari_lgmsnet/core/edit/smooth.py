"""Smooth borders without losing a class."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lgmsnet.core.components import Window, around, overlap, widened, windows_of, within
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.pieces import Block, Piece, blocks, pieces_of
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, checked
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Progress

_TRUNCATE = 3.0
# Votes in single precision that differ by less were the same before rounding.
_TIE = 1e-5


def smooth(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    width: float,
    label: int | None = None,
) -> Generator[Progress, None, Change]:
    """Smooth borders: each voxel takes the label that weighs most around it.

    All labels, background included, vote with Gaussian weights, so that no gap opens between
    two classes. A border with radius of curvature R moves inwards by about ``width**2 / R`` in a
    volume (half of that in an image), and specks much smaller than ``width`` disappear; a label
    that would disappear altogether stays as it was.

    Parameters
    ----------
    labels : integer array (Y, X) or (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
    width : float
        Standard deviation of the Gaussian weights, in mm.
    label : int, optional
        Only voxels that this class gains or loses change.

    Yields
    ------
    Progress

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, label and scope do not suit each other, the label is locked, or the width is not
        above 0.
    """
    labels = checked(labels, spacing, scope, label)
    if not (np.isfinite(width) and width > 0):
        raise InputError(f"the width of smoothing is a number of mm above 0, not {width}")
    draft = Draft(labels, scope)
    pieces = pieces_of(labels, spacing, scope)
    for done, piece in enumerate(pieces):
        sigma = tuple(width / step for step in piece.spacing)
        reach = tuple(int(_TRUNCATE * s + 0.5) for s in sigma)
        window = _touched(piece, label, reach)
        parts = list(blocks(window, reach, piece.labels.shape))
        for number, block in enumerate(parts):
            yield Progress(done * len(parts) + number, len(pieces) * len(parts), "smoothing")
            seen = piece.labels[block.halo]
            if (seen == seen.flat[0]).all():
                continue
            new = _vote(seen, block, sigma, reach)
            old = piece.labels[block.core]
            where = new != old
            if label is not None:
                where &= (new == label) | (old == label)
            draft.write(piece.part(block.core), where, new)
    return draft.finish(preserve=True)


def _touched(piece: Piece, label: int | None, reach: tuple[int, ...]) -> Window | None:
    """Return the box within which smoothing can change anything."""
    boxes = windows_of(piece.labels) if label is None else dict(piece.targets(label, EVERYWHERE))
    box = around(boxes.values())
    return None if box is None else overlap(widened(box, reach, piece.labels.shape), piece.window)


def _vote(labels: Labels, block: Block, sigma: tuple[float, ...], reach: tuple[int, ...]) -> Labels:
    """Return the winning labels of a block's core."""
    inner = block.inner
    old = labels[inner]
    background = np.ones(old.shape, dtype=np.float32)
    own = np.zeros(old.shape, dtype=np.float32)
    best = np.zeros(old.shape, dtype=np.float32)
    new = np.zeros(old.shape, dtype=old.dtype)
    for value, window in windows_of(labels).items():
        seen = widened(window, reach, labels.shape)
        core = overlap(seen, inner)
        if core is None:
            continue
        # Beyond its reach a label has no vote, so the border of the box repeats zeros, unless it
        # is the border of the image, where the mask is taken to go on.
        mask = (labels[seen] == value).astype(np.float32)
        share = ndimage.gaussian_filter(mask, sigma, mode="nearest", truncate=_TRUNCATE)
        share = share[within(core, seen)]
        here = within(core, inner)
        background[here] -= share
        own[here] = np.where(old[here] == value, share, own[here])
        _take(best[here], new[here], share, value)
    own = np.where(old == 0, background, own)
    _take(best, new, background, 0)
    return np.where(best > own + _TIE, new, old)


def _take(best: NDArray[np.float32], new: Labels, share: NDArray[np.float32], value: int) -> None:
    """Let a label take the voxels where its vote is the largest so far; in place."""
    better = share > best + np.float32(_TIE)
    best[better] = share[better]
    new[better] = value
