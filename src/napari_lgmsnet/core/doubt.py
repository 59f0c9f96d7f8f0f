"""Where to look first: slices and regions in the order of how doubtful they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from napari_lgmsnet.core.components import Window, connected, objects_in, shifted, windows_of
from napari_lgmsnet.core.errors import GeometryError, InputError

Entropy = NDArray[np.floating]


@dataclass(frozen=True)
class DoubtfulSlice:
    """A plane, and how much of it is in doubt.

    Parameters
    ----------
    index : int
        Along the axis that was asked for.
    score : float
        Entropy times area, summed, in mm²: about the area that may be wrong.
    """

    index: int
    score: float


@dataclass(frozen=True, eq=False)
class DoubtfulRegion:
    """A connected region of high entropy.

    Parameters
    ----------
    score : float
        Entropy times size, summed, in mm² (image) or mm³ (volume).
    box : tuple of slice
        The smallest box around it.
    centre : tuple of int
        The voxel of the region where doubt is greatest: where to look.
    voxels : bool array of the box's shape
        Which voxels of the box belong to it.
    """

    score: float
    box: Window
    centre: tuple[int, ...]
    voxels: NDArray[np.bool_]

    def tick_off(self, done: NDArray[np.bool_]) -> None:
        """Mark the region's voxels as seen to.

        Parameters
        ----------
        done : bool array of the whole image's shape
            Changed in place.
        """
        done[self.box] |= self.voxels


def doubtful_slices(
    entropy: Entropy,
    spacing: tuple[float, ...],
    axis: int = 0,
    *,
    done: NDArray[np.bool_] | None = None,
) -> list[DoubtfulSlice]:
    """Return the planes of a volume, the most doubtful one first.

    Parameters
    ----------
    entropy : float array (Z, Y, X)
        0 to 1.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    axis : int
        The planes are those across this axis.
    done : bool array of the same shape, optional
        Voxels that a person has seen to: they count as certain.

    Returns
    -------
    list of DoubtfulSlice
        Planes without any doubt left are not in it.

    Raises
    ------
    GeometryError
        If the arrays do not suit each other.
    """
    _check(entropy, spacing, done)
    if entropy.ndim != 3 or not 0 <= axis < 3:
        raise GeometryError(f"entropy of shape {entropy.shape} has no planes across axis {axis}")
    others = tuple(other for other in range(3) if other != axis)
    where = True if done is None else ~done
    area = float(np.prod([spacing[other] for other in others]))
    total: NDArray[np.float64] = np.sum(entropy, axis=others, where=where, dtype=np.float64)
    sums = total * area
    order = np.argsort(-sums, kind="stable")
    return [DoubtfulSlice(int(index), float(sums[index])) for index in order if sums[index] > 0]


def doubtful_regions(
    entropy: Entropy,
    spacing: tuple[float, ...],
    *,
    done: NDArray[np.bool_] | None = None,
    threshold: float = 0.5,
    apart: float | None = None,
    limit: int = 100,
) -> list[DoubtfulRegion]:
    """Return regions of high entropy, the most doubtful one first.

    Nearly every outline has a thin rim of doubt, which would make one region of a whole organ.
    So connected regions are split around the peaks of the smoothed entropy.

    Parameters
    ----------
    entropy : float array (Y, X) or (Z, Y, X)
        0 to 1.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    done : bool array of the same shape, optional
        Voxels that a person has seen to: they belong to no region.
    threshold : float
        Voxels below are not doubtful. In an answer for one class, an entropy of 0.5 stands for a
        probability of 0.11 or 0.89.
    apart : float, optional
        How far two peaks are apart at least, in mm. Without it, ten times the smallest voxel
        size.
    limit : int
        How many regions are returned at most.

    Returns
    -------
    list of DoubtfulRegion

    Raises
    ------
    GeometryError, InputError
        If arrays do not suit each other, or a setting is out of range.
    """
    _check(entropy, spacing, done)
    apart = 10 * min(spacing) if apart is None else apart
    if not apart > 0 or not 0 <= threshold <= 1:
        raise InputError(
            f"regions of doubt need a threshold of 0 to 1 and a distance in mm above 0, not "
            f"{threshold} and {apart}"
        )
    doubtful = entropy >= threshold if threshold > 0 else entropy > 0
    if done is not None:
        doubtful &= ~done
    voxel = float(np.prod(spacing))
    found = []
    for box, mask in objects_in(doubtful):
        parts, smoothed = _split(entropy[box], mask, spacing, apart)
        for part, inner in windows_of(parts).items():
            voxels = parts[inner] == part
            place = np.argmax(np.where(voxels, smoothed[inner], -1))
            centre = np.unravel_index(place, voxels.shape)
            whole = shifted(inner, box)
            score = float(entropy[whole].sum(where=voxels, dtype=np.float64)) * voxel
            at = tuple(int(c) + p.start for c, p in zip(centre, whole, strict=True))
            found.append(DoubtfulRegion(score, whole, at, voxels))
    return sorted(found, key=lambda region: -region.score)[:limit]


def _split(
    entropy: Entropy, mask: NDArray[np.bool_], spacing: tuple[float, ...], apart: float
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the parts of a region, numbered from 1 on, and the smoothed entropy."""
    # What lies outside of the region must not blur into it.
    sigma = [apart / 4 / step for step in spacing]
    inside = np.where(mask, entropy, 0).astype(np.float32)
    smoothed = ndimage.gaussian_filter(inside, sigma, mode="constant")
    size = [2 * int(apart / step) + 1 for step in spacing]
    if all(n <= s // 2 + 1 for n, s in zip(mask.shape, size, strict=True)):
        return mask.astype(np.int32), smoothed
    highest = ndimage.maximum_filter(smoothed, size=size, mode="constant")
    peaks, count = connected((smoothed == highest) & mask)
    if count < 2:
        return mask.astype(np.int32), smoothed
    parts = watershed(-smoothed, peaks, mask=mask, connectivity=mask.ndim)
    return np.asarray(parts, dtype=np.int32), smoothed


def _check(entropy: Entropy, spacing: tuple[float, ...], done: NDArray[np.bool_] | None) -> None:
    if len(spacing) != entropy.ndim or not all(np.isfinite(s) and s > 0 for s in spacing):
        raise GeometryError(
            f"spacing {spacing} does not suit entropy of shape {entropy.shape}: give "
            f"{entropy.ndim} positive numbers"
        )
    if done is not None and (done.shape != entropy.shape or done.dtype != np.bool_):
        raise GeometryError(
            f"what is done has shape {done.shape} and type {done.dtype}, the entropy has shape "
            f"{entropy.shape}: give one boolean for each voxel"
        )
