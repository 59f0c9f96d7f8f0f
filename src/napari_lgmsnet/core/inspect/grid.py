"""Where the cells of a coarse map lie on the volume that the network saw.

A cell of a stage with stride s covers the s pixels s * i to s * i + s - 1 of the network's input
along each axis, so its centre lies at s * i + (s - 1) / 2. The input in turn is the volume, turned,
resampled, cropped and padded. All of that is a shift and a scale along each axis of the volume
(turned only by quarters), so a map needs two numbers an axis, and an affine of its own says
exactly where it lies in the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Interpolation = Literal["nearest", "linear"]
Part = tuple[slice, ...]


@dataclass(frozen=True)
class CellGrid:
    """Cells on a volume, with one entry for each spatial axis of the volume, in its own order.

    Parameters
    ----------
    shape : tuple of int
        Number of cells.
    first : tuple of float
        Index of the volume at which the centre of the first cell lies.
    step : tuple of float
        Voxels that a cell covers; below one where the network saw a finer image.
    volume_shape : tuple of int
        The volume's spatial shape.
    """

    shape: tuple[int, ...]
    first: tuple[float, ...]
    step: tuple[float, ...]
    volume_shape: tuple[int, ...]

    def affine(self, affine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the affine from a cell's index to the world, given the volume's affine."""
        to_voxel = np.diag([*self.step, 1.0])
        to_voxel[:-1, -1] = self.first
        moved: NDArray[np.float64] = affine @ to_voxel
        return moved

    def cell_of_voxel(self, axis: int) -> NDArray[np.int64]:
        """Return for each voxel along an axis the cell that holds its centre; -1 for none."""
        cells = np.floor(self._positions(axis) + 0.5).astype(np.int64)
        return np.where((cells >= 0) & (cells < self.shape[axis]), cells, -1)

    def voxel_of_cell(self, axis: int) -> NDArray[np.int64]:
        """Return for each cell along an axis the voxel that holds its centre; -1 for none."""
        centres = self.first[axis] + self.step[axis] * np.arange(self.shape[axis])
        voxels = np.floor(centres + 0.5).astype(np.int64)
        return np.where((voxels >= 0) & (voxels < self.volume_shape[axis]), voxels, -1)

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how many voxels of a mask (*volume_shape) have their centre in each cell."""
        counts: NDArray[Any] = mask
        for axis in range(len(self.shape)):
            cells = self.cell_of_voxel(axis)
            seen = np.flatnonzero(cells >= 0)
            size = list(counts.shape)
            size[axis] = self.shape[axis]
            sums = np.zeros(size, dtype=np.int64)
            if seen.size:
                # The voxels of one cell lie side by side.
                starts = np.flatnonzero(np.diff(cells[seen], prepend=-1))
                where: tuple[Any, ...] = (slice(None),) * axis
                within = counts[(*where, slice(seen[0], seen[-1] + 1))]
                parts = np.add.reduceat(within, starts, axis=axis, dtype=np.int64)
                sums[(*where, cells[seen][starts])] = parts
            counts = sums
        return counts.astype(np.float64)

    def voxels(self) -> NDArray[np.float64]:
        """Return how many voxels have their centre in each cell."""
        total = np.ones(())
        for axis, size in enumerate(self.shape):
            cells = self.cell_of_voxel(axis)
            total = np.multiply.outer(total, np.bincount(cells[cells >= 0], minlength=size))
        return total

    def to_voxels(
        self, data: NDArray[Any], interpolation: Interpolation = "nearest", outside: float = np.nan
    ) -> NDArray[Any]:
        """Bring values of cells to the volume's grid.

        Parameters
        ----------
        data : array (*shape) or (*shape, C)
        interpolation : "nearest" or "linear"
            With nearest, each voxel has the value of the cell that it lies in.
        outside : float
            What voxels get that the network did not see; 0 for integers.

        Returns
        -------
        array (*volume_shape) or (*volume_shape, C)
            Of the type of ``data``.
        """
        kind = data.dtype
        values: NDArray[Any] = data
        for axis in range(len(self.shape)):
            if interpolation == "nearest":
                values = values.take(np.maximum(self.cell_of_voxel(axis), 0), axis=axis)
                continue
            last = self.shape[axis] - 1
            at = np.clip(self._positions(axis), 0, last)
            low = np.floor(at).astype(np.int64)
            share = (at - low).reshape((-1,) + (1,) * (values.ndim - axis - 1))
            high = values.take(np.minimum(low + 1, last), axis=axis)
            values = values.take(low, axis=axis) * (1 - share) + high * share
        if kind.kind in "iu":
            values, outside = np.rint(values), 0
        out = np.array(values, dtype=kind)
        for axis in range(len(self.shape)):
            unseen = self.cell_of_voxel(axis) < 0
            out[(slice(None),) * axis + (unseen,)] = outside
        return out

    def sample(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return for each cell the value of the voxel at its centre; 0 where there is none."""
        values: NDArray[Any] = array
        missing = []
        for axis in range(len(self.shape)):
            voxels = self.voxel_of_cell(axis)
            missing.append(voxels < 0)
            values = values.take(np.maximum(voxels, 0), axis=axis)
        out = np.array(values)
        for axis, none in enumerate(missing):
            out[(slice(None),) * axis + (none,)] = 0
        return out

    def _positions(self, axis: int) -> NDArray[np.float64]:
        """Return for each voxel along an axis where it lies, counted in cells."""
        voxels = np.arange(self.volume_shape[axis], dtype=np.float64)
        return (voxels - self.first[axis]) / self.step[axis]


@dataclass(frozen=True)
class NetworkGrid:
    """How the padded input of a network lies on a volume.

    The network's axes are the volume's, reordered and flipped as the recipe wants it. A stack
    that a 2D network takes slice by slice has the slices as its first axis.

    Parameters
    ----------
    volume_shape : tuple of int
        The volume's spatial shape.
    order : tuple of int
        The volume's axis that became each axis of the network.
    flips : tuple of int
        Axes of the network that run backwards.
    first, step : tuple of float
        Where pixel 0 of the padded input lies on the volume, after reordering and flipping, and
        how many voxels a pixel covers.
    seen : tuple of slice
        The part of the padded input that shows the volume.
    size : tuple of int
        Of the padded input.
    """

    volume_shape: tuple[int, ...]
    order: tuple[int, ...]
    flips: tuple[int, ...]
    first: tuple[float, ...]
    step: tuple[float, ...]
    seen: Part
    size: tuple[int, ...]

    def strides(self, stride: tuple[int, ...]) -> tuple[int, ...]:
        """Return a stage's strides along all axes; slices of a stack are never merged."""
        return (1,) * (len(self.size) - len(stride)) + stride

    def trim(self, strides: tuple[int, ...]) -> Part:
        """Return the cells that show some of the volume, not padding alone."""
        return tuple(
            slice(part.start // stride, -(-part.stop // stride))
            for part, stride in zip(self.seen, strides, strict=True)
        )

    def cells(
        self, strides: tuple[int, ...], part: Part, start: tuple[int, ...] | None = None
    ) -> CellGrid:
        """Return where cells lie on the volume.

        Parameters
        ----------
        strides : tuple of int
            Pixels that a cell covers along each axis of the network.
        part : tuple of slice
            Which cells.
        start : tuple of int, optional
            The pixel at which cell 0 begins; the first one without it.
        """
        count = len(self.order)
        shape, first, step = [0] * count, [0.0] * count, [0.0] * count
        for axis, (stride, cut) in enumerate(zip(strides, part, strict=True)):
            target = self.order[axis]
            backwards = axis in self.flips
            begin = start[axis] if start is not None else 0
            end = cut.stop - 1 if backwards else cut.start
            place = self.first[axis] + self.step[axis] * (begin + stride * end + (stride - 1) / 2)
            first[target] = self.volume_shape[target] - 1 - place if backwards else place
            step[target] = self.step[axis] * stride
            shape[target] = cut.stop - cut.start
        return CellGrid(tuple(shape), tuple(first), tuple(step), self.volume_shape)

    def arrange(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bring (..., *network axes) into the order and directions of the volume's axes."""
        lead = array.ndim - len(self.order)
        flipped = np.flip(array, tuple(axis + lead for axis in self.flips))
        back = [int(axis) + lead for axis in np.argsort(self.order)]
        return flipped.transpose(*range(lead), *back)

    def from_volume(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which pixels of the padded input show a mask (*volume_shape)."""
        whole = tuple(slice(0, n) for n in self.size)
        sampled = self.cells((1,) * len(self.size), whole).sample(mask)
        turned = np.flip(sampled.transpose(self.order), self.flips)
        out = np.zeros(self.size, dtype=np.bool_)
        out[self.seen] = turned[self.seen]
        return out

    def pixel_of(self, index: tuple[float, ...]) -> tuple[int, ...] | None:
        """Return the pixel of the padded input at an index of the volume; None outside of it."""
        pixel = []
        for axis, source in enumerate(self.order):
            place = float(index[source])
            if axis in self.flips:
                place = self.volume_shape[source] - 1 - place
            pixel.append(int(np.floor((place - self.first[axis]) / self.step[axis] + 0.5)))
        inside = all(p.start <= n < p.stop for n, p in zip(pixel, self.seen, strict=True))
        return tuple(pixel) if inside else None
