"""Image layers to volumes, volumes to layers, with geometry that is copied and never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.geometry import Box, crop
from napari_lgmsnet.core.types import Units, Volume

if TYPE_CHECKING:
    from napari.layers import Image, Layer

LayerData = tuple[Any, dict[str, Any], str]
GEOMETRY = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""What says where a layer lies; in this order it can also be set on an existing layer."""

_CHANNELS = {"c", "channel", "channels"}
_SPATIAL = 3


@dataclass(frozen=True)
class LayerImage:
    """What a worker needs to know of an image layer, without the layer.

    Parameters
    ----------
    data : array-like
        The layer's own, at the finest level; it may be lazy.
    colours : bool
        Whether the last axis of ``data`` holds red, green, blue (and alpha).
    shape : tuple of int
        Of the layer, without colours. The last three axes (or all of two) are the spatial ones,
        those before them are time or the like.
    affine : float array (n + 1, n + 1)
        From index to the viewer's world, along all n axes of the layer.
    millimetres : float, optional
        Length of one unit of that world in mm; None if the layer has no physical size.
    name : str
    """

    data: Any
    colours: bool
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    millimetres: float | None
    name: str

    @property
    def leading(self) -> int:
        """Return the number of axes before the spatial ones."""
        return max(0, len(self.shape) - _SPATIAL)

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Return the number of voxels along each spatial axis."""
        return self.shape[self.leading :]

    @property
    def spatial_affine(self) -> NDArray[np.float64]:
        """Return the affine of the spatial axes alone, in mm where the layer has a size.

        Raises
        ------
        GeometryError
            If time and space are mixed in the layer's affine.
        """
        lead = self.leading
        if self.affine[:lead, lead:-1].any() or self.affine[lead:-1, :lead].any():
            raise GeometryError(
                f'"{self.name}" is rotated or sheared between its time axis and space: '
                "remove that from its affine"
            )
        affine = self.affine[lead:, lead:].copy()
        affine[:-1] *= self.millimetres or 1.0
        return affine

    @property
    def units(self) -> Units:
        """Return the unit of the spatial affine."""
        return "pixel" if self.millimetres is None else "mm"

    def read(self, region: Box) -> Volume:
        """Return a part as a volume, with its place in the world.

        Parameters
        ----------
        region : tuple of int or slice
            One for each axis of the layer; numbers for those before the spatial ones.
        """
        frame = tuple(region[: self.leading])
        axes = "ZYX"[-len(self.spatial_shape) :] + ("C" if self.colours else "")
        data = self.data[frame] if frame else self.data
        volume = Volume(data, axes, self.spatial_affine, self.units, self.name)
        return crop(volume, region[self.leading :])


def image_of(layer: Image) -> LayerImage:
    """Return what a worker needs of an image layer.

    Raises
    ------
    InputError
        If the layer is of a kind that cannot be segmented.
    """
    if layer.ndim < 2:
        raise InputError(f'"{layer.name}" has one axis only: choose an image or a volume')
    channels = [label for label in layer.axis_labels if label.lower() in _CHANNELS]
    if channels:
        raise InputError(
            f'axis "{channels[0]}" of "{layer.name}" holds channels: split them into layers first '
            "(Layers > Data > Split Stack), then choose one"
        )
    return LayerImage(
        data=layer.data[0] if layer.multiscale else layer.data,
        colours=bool(layer.rgb),
        shape=shape_of(layer),
        affine=affine_of(layer),
        millimetres=_millimetres(layer),
        name=str(layer.name),
    )


def shape_of(layer: Image) -> tuple[int, ...]:
    """Return the number of voxels along each axis of a layer, at its finest level."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in data.shape[: layer.ndim])


def affine_of(layer: Layer) -> NDArray[np.float64]:
    """Return a layer's whole transformation from data to world, as one matrix."""
    affine = np.eye(layer.ndim + 1)
    affine[:-1, -1] = layer.data_to_world(np.zeros(layer.ndim))
    for axis, unit in enumerate(np.eye(layer.ndim)):
        affine[:-1, axis] = layer.data_to_world(unit) - affine[:-1, -1]
    return affine


def geometry_of(layer: Layer) -> dict[str, Any]:
    """Return arguments that make another layer lie exactly over this one."""
    geometry = {name: getattr(layer, name) for name in GEOMETRY}
    geometry["affine"] = np.array(layer.affine.affine_matrix)
    return geometry


def place_over(layer: Layer, other: Layer) -> None:
    """Make a layer lie exactly over another one."""
    for name, value in geometry_of(other).items():
        setattr(layer, name, value)


def layer_data_of(volume: Volume) -> list[LayerData]:
    """Return image layers for a volume, lying in the world as the volume does.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    list of (data, arguments, "image")
        One; with channels that are no colours, one for each channel.
    """
    time = volume.axes.startswith("T")
    affine = volume.affine
    units: Sequence[str] = ("mm" if volume.units == "mm" else "pixel",) * volume.ndim_spatial
    labels = list(volume.spatial_axes.lower())
    if time:
        affine = np.eye(volume.ndim_spatial + 2)
        affine[1:, 1:] = volume.affine
        units, labels = ("pixel", *units), ["t", *labels]
    arguments = {
        "name": volume.name,
        "affine": affine,
        "units": units,
        "axis_labels": labels,
        "rgb": False,
        "metadata": {"source": dict(volume.source)},
    }
    if not volume.has_channels:
        return [(volume.data, arguments, "image")]
    count = volume.data.shape[-1]
    if count in (3, 4) and volume.data.dtype == np.uint8:
        return [(volume.data, {**arguments, "rgb": True}, "image")]
    return [
        (volume.data[..., i], {**arguments, "name": f"{volume.name} channel {i + 1}"}, "image")
        for i in range(count)
    ]


def _millimetres(layer: Layer) -> float | None:
    """Return how many mm one unit of the layer's spatial axes has; None without a physical unit."""
    units = layer.units[-_SPATIAL:]
    if any(unit != units[0] for unit in units) or not units[0].is_compatible_with("mm"):
        return None
    return float((1 * units[0]).to("mm").magnitude)
