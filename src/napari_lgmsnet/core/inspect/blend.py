"""Answers of overlapping windows on one grid of cells."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.inputs import Inputs
from napari_lgmsnet.core.inspect.stages import COARSEST

MEMORY_LIMIT = 3 * 2**30
"""Bytes that the answer of one stage may take."""


class Blend:
    """Sums up what a part of a network answers in each window, with the windows' weights.

    Windows start at multiples of a cell, so cells of different windows coincide: they are
    blended with the same Gaussian weights as logits are, averaged over the cell.

    Parameters
    ----------
    name : str
        Of the part.
    inputs : Inputs
    bounded : bool
        Whether it may take no more than :data:`MEMORY_LIMIT`.
    """

    def __init__(self, name: str, inputs: Inputs, *, bounded: bool = True) -> None:
        self.name = name
        self.stride: tuple[int, ...] = ()
        self._inputs = inputs
        self._bounded = bounded
        self._total = torch.zeros(0)
        self._norm = torch.zeros(0)
        self._weights = torch.zeros(0)

    def add(self, values: Tensor, piece: int, place: tuple[slice, ...]) -> None:
        """Add what was answered in a window.

        Parameters
        ----------
        values : float32 tensor (C, *cells)
        piece : int
        place : tuple of slice
            The window on the padded input.

        Raises
        ------
        InputError
            If the answer of the whole image would not fit into memory.
        """
        if not self.stride:
            self._start(values)
        cells = cells_of(place, self.stride)
        self._total[:, piece][(slice(None), *cells)] += values * self._weights

    def blended(self) -> Tensor:
        """Return the answer (C, pieces, *cells) on the padded input of every piece."""
        return self._total.div_(self._norm)

    def _start(self, values: Tensor) -> None:
        tiling = self._inputs.tiling
        size = tuple(values.shape[1:])
        stride = tuple(w // n for w, n in zip(tiling.window, size, strict=True))
        fits = (s * n == w for s, n, w in zip(stride, size, tiling.window, strict=True))
        if any(COARSEST % s for s in stride) or not all(fits):
            raise InputError(
                f"{self.name} answers {size} cells for a window of {tiling.window}: its cells do "
                f"not lie on a grid of {COARSEST} pixels and cannot be placed on the image"
            )
        cells = tuple(n // s for n, s in zip(tiling.padded_size, stride, strict=True))
        shape = (values.shape[0], len(self._inputs.pieces), *cells)
        needed = 4 * torch.Size(shape).numel()
        if self._bounded and needed > MEMORY_LIMIT:
            raise InputError(
                f"{self.name} of the whole image would take {needed / 2**30:.1f} GB of memory: "
                "choose a part of the image, or a coarser stage"
            )
        self.stride = stride
        self._total = torch.zeros(shape)
        self._norm = torch.zeros(cells)
        weights = self._inputs.weights[None, None]
        pool = F.avg_pool2d if len(stride) == 2 else F.avg_pool3d
        self._weights = pool(weights, stride)[0, 0]
        for place in tiling.places:
            self._norm[cells_of(place, stride)] += self._weights


def cells_of(place: tuple[slice, ...], stride: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the cells that a window covers."""
    return tuple(slice(p.start // s, p.stop // s) for p, s in zip(place, stride, strict=True))
