"""Covering parts of a network's input, and the probability of a mask while that is done."""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.inspection import Inspection, windows
from napari_lgmsnet.core.postprocess import probabilities_from_logits
from napari_lgmsnet.core.types import Progress

Fill = Literal["blur", "mean"]
Box = tuple[slice, ...]


class Target:
    """The logits at the pixels of a mask, for which covered windows are exchanged.

    Parameters
    ----------
    inspection : Inspection
    class_number : int
    seen : bool array (pieces, *padded)
    """

    def __init__(self, inspection: Inspection, class_number: int, seen: NDArray[np.bool_]) -> None:
        self._inspection = inspection
        self._class = class_number
        self._seen = torch.from_numpy(seen)
        self._norm = inspection.inputs.norm
        self._answers: dict[tuple[int, int], Tensor] = {}
        self.pieces = [piece for piece in range(len(seen)) if seen[piece].any()]

    def size(self, piece: int) -> int:
        """Return the number of pixels of the mask."""
        return int(self._seen[piece].sum())

    def load(self) -> Generator[Progress, None, None]:
        """Run every window that holds some of the mask."""
        inputs = self._inspection.inputs
        pairs = [
            (piece, index)
            for piece, index in windows(inputs)
            if self._seen[piece][inputs.tiling.places[index]].any()
        ]
        for done, (piece, index) in enumerate(pairs):
            yield Progress(done, len(pairs), f"window {done + 1} of {len(pairs)}")
            place = inputs.tiling.places[index]
            window = inputs.pieces[piece][(slice(None), *place)]
            self._answers[piece, index] = self._answer(window, piece, index)

    def probability(self, piece: int, changed: dict[int, Tensor] | None = None) -> float:
        """Return the mean probability over the mask, with the answers of some windows changed."""
        inputs = self._inspection.inputs
        total = torch.zeros(0)
        for (owner, index), answer in self._answers.items():
            if owner != piece:
                continue
            if not total.numel():
                total = torch.zeros((answer.shape[0], *inputs.tiling.padded_size))
            place = inputs.tiling.places[index]
            region = self._seen[piece][place]
            total[(slice(None), *place)][:, region] += (changed or {}).get(index, answer)
        seen = self._seen[piece]
        probabilities = probabilities_from_logits(total[:, seen] / self._norm[seen])
        if len(probabilities) > 1:
            return float(probabilities[self._class].mean())
        mean = float(probabilities[0].mean())
        return mean if self._class else 1.0 - mean

    def covered(self, piece: int, part: Box, fill: str) -> float:
        """Return the mean probability over the mask with a part of the input covered."""
        inputs = self._inspection.inputs
        array = inputs.pieces[piece].clone()
        array[(slice(None), *part)] = torch.from_numpy(replacement(array.numpy(), part, fill))
        changed = {}
        for owner, index in self._answers:
            place = inputs.tiling.places[index]
            if owner == piece and _meet(part, place):
                changed[index] = self._answer(array[(slice(None), *place)], piece, index)
        return self.probability(piece, changed) if changed else self.probability(piece)

    def _answer(self, window: Tensor, piece: int, index: int) -> Tensor:
        """Return weighted logits (K, n) at the mask's pixels in a window."""
        inputs = self._inspection.inputs
        logits, _ = self._inspection.run_on(window)
        region = self._seen[piece][inputs.tiling.places[index]]
        return (logits * inputs.weights)[:, region]


def check_fill(fill: str) -> None:
    """Refuse what a part cannot be covered with.

    Raises
    ------
    InputError
        If there is no such way.
    """
    if fill not in get_args(Fill):
        raise InputError(
            f'a part cannot be filled by "{fill}": choose {" or ".join(get_args(Fill))}'
        )


def replacement(array: NDArray[np.float32], part: Box, fill: str) -> NDArray[np.float32]:
    """Return what a part of (C, *S) is covered with."""
    edges = [cut.stop - cut.start for cut in part]
    if fill == "blur":
        sigma = [edge / 2 for edge in edges]
        margin = [int(np.ceil(3 * s)) for s in sigma]
    else:
        margin = [max(2, edge // 4) for edge in edges]
    around = tuple(
        slice(max(0, cut.start - m), min(n, cut.stop + m))
        for cut, m, n in zip(part, margin, array.shape[1:], strict=True)
    )
    inner = tuple(
        slice(cut.start - out.start, cut.stop - out.start)
        for cut, out in zip(part, around, strict=True)
    )
    local = array[(slice(None), *around)]
    if fill == "blur":
        blurred: NDArray[np.float32] = ndimage.gaussian_filter(local, [0, *sigma], truncate=3.0)
        return blurred[(slice(None), *inner)]
    ring = np.ones(local.shape[1:], dtype=np.bool_)
    ring[inner] = False
    if not ring.any():
        ring[:] = True
    mean = local[:, ring].mean(axis=1).reshape(-1, *(1,) * len(part))
    return np.broadcast_to(mean, (len(array), *edges)).astype(np.float32)


def _meet(part: Box, place: Box) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(part, place, strict=True))
