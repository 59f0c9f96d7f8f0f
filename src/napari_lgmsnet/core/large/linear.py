"""Linear interpolation of a part of an array, as torch does it on the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
"""Start and stop along one axis."""


def needed(target: Span, before: int, after: int) -> Span:
    """Return which cells of an axis are read for some cells of the resized axis.

    Parameters
    ----------
    target : Span
        On the resized axis.
    before, after : int
        Length of the axis before and after.
    """
    if before == after:
        return target
    first, second, _ = _weights(target, before, after)
    return int(first[0]), int(second[-1]) + 1


def interpolate_part(
    part: NDArray[np.float32],
    start: Sequence[int],
    before: Sequence[int],
    after: Sequence[int],
    target: Sequence[Span],
) -> NDArray[np.float32]:
    """Resize a part of an array to a part of the resized array.

    Parameters
    ----------
    part : float32 array (C, *n)
        Holds at least what :func:`needed` says.
    start : sequence of int
        Where the part begins along each axis.
    before, after : sequence of int
        Size of the whole array before and after.
    target : sequence of Span
        The part of the resized array.

    Returns
    -------
    float32 array (C, *m)
        As ``torch.nn.functional.interpolate(..., align_corners=False)`` gives on the whole, but
        for rounding.
    """
    for axis, (begin, old, new, span) in enumerate(
        zip(start, before, after, target, strict=True), start=1
    ):
        if old == new:
            part = np.take(part, np.arange(span[0], span[1]) - begin, axis=axis)
            continue
        first, second, share = _weights(span, old, new)
        shape = [1] * part.ndim
        shape[axis] = -1
        share = share.reshape(shape)
        low, high = (np.take(part, index - begin, axis=axis) for index in (first, second))
        part = low * (np.float32(1) - share) + high * share
    return part


def _weights(
    span: Span, before: int, after: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return both neighbours of each resized cell, and the second one's share, as torch has it."""
    scale = np.float32(before) / np.float32(after)
    cells = np.arange(*span, dtype=np.float32)
    place = np.maximum(scale * (cells + np.float32(0.5)) - np.float32(0.5), np.float32(0))
    first = np.minimum(place.astype(np.int64), before - 1)
    second = np.minimum(first + 1, before - 1)
    share = np.clip(place - first.astype(np.float32), 0, 1).astype(np.float32)
    return first, second, share
