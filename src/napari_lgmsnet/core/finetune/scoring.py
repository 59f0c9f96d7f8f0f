"""Answers of a network, and their overlap with what is labelled."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.finetune.pieces import Box, Piece
from napari_lgmsnet.core.finetune.split import Part
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.recipes import Recipe
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.core.windows import slide

_STRICT = 0.999


class Answers(Protocol):
    """What gives labels and probabilities of a piece, on the input's grid."""

    def __call__(self, piece: Piece) -> Generator[Progress, None, Tensor]:
        """Return logits (K, *S)."""
        ...


def network_answers(network: LGMSNet, recipe: Recipe, device: torch.device) -> Answers:
    """Return what asks a network, with the windows of a recipe."""
    network.to(device).eval()

    def answer(piece: Piece) -> Generator[Progress, None, Tensor]:
        return (yield from slide(network, piece.image, recipe.window, recipe.overlap, device))

    return answer


def labels_of_logits(logits: Tensor) -> NDArray[np.uint8]:
    """Return class numbers (*S) of logits (K, *S)."""
    chosen = logits[0] >= 0 if logits.shape[0] == 1 else logits.argmax(dim=0)
    return chosen.to(torch.uint8).numpy()


def renamed(labels: NDArray[np.uint8], mapping: dict[int, int]) -> NDArray[np.uint8]:
    """Return labels with other numbers."""
    table = np.zeros(256, dtype=np.uint8)
    for before, after in mapping.items():
        table[before] = after
    return table[labels]


def region(piece: Piece, box: Box) -> NDArray[np.bool_]:
    """Return which labelled voxels of a piece's own grid lie wholly in a box of its input."""
    if box == piece.whole:
        return piece.known
    inside = torch.full((2, *piece.image.shape[1:]), 0.0)
    inside[(slice(None), *box)] = 1.0
    held: NDArray[np.bool_] = piece.grid.restore(inside)[1].numpy() > _STRICT
    return held & piece.known


Overlaps = NDArray[np.float64]
"""Voxels of each class but background: in both, in the answer, in the mask; shape (K - 1, 3)."""


def overlaps(
    answer: NDArray[Any],
    labels: NDArray[Any],
    counts: NDArray[np.bool_],
    classes: int,
) -> Overlaps:
    """Count the voxels that make a Dice coefficient, where they count."""
    found, expected = answer[counts], labels[counts]
    return np.array(
        [
            [
                np.count_nonzero((found == k) & (expected == k)),
                np.count_nonzero(found == k),
                np.count_nonzero(expected == k),
            ]
            for k in range(1, classes)
        ],
        dtype=np.float64,
    )


def dice_of(table: Overlaps) -> NDArray[np.float64]:
    """Return Dice of each class: NaN where neither mask nor answer shows it, 0 if only one does."""
    size = table[:, 1] + table[:, 2]
    dice: NDArray[np.float64] = np.full(len(table), np.nan)
    np.divide(2 * table[:, 0], size, out=dice, where=size > 0)
    return dice


def mean_dice(tables: Sequence[Overlaps]) -> float:
    """Return the mean Dice over cases and classes; an empty answer to an empty mask counts as 1.

    A class that no case shows, neither in masks nor in answers, is left out.
    """
    stacked = np.stack([dice_of(table) for table in tables])
    shown = ~np.isnan(stacked).all(axis=0)
    if not shown.any():
        return 1.0
    return float(np.nan_to_num(stacked[:, shown], nan=1.0).mean())


def score_parts(
    answers: Answers, pieces: Sequence[Piece], parts: Sequence[Part], classes: int
) -> Generator[Progress, None, dict[int, Overlaps]]:
    """Return the overlaps of each case on the input's grid, quickly.

    Parameters
    ----------
    answers : Answers
    pieces : sequence of Piece
    parts : sequence of Part
        Which voxels count.
    classes : int
        Background included.
    """
    tables: dict[int, Overlaps] = {}
    for done, part in enumerate(parts):
        piece = pieces[part.piece]
        yield Progress(done, len(parts), f"asking for {piece.name}")
        labels = labels_of_logits((yield from answers(piece)))
        target = piece.target[0].numpy()[part.box].astype(np.int64) - 1
        table = overlaps(labels[part.box], target, target >= 0, classes)
        tables[piece.case] = tables.get(piece.case, 0.0) + table
    return tables
