"""From probabilities to labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_CELLS = 2**20
"""Voxels decided on at a time."""


def probabilities_from_logits(logits: Tensor) -> Tensor:
    """Return probabilities (K, *S): sigmoid of a single channel, softmax over several.

    They may take the place of the logits, which are of no use afterwards.
    """
    return logits.sigmoid_() if logits.shape[0] == 1 else logits.softmax(dim=0)


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
    labels = np.empty(probabilities.shape[1:], np.uint8)
    # A part at a time: between them lie numbers that are much larger than a label.
    rows = max(1, _CELLS * len(labels) // max(1, labels.size))
    for start in range(0, len(labels), rows):
        part = probabilities[:, start : start + rows]
        into = labels[start : start + rows]
        if probabilities.shape[0] == 1:
            into[...] = part[0] >= threshold
            continue
        foreground = part[1:]
        best = foreground.max(axis=0)
        reached = best * (1 - threshold) >= part[0] * threshold
        into[...] = np.where(reached, foreground.argmax(axis=0) + 1, 0)
    return labels
