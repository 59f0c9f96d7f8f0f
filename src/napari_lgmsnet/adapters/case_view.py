"""A case on screen: its image, its mask exactly over it, and where the viewer looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_lgmsnet.adapters.layers import GEOMETRY, layer_data_of
from napari_lgmsnet.adapters.results import METADATA, colormap_of, features_of
from napari_lgmsnet.core.axis_order import inverse

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.adapters.case_jobs import OpenedCase
    from napari_lgmsnet.core.info import ClassInfo
    from napari_lgmsnet.core.project import CaseMask, Edit

_KEPT = ("mode", "selected_label", "brush_size", "opacity", "contour", "n_edit_dimensions")
"""What of the mask's layer stays as a person goes from case to case."""


@dataclass(frozen=True, eq=False)
class CaseView:
    """The layers of a case.

    Parameters
    ----------
    case_id : int
    images : tuple of napari Image layers
    mask : napari Labels layer
    order : tuple of int
        Which axis of the image's own grid each axis of the layers is: axes are exchanged where
        the viewer could not show them otherwise.
    """

    case_id: int
    images: tuple[Image, ...]
    mask: Labels
    order: tuple[int, ...]

    @property
    def layers(self) -> tuple[Any, ...]:
        """Return all layers, the mask last."""
        return (*self.images, self.mask)

    def on_screen(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels on the image's grid with their axes as on screen; no copy."""
        return labels.transpose(self.order)

    def on_grid(self, edit: Edit) -> Edit:
        """Return an edit of the layer as one on the image's own grid."""
        back = inverse(self.order)
        if back == tuple(range(len(back))):
            return edit
        where: Any = tuple(edit.where[axis] for axis in back)
        if edit.box is None:
            return replace(edit, where=where)
        old = None if edit.old is None else _turned(edit.old, back)
        return replace(edit, where=where, new=_turned(edit.new, back), old=old)

    def name_classes(self, classes: tuple[ClassInfo, ...]) -> None:
        """Give the mask the names and colours of its classes."""
        if classes:
            self.mask.colormap = colormap_of(classes)
            self.mask.features = features_of(classes)

    def describe(self, mask: CaseMask) -> None:
        """Note on the layer how its mask came about."""
        about = {**self.mask.metadata[METADATA]}
        if mask.checkpoint:
            about["sha256"] = mask.checkpoint
        for name in ("checkpoint", "recipe", "description"):
            if name in mask.settings:
                about[name] = mask.settings[name]
        self.mask.metadata = {**self.mask.metadata, METADATA: about}


def show_case(
    viewer: Viewer, opened: OpenedCase, classes: tuple[ClassInfo, ...], *, editable: bool
) -> CaseView:
    """Show a case in new layers, as one looks at a new image: whole, in the middle slice.

    Parameters
    ----------
    viewer : napari Viewer
    opened : OpenedCase
    classes : tuple of ClassInfo
        For a mask that does not bring its own.
    editable : bool
        Whether the mask may be painted.
    """
    finest = opened.levels[0]
    images = tuple(Image(data, **about) for data, about, _kind in layer_data_of(*opened.levels))
    for layer in images:
        # The file's name is the case's name, unless the person chose another one.
        layer.name = layer.name.replace(finest.name, opened.case.name)
    spatial = images[0].metadata["source"].get("layer_axes", tuple(range(finest.ndim_spatial)))
    lead = int(finest.axes.startswith("T"))
    order = (*range(lead), *(lead + axis for axis in spatial))
    mask = Labels(
        opened.mask.labels.transpose(order),
        name=f"{opened.case.name} mask",
        opacity=0.5,
        metadata={
            METADATA: {"role": "mask", "image": opened.case.name, "case": opened.case.id},
            "source": images[0].metadata["source"],
        },
        **{name: getattr(images[0], name) for name in GEOMETRY if name != "affine"},
        affine=np.array(images[0].affine.affine_matrix),
    )
    view = CaseView(opened.case.id, images, mask, order)
    view.name_classes(opened.classes or classes)
    view.describe(opened.mask)
    for layer in view.layers:
        viewer.layers.append(layer)
    mask.editable = editable
    viewer.layers.selection.active = mask
    viewer.reset_view()
    for axis in viewer.dims.not_displayed:
        low, high, _step = viewer.dims.range[axis]
        viewer.dims.set_point(axis, (low + high) / 2)
    return view


def close_case(viewer: Viewer, view: CaseView) -> None:
    """Remove the layers of a case, as far as they are still there."""
    for layer in reversed(view.layers):
        if layer in viewer.layers:
            viewer.layers.remove(layer)


def tools_of(mask: Labels) -> dict[str, Any]:
    """Return with what a person paints, for the next case or the next time."""
    kept = {name: getattr(mask, name) for name in _KEPT}
    return {name: str(one) if name == "mode" else one for name, one in kept.items()}


def give_tools(mask: Labels, tools: Mapping[str, Any]) -> None:
    """Let a person paint on as before."""
    for name in _KEPT:
        if name in tools and (name != "mode" or mask.editable):
            kept: Any = tools[name]
            # Four dimensions of a brush on an image with two would be an error of the viewer.
            setattr(mask, name, min(kept, mask.ndim) if name == "n_edit_dimensions" else kept)


def look_of(viewer: Viewer, view: CaseView) -> dict[str, Any]:
    """Return where the viewer looks and with what a person paints, in types that JSON can hold."""
    camera, dims = viewer.scene.camera, viewer.dims
    return {
        "case": view.case_id,
        "point": [float(one) for one in dims.point],
        "order": [int(one) for one in dims.order],
        "ndisplay": int(dims.ndisplay),
        "camera": {
            "center": [float(one) for one in camera.center],
            "zoom": float(camera.zoom),
            "angles": [float(one) for one in camera.angles],
        },
        "tools": tools_of(view.mask),
        "contrast": [[float(one) for one in layer.contrast_limits] for layer in view.images],
    }


def look_at(viewer: Viewer, view: CaseView, look: Mapping[str, Any]) -> None:
    """Look at a case as :func:`look_of` says; what does not suit it is left out."""
    dims, camera = viewer.dims, viewer.scene.camera
    if len(look.get("point", ())) == dims.ndim:
        dims.order = tuple(look["order"])
        dims.ndisplay = look["ndisplay"]
        dims.point = tuple(look["point"])
    place = look.get("camera")
    if place:
        camera.angles = tuple(place["angles"])
        camera.center = tuple(place["center"])
        camera.zoom = place["zoom"]
    for layer, limits in zip(view.images, look.get("contrast", ()), strict=False):
        if not layer.rgb:
            layer.contrast_limits = limits
    give_tools(view.mask, look.get("tools", {}))


def _turned(values: NDArray[Any] | int, axes: tuple[int, ...]) -> NDArray[Any] | int:
    """Return the values of a box with its axes exchanged."""
    return values.transpose(axes) if isinstance(values, np.ndarray) and values.ndim else values
