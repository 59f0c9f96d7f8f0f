"""Words and numbers as a person reads them."""

from __future__ import annotations

import html
from pathlib import Path

from napari_lgmsnet.adapters.layers import LayerImage
from napari_lgmsnet.core.info import ModelInfo


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
        steps = (image.spatial_affine[:-1, :-1] ** 2).sum(axis=0) ** 0.5
        words.append(" × ".join(f"{step:.3g}" for step in steps) + " mm")
    elif solid:
        words.append("size in mm unknown")
    if image.leading:
        words.append("time point on screen")
    return ", ".join(words)


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
