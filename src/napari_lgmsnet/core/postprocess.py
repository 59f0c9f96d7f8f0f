"""From probabilities to labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def probabilities_from_logits(logits: Tensor) -> Tensor:
    """Return probabilities (K, *S): sigmoid of a single channel, softmax over several."""
    return logits.sigmoid() if logits.shape[0] == 1 else logits.softmax(dim=0)


def labels_from_probabilities(
    probabilities: NDArray[np.floating], threshold: float = 0.5
) -> NDArray[np.uint8]:
    """Return class numbers.

    A voxel belongs to its most probable foreground class if that class's share against
    background, p / (p + p_background), reaches the threshold. At 0.5 this is the usual
    decision: p >= 0.5 with one class, the most probable of all classes with several.

    Parameters
    ----------
    probabilities : float array (K, *S)
        One foreground probability, or those of all classes with background first.
    threshold : float
        0 to 1.

    Returns
    -------
    uint8 array (*S)
    """
    if probabilities.shape[0] == 1:
        return np.asarray(probabilities[0] >= threshold, dtype=np.uint8)
    foreground = probabilities[1:]
    best = foreground.max(axis=0)
    reached = best * (1 - threshold) >= probabilities[0] * threshold
    labels: NDArray[np.uint8] = np.where(reached, foreground.argmax(axis=0) + 1, 0).astype(np.uint8)
    return labels
