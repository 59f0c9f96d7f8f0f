"""Clicks that correct a mask: where the network is wrong, and only there.

A click on a voxel says that it belongs to a class, or does not. How far the correction may reach
is read off the mask: whoever clicks into the middle of what is wrong is about as far from the
mask's edge as the error is wide. Within this reach the network's probabilities lose their hold,
and a random walk (:mod:`~napari_lgmsnet.core.refine.walk`) lets the click spread over cells with
like intensities and like probabilities; beyond twice the reach nothing changes at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.transform import resize

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.refine.walk import walk

Floats = NDArray[np.float64]
Box = tuple[slice, ...]

REACH_OF_POSITIVE, REACH_OF_NEGATIVE = 3.0, 2.0
"""Reach of a click, in distances from the mask's edge. Taking away goes less far: what is wrong
is often a part of an object whose rest is right."""
SMALLEST, LARGEST = 0.03, 0.35
"""Ends of the reach, as shares of the image's shortest side (of those that are not short)."""
SPOT = 0.012
"""Radius of what a click itself decides, as a share of the same side."""
SMOOTHING = 1 / 128
PROBABILITY_WEIGHT = 3.0
INTENSITY_SPREAD = 1.7
"""Intensities are brought to this standard deviation: how much they separate cells."""
HOLD = 1e-4
"""Strength of the prior within reach of a click."""
SURE = 0.95
"""Probability given to voxels where the mask says otherwise than the network."""
CELLS = {2: 10_000, 3: 40_000}
"""Cells of the grid a click is worked out on, at most."""


@dataclass(frozen=True)
class Click:
    """What a person says of one voxel.

    Parameters
    ----------
    index : tuple of int
    positive : bool
        Whether it belongs to the class that is corrected.
    """

    index: tuple[int, ...]
    positive: bool


@dataclass(frozen=True)
class Correction:
    """What a click changes.

    Parameters
    ----------
    click : Click
    box : tuple of slice
        The only part of the volume where anything changes.
    changed : bool array, of the shape of the box
        Voxels that join the class (positive click) or leave it.
    before : float32 array, of the shape of the box
        Probabilities as they were, to take the click back.
    """

    click: Click
    box: Box
    changed: NDArray[np.bool_]
    before: NDArray[np.float32]


class Refiner:
    """Corrects one class of a mask, click by click.

    Parameters
    ----------
    intensities : array (*S) or (*S, C)
        The image. Three or four 8-bit channels are taken for colours.
    probability : float array (*S), optional
        What the network says of this class, 0 to 1. Without it the mask alone is what is known.
    spacing : tuple of float
        Voxel size along each axis.

    Raises
    ------
    InputError
        If the shapes contradict each other.

    Notes
    -----
    Memory: a float32 copy of the probability. A click reads and writes a box around it.
    """

    def __init__(
        self,
        intensities: NDArray[np.generic],
        probability: NDArray[np.floating] | None,
        spacing: tuple[float, ...],
    ) -> None:
        dimensions = len(spacing)
        if intensities.ndim not in (dimensions, dimensions + 1) or dimensions not in CELLS:
            raise InputError(
                f"an image with {intensities.ndim} axes does not suit {dimensions} voxel sizes: "
                "clicks work on images (2 axes) and volumes (3 axes)"
            )
        shape = intensities.shape[:dimensions]
        if probability is not None and probability.shape != shape:
            raise InputError(
                f"probabilities of shape {probability.shape} do not lie on an image of {shape}"
            )
        self._intensities = intensities
        self._spread: Floats | None = None
        self._spacing = np.asarray(spacing, dtype=float)
        self._probability = None if probability is None else np.array(probability, dtype=np.float32)
        self.corrections: list[Correction] = []

    def click(self, mask: NDArray[np.bool_], click: Click, share: float = 1.0) -> Correction:
        """Return what a click changes in a mask, and remember it.

        Parameters
        ----------
        mask : bool array (*S)
            The class as it is now, brush strokes included; it is not altered.
        click : Click
        share : float
            How far it reaches, compared with what is read off the mask.

        Raises
        ------
        InputError
            If the click lies outside of the image.
        """
        shape = self._intensities.shape[: len(self._spacing)]
        if mask.shape != shape:
            raise InputError(f"a mask of shape {mask.shape} does not lie on an image of {shape}")
        if len(click.index) != len(shape) or not all(
            0 <= i < n for i, n in zip(click.index, shape, strict=True)
        ):
            raise InputError(f"the click at {click.index} lies outside of the image {shape}")
        if self._probability is None:
            self._probability = np.where(mask, SURE, 1 - SURE).astype(np.float32)
        reach = share * self._reach(mask, click)
        box = self._around(click.index, 2 * reach)
        now = self._agreeing(box, mask[box])
        after = self._spread_out(box, now, click, reach)
        turned = (after > 0.5) & ~mask[box] if click.positive else (after <= 0.5) & mask[box]
        correction = Correction(click, box, turned, self._probability[box].copy())
        self._probability[box] = after
        self.corrections.append(correction)
        return correction

    def undo(self) -> Correction | None:
        """Take the last click back; return what it had changed, or None if there is none."""
        if not self.corrections:
            return None
        correction = self.corrections.pop()
        assert self._probability is not None
        self._probability[correction.box] = correction.before
        return correction

    @property
    def _side(self) -> float:
        """Return the image's shortest extent, of the two longest (volumes are often flat)."""
        extents = sorted(np.array(self._intensities.shape[: len(self._spacing)]) * self._spacing)
        return float(extents[-2])

    def _reach(self, mask: NDArray[np.bool_], click: Click) -> float:
        """Return how far a click may reach, in the unit of the spacing."""
        factor = REACH_OF_POSITIVE if click.positive else REACH_OF_NEGATIVE
        low, high = SMALLEST * self._side, LARGEST * self._side
        box = self._around(click.index, high / factor + 2 * float(self._spacing.max()))
        centre = tuple(i - part.start for i, part in zip(click.index, box, strict=True))
        here = mask[box]
        same = here if here[centre] else ~here
        if same.all():
            return high
        distance = ndimage.distance_transform_edt(same, sampling=self._spacing)
        return float(np.clip(factor * distance[centre], low, high))

    def _around(self, index: tuple[int, ...], radius: float) -> Box:
        """Return the box of all voxels within a radius."""
        shape = self._intensities.shape
        cells = [ceil(radius / step) for step in self._spacing]
        return tuple(
            slice(max(0, i - n), min(size, i + n + 1))
            for i, n, size in zip(index, cells, shape, strict=False)
        )

    def _agreeing(self, box: Box, mask: NDArray[np.bool_]) -> Floats:
        """Return probabilities that say what the mask says, which a person may have painted."""
        assert self._probability is not None
        probability = self._probability[box].astype(np.float64)
        other = (probability > 0.5) != mask
        probability[other] = np.where(mask[other], SURE, 1 - SURE)
        return probability

    def _spread_out(self, box: Box, now: Floats, click: Click, reach: float) -> Floats:
        """Return the probabilities in a box after a click."""
        size = now.shape
        factor = max(1.0, (now.size / CELLS[now.ndim]) ** (1 / now.ndim))
        cells = tuple(max(1, ceil(n / factor)) for n in size)
        prior = _resized(now, cells)
        features = np.concatenate(
            [_resized(self._features(box), cells), PROBABILITY_WEIGHT * prior[..., np.newaxis]],
            axis=-1,
        )
        steps = self._spacing * np.array(size) / np.array(cells)
        distance = self._distance(box, cells, click.index)
        wrong = (prior < 0.5) if click.positive else (prior >= 0.5)
        ramp = np.clip((distance - reach) / reach, 0.0, 1.0)
        strength = np.where(wrong, HOLD + (1.0 - HOLD) * ramp, 1.0)
        given, values = self._given(box, cells, float(steps.max()), click)
        answer = walk(features, tuple(steps), prior, strength, given, values)
        # The difference is brought back, not the answer: fine detail of what stays is kept.
        after = now + _resized(answer - prior, size)
        after = np.maximum(after, now) if click.positive else np.minimum(after, now)
        outside = self._distance(box, size, click.index) > 2 * reach
        after[outside] = now[outside]
        given, values = self._given(box, size, 0.0, click)
        after[given] = values[given]
        return np.clip(after, 0.0, 1.0)

    def _features(self, box: Box) -> Floats:
        """Return intensities of a box (*S, C), smoothed, at the scale that separates cells."""
        data = np.asarray(self._intensities[box])
        dimensions = len(self._spacing)
        channels = data.shape[-1] if data.ndim > dimensions else 1
        if channels in (3, 4) and data.dtype == np.uint8:
            values = rgb2lab(data[..., :3]) / 10.0
        else:
            values = data.reshape(*data.shape[:dimensions], channels).astype(np.float64)
            values = values / self._intensity_scale(channels)
        sigma = np.maximum(SMOOTHING * self._side / self._spacing, 0.5)
        return np.asarray(ndimage.gaussian_filter(values, (*sigma, 0.0)))

    def _intensity_scale(self, channels: int) -> Floats:
        """Return what each channel is divided by; worked out once, from a part of the voxels."""
        if self._spread is None:
            shape = self._intensities.shape[: len(self._spacing)]
            thin = tuple(slice(None, None, max(1, n // 64)) for n in shape)
            part = np.asarray(self._intensities[thin], dtype=np.float64).reshape(-1, channels)
            low, high = np.percentile(part, (2, 98), axis=0)
            spread = np.clip(part, low, high).std(axis=0)
            self._spread = np.where(spread > 0, spread, 1.0) / INTENSITY_SPREAD
        return self._spread

    def _distance(self, box: Box, cells: tuple[int, ...], index: tuple[int, ...]) -> Floats:
        """Return how far each cell's middle lies from a voxel."""
        squared = np.zeros(cells)
        for axis, (part, count) in enumerate(zip(box, cells, strict=True)):
            step = (part.stop - part.start) / count
            place = (np.arange(count) + 0.5) * step - 0.5 + part.start - index[axis]
            shape = [-1 if a == axis else 1 for a in range(len(cells))]
            squared = squared + (place * self._spacing[axis]).reshape(shape) ** 2
        return np.sqrt(squared)

    def _given(
        self, box: Box, cells: tuple[int, ...], least: float, click: Click
    ) -> tuple[NDArray[np.bool_], Floats]:
        """Return which cells clicks decide, and how; later clicks decide over earlier ones."""
        given, values = np.zeros(cells, dtype=bool), np.zeros(cells)
        radius = max(SPOT * self._side, 0.75 * least)
        for one in (*(correction.click for correction in self.corrections), click):
            distance = self._distance(box, cells, one.index)
            # In a grid whose steps differ much, the nearest cell may lie outside of the radius.
            near = distance <= max(radius, float(distance.min()) if one is click else 0.0)
            given |= near
            values[near] = float(one.positive)
        return given, values


def _resized(array: Floats, size: tuple[int, ...]) -> Floats:
    """Return an array on a grid of another size that covers the same extent."""
    if array.shape[: len(size)] == size:
        return array
    smaller = any(new < old for new, old in zip(size, array.shape, strict=False))
    shape = (*size, *array.shape[len(size) :])
    resized = resize(array, shape, order=1, anti_aliasing=smaller, preserve_range=True)
    return np.asarray(resized, dtype=np.float64)
