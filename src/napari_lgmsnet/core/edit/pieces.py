"""A mask cut into what is treated one after the other: planes, and blocks with a halo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from napari_lgmsnet.core.components import Window, widened, window_of, windows_of, within
from napari_lgmsnet.core.edit.change import Indices, Labels
from napari_lgmsnet.core.edit.scope import Scope
from napari_lgmsnet.core.geometry import Box

# Of a block without its halo: small enough to be skipped often where nothing happens, and for
# a person who cancels not to wait.
_VOXELS_AT_ONCE = 300_000


@dataclass(frozen=True, eq=False)
class Piece:
    """An image or a volume that is treated by itself.

    Parameters
    ----------
    box : tuple of int or slice
        What of the mask it is; a number for the axis across which planes are taken.
    labels : integer array
        ``mask[box]``
    spacing : tuple of float
        Along the piece's own axes.
    window : tuple of slice
        The box within the piece outside of which nothing may change.
    """

    box: Box
    labels: Labels
    spacing: tuple[float, ...]
    window: Window

    @property
    def voxel(self) -> float:
        """Return the size of a voxel: an area in a plane, a volume in a volume."""
        return float(np.prod(self.spacing))

    def part(self, window: Window) -> Box:
        """Return a box within the piece as a box of the whole mask."""
        inside = iter(window)
        box: list[int | slice] = []
        for part in self.box:
            if isinstance(part, slice):
                own = next(inside)
                box.append(slice(part.start + own.start, part.start + own.stop))
            else:
                box.append(part)
        return tuple(box)

    def whole(self, voxels: Indices) -> Indices:
        """Return voxels within the piece as voxels of the whole mask."""
        inside = iter(voxels)
        return tuple(
            next(inside) if isinstance(part, slice) else np.full(voxels[0].size, part)
            for part in self.box
        )

    def targets(self, label: int | None, scope: Scope) -> list[tuple[int, Window]]:
        """Return the labels to treat, each with the smallest box around it.

        Parameters
        ----------
        label : int, optional
            The only one; without it all that are not locked.
        """
        if label is not None:
            window = window_of(self.labels == label)
            return [] if window is None else [(label, window)]
        found = windows_of(self.labels)
        return [(one, box) for one, box in found.items() if one not in scope.locked_labels]


def pieces_of(labels: Labels, spacing: tuple[float, ...], scope: Scope) -> list[Piece]:
    """Return the whole mask, or those of its planes in which something may change."""
    window = scope.window(labels.shape)
    if window is None:
        return []
    if scope.axis is None:
        whole = tuple(slice(0, size) for size in labels.shape)
        return [Piece(whole, labels, spacing, window)]
    kept = [axis for axis in range(labels.ndim) if axis != scope.axis]
    pieces = []
    for plane in range(window[scope.axis].start, window[scope.axis].stop):
        box = tuple(
            plane if axis == scope.axis else slice(0, size)
            for axis, size in enumerate(labels.shape)
        )
        in_plane = tuple(window[axis] for axis in kept)
        pieces.append(Piece(box, labels[box], tuple(spacing[axis] for axis in kept), in_plane))
    return pieces


@dataclass(frozen=True)
class Block:
    """A part that is treated at once.

    Parameters
    ----------
    core : tuple of slice
        What the result is taken from; the cores fill the window without overlapping.
    halo : tuple of slice
        The core and what has to be seen around it.
    """

    core: Window
    halo: Window

    @property
    def inner(self) -> Window:
        """Return the core as counted within the halo."""
        return within(self.core, self.halo)


def blocks(
    window: Window | None, reach: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[Block]:
    """Cut a box into blocks.

    Parameters
    ----------
    window : tuple of slice, optional
        What is to be computed; nothing without it.
    reach : tuple of int
        How many voxels around a voxel decide about it.
    shape : tuple of int
        Of the array.
    """
    if window is None:
        return
    edge = round(_VOXELS_AT_ONCE ** (1 / len(shape)))
    # A block that is small beside its halo would have most voxels computed many times.
    steps = [max(edge, 2 * more) for more in reach]
    starts = [range(part.start, part.stop, step) for part, step in zip(window, steps, strict=True)]
    for corner in product(*starts):
        core = tuple(
            slice(start, min(start + step, part.stop))
            for start, step, part in zip(corner, steps, window, strict=True)
        )
        yield Block(core, widened(core, reach, shape))


def reach_of(distance: float, spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Return how many voxels a distance covers along each axis, rounded up."""
    return tuple(int(np.ceil(distance / step - 1e-6)) for step in spacing)
