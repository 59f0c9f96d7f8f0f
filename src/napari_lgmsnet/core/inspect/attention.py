"""Where a point attends in the blocks of global attention.

The blocks cut their grid into patches of 2x2 (x2) cells. The cells at the same place inside of
their patches form one sequence, and a cell attends to the cells of its own sequence only: the
upper left one of a patch to all upper left ones. So the answer has one weight for each patch, and
is shown on the grid of patches, of which each covers its 2x2 (x2) cells.

Only the point's own row of the attention matrix is ever computed, from the queries and keys of
the window that the point lies in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import CellGrid
from napari_lgmsnet.core.inspect.hooks import inputs_of
from napari_lgmsnet.core.inspect.inspection import Inspection, out_of_memory_said
from napari_lgmsnet.core.inspect.maps import CoarseMap
from napari_lgmsnet.core.inspect.stages import Stage, block_named
from napari_lgmsnet.core.network.architecture import HEADS
from napari_lgmsnet.core.types import Progress

CACHE_LIMIT = 2**29
"""Bytes of queries and keys to keep; windows looked at longest ago go first."""

Window = tuple[int, int]
"""Numbers of a piece and of a window on it."""


@dataclass(frozen=True)
class Keys:
    """What attention compares in one block and window.

    Parameters
    ----------
    query, key : float32 tensor (sequences, heads, tokens, channels of a head)
    patches : tuple of int
        Patches along each axis of the window; their product is the number of tokens.
    """

    query: Tensor
    key: Tensor
    patches: tuple[int, ...]

    @property
    def size(self) -> int:
        """Return the bytes that it takes."""
        return 4 * (self.query.numel() + self.key.numel())


@dataclass(frozen=True)
class AttentionMap:
    """Where a point attends.

    Parameters
    ----------
    map : CoarseMap
        On the patches that show some of the image.
    weights : float32 array (*patches)
        Of the whole window, along the network's axes, patches of padding too: they sum to one.
    outside : float
        The share of the weights on patches of padding alone.
    cell : tuple of slice
        The pixels of the image that the point's own cell covers (for a slice of a stack, in it).
    """

    map: CoarseMap
    weights: NDArray[np.float32]
    outside: float
    cell: tuple[slice, ...]


class AttentionMaps:
    """Attention of an image, asked point by point.

    The first question in a window runs the network on it, later ones only compare the point's
    query with the keys.

    Parameters
    ----------
    inspection : Inspection
    """

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._kept: OrderedDict[Window, dict[str, Keys]] = OrderedDict()

    @property
    def blocks(self) -> tuple[Stage, ...]:
        """Return the blocks that attend; none for a network without attention."""
        return tuple(stage for stage in self._inspection.stages if stage.attends)

    @property
    def heads(self) -> int:
        """Return the number of heads of every block."""
        return HEADS

    def ready(self, point: tuple[float, ...]) -> bool:
        """Return whether :meth:`at` can answer for a point without running the network."""
        return self._locate(point)[0] in self._kept

    def prepare(self, point: tuple[float, ...]) -> Generator[Progress, None, None]:
        """Run the network on the window of a point, if need be.

        Yields
        ------
        Progress
            One.

        Raises
        ------
        InputError
            As :meth:`at`.
        """
        window, _ = self._locate(point)
        yield Progress(0, 1, "reading the attention")
        self._keys(window)

    def at(
        self, point: tuple[float, ...], block: str = "encoder5", head: int | None = None
    ) -> AttentionMap:
        """Return where a point attends.

        Parameters
        ----------
        point : tuple of float
            Index along the spatial axes of the image. Of several windows, the one that the point
            lies most centrally in is asked.
        block : str
            One of :attr:`blocks`.
        head : int, optional
            0 to 3; the mean of all heads without it.

        Returns
        -------
        AttentionMap

        Raises
        ------
        InputError
            If the point lies outside of what the network saw, or there is no such block or head.
        """
        stage, _ = block_named(self._inspection.model.network, block)
        if head is not None and not 0 <= head < HEADS:
            raise InputError(f"there is no head {head}: choose one from 0 to {HEADS - 1}")
        window, pixel = self._locate(point)
        keys = self._keys(window)[block]
        inputs = self._inspection.inputs
        place = inputs.tiling.places[window[1]]
        stride = tuple(
            size // (2 * n) for size, n in zip(inputs.tiling.window, keys.patches, strict=True)
        )
        cell = tuple(
            (at - part.start) // s for at, part, s in zip(pixel, place, stride, strict=True)
        )
        weights = row(keys, cell, head)
        words = "mean of all heads" if head is None else f"head {head}"
        coarse, outside = self._placed(weights, window, stride)
        own = self._cells(window, stride, tuple(slice(c, c + 1) for c in cell))
        return AttentionMap(
            map=CoarseMap(coarse[0], coarse[1], inputs.volume, stage.name, f"attention, {words}"),
            weights=weights,
            outside=outside,
            cell=tuple(_covered(own, axis) for axis in range(len(own.shape))),
        )

    def _locate(self, point: tuple[float, ...]) -> tuple[Window, tuple[int, ...]]:
        """Return the window that holds a point most centrally, and its pixel on the piece."""
        inputs = self._inspection.inputs
        dimensions = len(inputs.grid.size)
        if len(point) != dimensions:
            raise InputError(f"a point of this image has {dimensions} numbers, got {len(point)}")
        pixel = inputs.grid.pixel_of(point)
        if pixel is None:
            place = ", ".join(f"{p:g}" for p in point)
            raise InputError(
                f"the point ({place}) lies outside of what the network sees of "
                f'"{inputs.volume.name}": put it inside'
            )
        piece, inside = (pixel[0], pixel[1:]) if inputs.stacked else (0, pixel)
        margins = [
            min(
                min(at - part.start, part.stop - 1 - at) / (part.stop - part.start)
                for at, part in zip(inside, place, strict=True)
            )
            for place in inputs.tiling.places
        ]
        return (piece, int(np.argmax(margins))), inside

    def _keys(self, window: Window) -> dict[str, Keys]:
        """Return queries and keys of all blocks in a window."""
        if window in self._kept:
            self._kept.move_to_end(window)
            return self._kept[window]
        found = self._run(window)
        self._kept[window] = found
        sizes = [sum(keys.size for keys in one.values()) for one in self._kept.values()]
        while len(self._kept) > 1 and sum(sizes) > CACHE_LIMIT:
            self._kept.popitem(last=False)
            del sizes[0]
        return found

    def _run(self, window: Window) -> dict[str, Keys]:
        inspection = self._inspection
        network = inspection.model.network
        blocks = {stage.name: block_named(network, stage.name)[1] for stage in self.blocks}
        place = inspection.inputs.tiling.places[window[1]]
        with out_of_memory_said(inspection.device), torch.inference_mode():
            with inputs_of(dict(blocks)) as tokens:
                inspection.run(window[0], place)
            found = {}
            for name, attention in blocks.items():
                query, key, _ = attention.heads(tokens[name])
                patches = _patches(query.shape[2], inspection.inputs.tiling.window)
                found[name] = Keys(query.float().cpu().clone(), key.float().cpu().clone(), patches)
        return found

    def _placed(
        self, weights: NDArray[np.float32], window: Window, stride: tuple[int, ...]
    ) -> tuple[tuple[NDArray[np.float32], CellGrid], float]:
        """Place weights on the image, without what covers padding alone."""
        inputs = self._inspection.inputs
        double = tuple(2 * s for s in stride)
        place = inputs.tiling.places[window[1]]
        seen = tuple(
            slice(max(0, (cut.start - part.start) // s), min(n, -(-(cut.stop - part.start) // s)))
            for cut, part, s, n in zip(
                inputs.tiling.inside, place, double, weights.shape, strict=True
            )
        )
        shown = weights[seen]
        cells = self._cells(window, double, seen)
        lead = shown[None] if inputs.stacked else shown
        outside = max(0.0, 1.0 - float(shown.sum(dtype=np.float64)))
        return (inputs.grid.arrange(lead), cells), outside

    def _cells(self, window: Window, stride: tuple[int, ...], part: tuple[slice, ...]) -> CellGrid:
        """Return where cells of a window lie on the image."""
        inputs = self._inspection.inputs
        start = tuple(cut.start for cut in inputs.tiling.places[window[1]])
        if inputs.stacked:
            start, part = (window[0], *start), (slice(0, 1), *part)
        return inputs.grid.cells(inputs.grid.strides(stride), part, start)


def row(keys: Keys, cell: tuple[int, ...], head: int | None = None) -> NDArray[np.float32]:
    """Return one row of the attention matrix, which is never formed as a whole.

    Parameters
    ----------
    keys : Keys
    cell : tuple of int
        The cell that asks, inside of the window.
    head : int, optional
        The mean of all heads without it.

    Returns
    -------
    float32 array (*patches)
        Weights that sum to one.
    """
    patch = tuple(c // 2 for c in cell)
    sequence = int(np.ravel_multi_index(tuple(c % 2 for c in cell), (2,) * len(cell)))
    token = int(np.ravel_multi_index(patch, keys.patches))
    chosen = slice(None) if head is None else slice(head, head + 1)
    query, key = keys.query[sequence, chosen, token], keys.key[sequence, chosen]
    products = torch.einsum("hc,hnc->hn", query, key) * query.shape[-1] ** -0.5
    weights: NDArray[np.float32] = products.softmax(dim=-1).mean(dim=0).numpy()
    return weights.reshape(keys.patches)


def _patches(tokens: int, window: tuple[int, ...]) -> tuple[int, ...]:
    """Return the patches along each axis, of a window that is evenly divided by them."""
    pixels = int(np.prod(window))
    edge = round((pixels / tokens) ** (1 / len(window)))
    return tuple(size // edge for size in window)


def _covered(cells: CellGrid, axis: int) -> slice:
    """Return the voxels along an axis that a single cell covers, one at least."""
    voxels = np.flatnonzero(cells.cell_of_voxel(axis) >= 0)
    if not voxels.size:
        nearest = round(cells.first[axis])
        return slice(nearest, nearest + 1)
    return slice(int(voxels[0]), int(voxels[-1]) + 1)
