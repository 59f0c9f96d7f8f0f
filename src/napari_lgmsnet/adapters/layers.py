"""Image layers to volumes, volumes to layers, with geometry that is copied and never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.core.axis_order import reorder, viewing_order
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer

LayerData = tuple[Any, dict[str, Any], str]
GEOMETRY = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""What says where a layer lies; in this order it can also be set on an existing layer."""

_CHANNELS = {"c", "channel", "channels"}
_TIME = {"t", "time"}


def image_of(
    layer: Image | Labels, *, channel_axis: int | None = None, level: int = 0
) -> LayerImage:
    """Return what a worker needs of an image layer, or of a mask that has no image.

    Parameters
    ----------
    layer : napari Image or Labels layer
    channel_axis : int, optional
        Axis of the layer that holds channels; by default the one that its label calls so.
    level : int
        Of a multiscale layer; 0 is the finest.

    Raises
    ------
    InputError
        If the layer is of a kind that cannot be segmented.
    """
    colours = bool(getattr(layer, "rgb", False))
    if colours:
        channel_axis = None
    elif channel_axis is None:
        channel_axis = channel_axis_of(layer)
    axes = [axis for axis in range(layer.ndim) if axis != channel_axis]
    if len(axes) < 2:
        raise InputError(f'"{layer.name}" has one axis only: choose an image or a volume')
    named_time = len(axes) == 3 and layer.axis_labels[axes[0]].lower() in _TIME
    leading = 1 if named_time else max(0, len(axes) - 3)
    levels = tuple(layer.data) if layer.multiscale else (layer.data,)
    return LayerImage(
        levels=levels,
        colours=colours,
        leading=leading,
        layer_affine=affine_of(layer),
        layer_units=tuple(layer.units),
        name=str(layer.name),
        level=min(level, len(levels) - 1),
        channel_axis=channel_axis,
    )


def channel_axis_of(layer: Image | Labels) -> int | None:
    """Return the axis of a layer that its label calls channels, if any."""
    labels = [str(label).lower() for label in layer.axis_labels]
    return next((axis for axis, label in enumerate(labels) if label in _CHANNELS), None)


def is_named(layer: Image, axis: int) -> bool:
    """Return whether an axis has a label, and not just the number that stands in for one."""
    return not str(layer.axis_labels[axis]).removeprefix("axis").strip().lstrip("-").isdigit()


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


def mask_geometry(layer: Image, image: LayerImage) -> dict[str, Any]:
    """Return arguments that make a mask lie exactly over the part of a layer that it is for.

    Parameters
    ----------
    layer : napari Image layer
    image : LayerImage
        Of this layer: a level and a channel axis were chosen.
    """
    if image.level == 0 and image.channel_axis is None:
        return geometry_of(layer)
    # One matrix says it all; the layer's own scale and rotation do not know of levels.
    affine = image.mask_affine
    count = len(affine) - 1
    return {
        "scale": np.ones(count),
        "translate": np.zeros(count),
        "rotate": np.eye(count),
        "shear": np.zeros(count * (count - 1) // 2),
        "affine": affine,
        "units": layer.units[-count:],
        "axis_labels": layer.axis_labels[-count:],
    }


def place_layer(layer: Layer, geometry: dict[str, Any]) -> None:
    """Put an existing layer where :func:`geometry_of` or :func:`mask_geometry` says."""
    now = geometry_of(layer)
    if all(np.array_equal(now[name], geometry[name]) for name in GEOMETRY):
        return  # each assignment draws all layers anew: together longer than a person is to notice
    for name in GEOMETRY:
        setattr(layer, name, geometry[name])


def layer_data_of(volume: Volume, *coarser: Volume) -> list[LayerData]:
    """Return image layers for a volume, lying in the world as the volume does.

    Parameters
    ----------
    volume : Volume
    *coarser : Volume
        Its coarser levels, for multiscale layers.

    Returns
    -------
    list of (data, arguments, "image")
        One; with channels that are no colours, one for each channel. Axes are exchanged so that
        a viewer can show them; ``metadata["source"]["layer_axes"]`` then says which is which.
    """
    order = viewing_order(volume.affine)
    source = dict(volume.source)
    if order != tuple(range(volume.ndim_spatial)):
        source["layer_axes"] = order
    volume, coarser = reorder(volume, order), tuple(reorder(one, order) for one in coarser)
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
        "metadata": {"source": source},
    }
    levels = [volume.data, *(one.data for one in coarser)]
    if coarser:
        arguments["multiscale"] = True
    if not volume.has_channels:
        return [(levels if coarser else volume.data, arguments, "image")]
    count = volume.data.shape[-1]
    if count in (3, 4) and volume.data.dtype == np.uint8:
        colours = {**arguments, "rgb": True}
        return [(levels if coarser else volume.data, colours, "image")]
    split = [[data[..., i] for data in levels] for i in range(count)]
    return [
        (
            data if coarser else data[0],
            {**arguments, "name": f"{volume.name} channel {i + 1}"},
            "image",
        )
        for i, data in enumerate(split)
    ]


def source_of(layer: Layer) -> dict[str, Any]:
    """Return what is known of the file that a layer came from; empty without one."""
    known = layer.metadata.get("source")
    if isinstance(known, Mapping) and known.get("path"):
        return dict(known)
    return {"path": Path(layer.source.path)} if layer.source.path else {}
