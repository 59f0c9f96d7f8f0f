"""How well a mask agrees with a reference."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import compute_dice
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree


def dice_per_class(
    labels: NDArray[np.integer], reference: NDArray[np.integer], classes: int
) -> NDArray[np.float64]:
    """Return the Dice coefficient of every foreground class.

    Parameters
    ----------
    labels, reference : integer arrays of the same shape
        Class numbers.
    classes : int
        Number of classes, background included.

    Returns
    -------
    float64 array (classes - 1,)
        NaN where the reference does not show the class.
    """
    numbers = range(1, classes)
    one_hot = [
        torch.from_numpy(np.stack([np.asarray(a) == k for k in numbers])[None].astype(np.uint8))
        for a in (labels, reference)
    ]
    return compute_dice(one_hot[0], one_hot[1], ignore_empty=True)[0].double().numpy()


def iou_from_dice(dice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union that belongs to a Dice coefficient of one image."""
    return dice / (2 - dice)


def surface_distances(
    mask: NDArray[np.bool_], reference: NDArray[np.bool_], steps: NDArray[np.float64]
) -> tuple[float, float]:
    """Return how far the surfaces of two shapes are apart.

    The figures are those of MONAI's ``compute_hausdorff_distance(percentile=95)`` and
    ``compute_average_surface_distance(symmetric=True)``: distances between centres of border
    voxels. They are looked up in a tree of these voxels instead of a distance transform, which
    takes less time and memory, and holds for any affine.

    Parameters
    ----------
    mask, reference : bool arrays of the same shape
        Neither of them empty. What is cut off with a box around both does not matter.
    steps : float64 array (d, d)
        Column i is one step along axis i, in world units: the affine without its last row and
        column.

    Returns
    -------
    hd95, average : float
        In world units.
    """
    one, other = _away_from_zero(*(_border(shape) @ steps.T for shape in (mask, reference)))
    there = KDTree(other).query(one)[0]
    back = KDTree(one).query(other)[0]
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(hd95), float(np.concatenate([there, back]).mean())


def _away_from_zero(*sets: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Move sets of points (n, d) together to where each coordinate is one or two spreads.

    Where many points have a coordinate of 0, SciPy splits them between 0 and the number next to
    it. A process that takes such small numbers for 0, as one that trains does, cannot tell the
    halves apart, and it would end for want of stack.
    """
    low = np.min([points.min(axis=0) for points in sets], axis=0)
    spread = np.max([points.max(axis=0) for points in sets], axis=0) - low
    return [points - low + np.where(spread > 0, spread, 1.0) for points in sets]


def _border(shape: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the indices (n, d) of voxels with a face that is not covered by another one."""
    return np.argwhere(shape & ~ndimage.binary_erosion(shape)).astype(np.float64)
