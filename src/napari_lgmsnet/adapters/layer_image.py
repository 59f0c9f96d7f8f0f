"""What a worker needs to know of an image layer, without the layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.arrays import as_lazy
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.geometry import Box, affine_of_level, crop
from napari_lgmsnet.core.types import Units, Volume


@dataclass(frozen=True)
class LayerImage:
    """An image layer with the choices that a person made: which level, which axis is channels.

    What follows from them (``shape``, ``affine``, ``read``) leaves out the channel axis and counts
    in voxels of the chosen level.

    Parameters
    ----------
    levels : tuple of array-like
        The layer's own data, the finest level first; they may be lazy.
    colours : bool
        Whether the last axis of the data holds red, green, blue (and alpha).
    leading : int
        Number of axes, channels not counted, before the spatial ones: time or the like.
    layer_affine : float array (n + 1, n + 1)
        From index at the finest level to the viewer's world, along all n axes of the layer.
    layer_units : tuple of pint units
        Of that world, along all axes of the layer.
    name : str
    level : int
    channel_axis : int, optional
        Axis of the layer.
    """

    levels: tuple[Any, ...]
    colours: bool
    leading: int
    layer_affine: NDArray[np.float64]
    layer_units: tuple[Any, ...]
    name: str
    level: int = 0
    channel_axis: int | None = None

    @property
    def axes(self) -> tuple[int, ...]:
        """Return the layer's axes that are time or space."""
        count = len(self.layer_units)
        return tuple(axis for axis in range(count) if axis != self.channel_axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of voxels along the axes of time and space."""
        return self.shape_at(self.level)

    def shape_at(self, level: int) -> tuple[int, ...]:
        """Return the shape at any level."""
        whole = self.levels[level].shape
        return tuple(int(whole[axis]) for axis in self.axes)

    @property
    def finest_shape(self) -> tuple[int, ...]:
        """Return the number of voxels along all axes of the layer at its finest level."""
        return tuple(int(n) for n in self.levels[0].shape[: len(self.layer_units)])

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Return the number of voxels along each spatial axis."""
        return self.shape[self.leading :]

    @property
    def frames(self) -> int:
        """Return the number of time points, 1 for what is no series."""
        return self.shape[0] if self.leading == 1 else 1

    @property
    def channels(self) -> int:
        """Return the number of channels to choose from, 0 without a channel axis."""
        axis = self.channel_axis
        return 0 if axis is None else int(self.levels[0].shape[axis])

    @property
    def affine(self) -> NDArray[np.float64]:
        """Return the affine from index to the viewer's world, along time and space.

        Raises
        ------
        GeometryError
            If channels and space are mixed in the layer's affine.
        """
        affine = _without(self.layer_affine, self.channel_axis, self.name)
        return affine_of_level(affine, self.shape_at(0), self.shape)

    @property
    def spatial_affine(self) -> NDArray[np.float64]:
        """Return the affine of the spatial axes alone, in mm where the layer has a size.

        Raises
        ------
        GeometryError
            If time and space are mixed in the layer's affine.
        """
        lead, affine = self.leading, self.affine
        if affine[:lead, lead:-1].any() or affine[lead:-1, :lead].any():
            raise GeometryError(
                f'"{self.name}" is rotated or sheared between its time axis and space: '
                "remove that from its affine"
            )
        affine = affine[lead:, lead:].copy()
        affine[:-1] *= self.millimetres or 1.0
        return affine

    @property
    def millimetres(self) -> float | None:
        """Return how many mm one unit of space has; None without a physical unit."""
        units = [self.layer_units[axis] for axis in self.axes[self.leading :]]
        if any(unit != units[0] for unit in units) or not units[0].is_compatible_with("mm"):
            return None
        return float((1 * units[0]).to("mm").magnitude)

    @property
    def units(self) -> Units:
        """Return the unit of the spatial affine."""
        return "pixel" if self.millimetres is None else "mm"

    @property
    def mask_shape(self) -> tuple[int, ...]:
        """Return the shape of a mask: one voxel along the channel axis, which is left out if first.

        A viewer lines up the last axes of its layers, so only the first one can be missing.
        """
        return self._stretched_shape[self.channel_axis == 0 :]

    @property
    def mask_affine(self) -> NDArray[np.float64]:
        """Return the affine of a mask; along the channel axis its voxel reaches over all channels.

        Raises
        ------
        GeometryError
            If channels and space are mixed in the layer's affine.
        """
        affine = affine_of_level(self.layer_affine, self.finest_shape, self._stretched_shape)
        return _without(affine, 0, self.name) if self.channel_axis == 0 else affine

    @property
    def _stretched_shape(self) -> tuple[int, ...]:
        shape = [int(n) for n in self.levels[self.level].shape[: len(self.layer_units)]]
        if self.channel_axis is not None:
            shape[self.channel_axis] = 1
        return tuple(shape)

    def mask_box(self, region: Box) -> Box:
        """Return where a part lies in the mask's data."""
        box = list(region)
        if self.channel_axis:
            box.insert(self.channel_axis, 0)
        return tuple(box)

    def same_grid(self, other: LayerImage) -> bool:
        """Return whether masks of both have the same voxels."""
        return (
            self.mask_shape == other.mask_shape
            and self.level == other.level
            and self.channel_axis == other.channel_axis
        )

    def read(self, region: Box) -> Volume:
        """Return a part as a volume, with its place in the world.

        Parameters
        ----------
        region : tuple of int or slice
            One for each axis of time and space; numbers for those before the spatial ones, or a
            slice for all frames of a series.

        Returns
        -------
        Volume
            With all channels. What is lazy stays so.
        """
        data = self.levels[self.level]
        data = data if isinstance(data, np.ndarray) else as_lazy(data)
        if self.channel_axis is not None:
            data = np.moveaxis(data, self.channel_axis, -1)
        series = self.leading == 1 and isinstance(region[0], slice)
        data = data[tuple(region[: self.leading])] if self.leading else data
        spatial = "ZYX"[-len(self.spatial_shape) :]
        axes = "T" * series + spatial + "C" * (self.colours or self.channel_axis is not None)
        volume = Volume(data, axes, self.spatial_affine, self.units, self.name)
        return crop(volume, region[self.leading :])


def _without(affine: NDArray[np.float64], axis: int | None, name: str) -> NDArray[np.float64]:
    """Return an affine without one of its axes."""
    if axis is None:
        return affine
    row, column = np.delete(affine[axis, :-1], axis), np.delete(affine[:-1, axis], axis)
    if row.any() or column.any():
        raise GeometryError(
            f'"{name}" is rotated or sheared between its channel axis and space: remove that from '
            "its affine"
        )
    return np.delete(np.delete(affine, axis, axis=0), axis, axis=1)
