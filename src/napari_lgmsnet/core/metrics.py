"""How well a mask agrees with a reference."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import compute_dice
from numpy.typing import NDArray


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
