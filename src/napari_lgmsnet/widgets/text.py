"""Words and numbers as a person reads them."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import is_named
from napari_lgmsnet.core.info import ModelInfo

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Image


def duration(seconds: float) -> str:
    """Return a length of time in rounded words."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def size_of(image: LayerImage) -> str:
    """Return an image's size, and that of its voxels, in a line."""
    solid = len(image.spatial_shape) == 3
    words = [" × ".join(map(str, image.spatial_shape)) + (" voxels" if solid else " pixels")]
    if image.units == "mm":
        words.append(" × ".join(f"{step:.3g}" for step in _steps(image)) + " mm")
    elif solid:
        words.append("size in mm unknown")
    if image.leading == 1:
        words.append(f"{image.frames} frames")
    elif image.leading:
        words.append("time point on screen")
    if image.channels:
        words.append(f"{image.channels} channels")
    return ", ".join(words)


def mixed_units(layers: LayerList) -> str:
    """Return what to know where lengths and pixels meet in one viewer; nothing where they do not.

    The viewer itself says no more than that it does not use units then, and repeats that with
    every layer.
    """
    if not layers or layers.units is not None:
        return ""
    return (
        ".\nSome layers count in mm and some in pixels, so napari draws all by their plain "
        "numbers: on screen their sizes cannot be compared. Masks lie on their images all the same."
    )


def level_size(image: LayerImage) -> str:
    """Return how fine an image is at its level: its voxel size, or its size where that is unknown.

    Voxels of (nearly) equal sides are named by one number.
    """
    if image.units != "mm":
        return " × ".join(map(str, image.spatial_shape)) + " pixels"
    steps = _steps(image)
    same = max(steps) <= 1.02 * min(steps)
    return " × ".join(f"{step:.2g}" for step in (steps[:1] if same else steps)) + " mm"


def axis_name(layer: Image, axis: int) -> str:
    """Return what a list calls an axis of a layer: its place, its name if any, its length."""
    label = str(layer.axis_labels[axis])
    named = f" ({label})" if is_named(layer, axis) else ""
    data = layer.data[0] if layer.multiscale else layer.data
    return f"axis {axis + 1}{named}, {data.shape[axis]} long"


def _steps(image: LayerImage) -> list[float]:
    """Return the voxel size in mm."""
    return [float(step) for step in (image.spatial_affine[:-1, :-1] ** 2).sum(axis=0) ** 0.5]


def checkpoint_name(reference: str, info: ModelInfo | None) -> str:
    """Return what a list calls a checkpoint."""
    if info is not None and info.title and info.title != "official checkpoint":
        return info.title
    return info.name if info is not None else Path(reference).stem


def checkpoint_line(info: ModelInfo) -> str:
    """Return what a checkpoint is, as rich text: dimensions, classes in their colours, licence."""
    classes = [
        f'<span style="color: rgb{one.colour}">■</span>&nbsp;{html.escape(one.name)}'
        for one in info.classes[1:]
    ]
    shown = classes[:6] + ([f"… {len(classes)} classes"] if len(classes) > 6 else [])
    kind = "2D, for images and slices" if info.architecture.dimensions == 2 else "3D, for volumes"
    return (
        f"<b>{html.escape(info.title or info.name)}</b> ({kind})<br>{', '.join(shown)}<br>"
        f"Licence: {html.escape(info.licence)}"
    )
