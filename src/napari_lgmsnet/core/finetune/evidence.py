"""Do the masks belong to their images? A permutation test that no training can talk round.

For every case there is an answer that never saw this case's mask: a linear read-out of the
parent's features that was fitted to the other cases. If masks belong to their images, an answer
resembles the mask of its own image more than those of other images; if masks were exchanged, or
have nothing to do with the images, it does not, however well a mask fits the average of all masks.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice, permutations
from math import factorial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.finetune.pieces import Piece
from napari_lgmsnet.core.inspect.hooks import outputs_of
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.types import Progress

Floats = NDArray[np.float64]

FEWEST = 4
"""Of fewer cases there are too few arrangements to tell chance from sense."""

_STAGES = ("encoder1", "encoder2", "encoder3", "encoder4", "encoder5", "decoder4", "decoder3")
_CELLS = {2: 24, 3: 12}
_RIDGE = 0.1
_ARRANGEMENTS = 2000


def one_of_each_case(pieces: Sequence[Piece]) -> list[int]:
    """Return the piece of each case that shows most foreground, in the order of cases."""
    best: dict[int, tuple[float, int]] = {}
    for number, piece in enumerate(pieces):
        amount = float((piece.target > 1).float().mean())
        if amount > best.get(piece.case, (-1.0, 0))[0]:
            best[piece.case] = (amount, number)
    return [best[case][1] for case in sorted(best)]


def read_outs(
    network: LGMSNet, pieces: Sequence[Piece], device: torch.device
) -> Generator[Progress, None, list[Floats]]:
    """Return a map (cells,) of each piece from features, fitted to the other pieces' masks."""
    designs, masks, weights = [], [], []
    for done, piece in enumerate(pieces):
        yield Progress(done, len(pieces), f"looking at {piece.name}")
        designs.append(_features(network, piece, device))
        mask, known = coarse_mask(piece)
        masks.append(mask)
        weights.append(known)
    mean = np.mean([d.mean(axis=0) for d in designs], axis=0)
    spread = np.sqrt(np.mean([((d - mean) ** 2).mean(axis=0) for d in designs], axis=0)) + 1e-6
    designs = [np.c_[(d - mean) / spread, np.ones(len(d))] for d in designs]
    grams = [d.T @ (d * w[:, None]) for d, w in zip(designs, weights, strict=True)]
    sums = [d.T @ (m * w) for d, m, w in zip(designs, masks, weights, strict=True)]
    total, right = np.sum(grams, axis=0), np.sum(sums, axis=0)
    maps = []
    for design, gram, one in zip(designs, grams, sums, strict=True):
        others = total - gram
        others = others + _RIDGE * np.trace(others) / len(others) * np.eye(len(others))
        maps.append(design @ np.linalg.solve(others, right - one))
    return maps


def coarse_mask(piece: Piece) -> tuple[Floats, Floats]:
    """Return how much of each cell (cells,) is foreground, and how much of it is labelled."""
    known = (piece.target > 0).float()
    shown = _coarse((piece.target > 1).float())[0].ravel()
    labelled = _coarse(known)[0].ravel()
    share: Floats = np.divide(shown, labelled, out=np.zeros_like(shown), where=labelled > 0)
    return share, labelled


def resemblance(maps: Sequence[Floats], pieces: Sequence[Piece]) -> Floats:
    """Return how much each answer (rows) resembles each mask (columns), as correlation.

    Parameters
    ----------
    maps : sequence of arrays (cells,)
    pieces : sequence of Piece
    """
    masks = [coarse_mask(piece) for piece in pieces]
    return np.array([[_correlation(one, *mask) for mask in masks] for one in maps])


def chance(table: Floats) -> float:
    """Return how likely masks dealt out at random would resemble their images as much.

    Parameters
    ----------
    table : float array (n, n)
        As :func:`resemblance` gives it.
    """
    count = len(table)
    rows = np.arange(count)
    own = float(table[rows, rows].sum())
    if factorial(count) <= _ARRANGEMENTS:
        every = np.array(list(islice(permutations(range(count)), _ARRANGEMENTS)))
    else:
        generator = np.random.default_rng(0)
        every = np.array([generator.permutation(count) for _ in range(_ARRANGEMENTS)])
        every[0] = rows
    reached = table[rows, every].sum(axis=1) >= own - 1e-9
    return float(reached.mean())


def _features(network: LGMSNet, piece: Piece, device: torch.device) -> Floats:
    with torch.inference_mode(), outputs_of(network.to(device).eval(), _STAGES) as found:
        network(piece.image[None].to(device))
        maps = [_coarse(out[0].float().cpu()) for out in found.values()]
    return np.concatenate(maps).reshape(sum(len(one) for one in maps), -1).T


def _coarse(tensor: Tensor) -> Floats:
    """Bring (C, *S) to the cells of the test."""
    size = _CELLS[tensor.ndim - 1]
    average = F.adaptive_avg_pool2d if tensor.ndim == 3 else F.adaptive_avg_pool3d
    return np.asarray(average(tensor, size).double().numpy())


def _correlation(values: Floats, mask: Floats, weights: Floats) -> float:
    total = weights.sum()
    if total == 0:
        return 0.0
    a = values - (values * weights).sum() / total
    b = mask - (mask * weights).sum() / total
    spread = np.sqrt((a * a * weights).sum() * (b * b * weights).sum())
    return float((a * b * weights).sum() / spread) if spread > 0 else 0.0
