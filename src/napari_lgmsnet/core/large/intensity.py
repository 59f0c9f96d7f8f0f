"""What scaling needs to know of all intensities, gathered part by part, exactly.

Percentiles come from order statistics: the bits of a float, read as a whole number after a change
of sign, are in the order of the floats, so two rounds of counting (upper and lower 16 bits) find
any of them without sorting.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.large.linear import Span
from napari_lgmsnet.core.large.source import Prepared
from napari_lgmsnet.core.recipes import Intensity
from napari_lgmsnet.core.types import Progress

Box = tuple[Span, ...]
Each = Callable[..., Iterator[Any]]
"""Runs a function with shared arguments for each box, and yields what it returns."""

PERCENTILES = (0.5, 99.5)
_HALF = 2**16
_LOOKING = Progress(0, 0, "looking at the intensities")


@dataclass(frozen=True)
class Scaling:
    """How intensities are scaled, as numbers.

    Parameters
    ----------
    low, high : float
        Intensities are clipped to these.
    shift, scale : float
        Subtracted, and then divided by.
    crop : tuple of Span, optional
        The part of the resampled volume that the network sees; all of it without.
    """

    low: float
    high: float
    shift: float
    scale: float
    crop: Box | None = field(default=None)

    def apply(self, array: NDArray[np.float32], intensity: Intensity) -> NDArray[np.float32]:
        """Scale intensities, as :func:`~napari_lgmsnet.core.preprocess.scale_intensity` does."""
        if intensity.kind == "range":
            share = (array - intensity.low) / (intensity.high - intensity.low)
            return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float32)
        scaled: NDArray[np.float32] = np.clip(array, self.low, self.high, dtype=np.float32)
        # In double precision as in memory, but a plane at a time.
        for plane in scaled.reshape(-1, *scaled.shape[2:]):
            plane[...] = (plane.astype(np.float64) - self.shift) / self.scale
        return scaled


def find_scaling(
    prepared: Prepared, boxes: Sequence[Box], each: Each
) -> Generator[Progress, None, Scaling]:
    """Look at all intensities as often as needed.

    Parameters
    ----------
    prepared : Prepared
    boxes : sequence of Box
        Parts that together are the resampled volume.
    each : callable
        Calls a function of this module with the volume, some shared arguments and each box.

    Raises
    ------
    InputError
        If the recipe scales intensities in a way that is for pictures only.
    """
    recipe = prepared.recipe
    scaling = Scaling(recipe.intensity.low, recipe.intensity.high, 0.0, 1.0)
    if recipe.intensity.kind == "zscore":
        count = prepared.channels * int(np.prod(prepared.resampled))
        ranks = [(count - 1) * share / 100 for share in PERCENTILES]
        wanted = sorted({int(np.floor(r)) for r in ranks} | {int(np.ceil(r)) for r in ranks})
        upper = np.zeros(_HALF, np.int64)
        for counts in each(count_upper, boxes):
            upper += counts
            yield _LOOKING
        ends = np.cumsum(upper)
        buckets = sorted({int(np.searchsorted(ends, rank, side="right")) for rank in wanted})
        lower = np.zeros((len(buckets), _HALF), np.int64)
        for counts in each(count_lower, boxes, buckets):
            lower += counts
            yield _LOOKING
        values = {rank: _value(rank, ends, upper, buckets, lower) for rank in wanted}
        low, high = (_between(values, rank) for rank in ranks)
        moments = Moments()
        for found in each(moments_of, boxes, low, high):
            moments = moments.joined(found)
            yield _LOOKING
        spread = np.sqrt(moments.squares / max(1, moments.count))
        scaling = Scaling(low, high, moments.mean, max(float(spread), 1e-6))
    elif recipe.intensity.kind != "range":
        raise InputError(
            f'the recipe "{recipe.title}" scales intensities as for pictures, which cannot be done '
            "block by block: choose another recipe, or segment it in memory"
        )
    if recipe.crop_foreground:
        found_boxes: list[Box] = []
        for one in each(foreground_of, boxes, scaling, recipe.intensity):
            found_boxes += [] if one is None else [one]
            yield _LOOKING
        scaling = Scaling(
            scaling.low, scaling.high, scaling.shift, scaling.scale, _around(found_boxes)
        )
    return scaling


def count_upper(prepared: Prepared, box: Box) -> NDArray[np.int64]:
    """Count the upper halves of a part's numbers."""
    return np.bincount(_ordered(prepared.part(box)) >> 16, minlength=_HALF)


def count_lower(prepared: Prepared, buckets: list[int], box: Box) -> NDArray[np.int64]:
    """Count the lower halves of those of a part's numbers that have some upper halves."""
    numbers = _ordered(prepared.part(box))
    upper = numbers >> 16
    return np.stack(
        [np.bincount(numbers[upper == one] & (_HALF - 1), minlength=_HALF) for one in buckets]
    )


@dataclass(frozen=True)
class Moments:
    """Count, mean, and sum of squared distances from the mean, of some numbers."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def joined(self, other: Moments) -> Moments:
        """Return those of both (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        if count == 0:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        squares = self.squares + other.squares + apart**2 * self.count * other.count / count
        return Moments(count, mean, squares)


def moments_of(prepared: Prepared, low: float, high: float, box: Box) -> Moments:
    """Return the moments of a part, clipped."""
    clipped = np.clip(prepared.part(box), low, high, dtype=np.float32)
    mean = clipped.mean(dtype=np.float64)
    squares = np.square(clipped - mean, dtype=np.float64).sum()
    return Moments(clipped.size, float(mean), float(squares))


def foreground_of(
    prepared: Prepared, scaling: Scaling, intensity: Intensity, box: Box
) -> Box | None:
    """Return the box around what is above zero in a part, in the whole's voxels."""
    above = scaling.apply(prepared.part(box), intensity).max(axis=0) > 0
    if not above.any():
        return None
    spans = []
    for axis, (start, _) in enumerate(box):
        others = tuple(other for other in range(above.ndim) if other != axis)
        hits = np.flatnonzero(above.any(axis=others))
        spans.append((start + int(hits[0]), start + int(hits[-1]) + 1))
    return tuple(spans)


def _around(boxes: Iterable[Box]) -> Box | None:
    ends = [*zip(*boxes, strict=True)]
    return tuple((min(a for a, _ in one), max(b for _, b in one)) for one in ends) or None


def _ordered(array: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return whole numbers from 0 to 2**32 - 1 in the order of the floats."""
    bits = (array + np.float32(0)).ravel().view(np.uint32)  # -0 becomes 0
    flipped = np.where(bits >> 31, ~bits, bits | np.uint32(2**31))
    return flipped.astype(np.int64)


def _value(
    rank: int,
    ends: NDArray[np.int64],
    upper: NDArray[np.int64],
    buckets: list[int],
    lower: NDArray[np.int64],
) -> float:
    bucket = int(np.searchsorted(ends, rank, side="right"))
    within = rank - int(ends[bucket] - upper[bucket])
    low = int(np.searchsorted(np.cumsum(lower[buckets.index(bucket)]), within, side="right"))
    number = np.uint32((bucket << 16) | low)
    bits = number & np.uint32(2**31 - 1) if number >> 31 else ~number
    return float(np.array([bits], np.uint32).view(np.float32)[0])


def _between(values: dict[int, float], rank: float) -> float:
    low, high = values[int(np.floor(rank))], values[int(np.ceil(rank))]
    return float(np.float32(low + (high - low) * (rank - np.floor(rank))))
