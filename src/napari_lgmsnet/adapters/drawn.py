"""The rectangle that a person draws over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Shapes

from napari_lgmsnet.adapters import regions
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import geometry_of, shape_of
from napari_lgmsnet.core.geometry import Box

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer


def start_drawing(viewer: Viewer, layer: Layer) -> None:
    """Let the person drag a rectangle over a layer."""
    name = f"{layer.name} region"
    found = [one for one in viewer.layers if isinstance(one, Shapes) and one.name == name]
    if found:
        [shapes] = found
    else:
        width = max(shape_of(layer)) / 200  # counted in pixels of the image
        style = {"face_color": "transparent", "edge_color": "yellow", "edge_width": width}
        shapes = Shapes(ndim=layer.ndim, name=name, **style, **geometry_of(layer))
        viewer.add_layer(shapes)
    viewer.layers.selection.active = shapes
    shapes.mode = "add_rectangle"


def drawn_box(viewer: Viewer, image: LayerImage, *, all_slices: bool, frames: bool = False) -> Box:
    """Return the part of an image inside of the rectangle that counts.

    It is the selected one of the selected Shapes layer, or else the last one drawn.

    Parameters
    ----------
    viewer : napari Viewer
    image : LayerImage
    all_slices, frames : bool
        As for :func:`~napari_lgmsnet.adapters.regions.drawn`.

    Raises
    ------
    InputError
        If nothing is drawn, or not over the image.
    """
    shapes = _shapes(viewer)
    if shapes is None:
        raise regions.nothing_drawn()
    view = regions.view_of(image, viewer.dims)
    return regions.drawn(image, view, shapes, all_slices=all_slices, frames=frames)


def _shapes(viewer: Viewer) -> Any:
    """Return the selected Shapes layer, or the topmost one that has shapes."""
    active = viewer.layers.selection.active
    drawn = [one for one in viewer.layers if isinstance(one, Shapes) and len(one.data)]
    return active if active in drawn else drawn[-1] if drawn else None
