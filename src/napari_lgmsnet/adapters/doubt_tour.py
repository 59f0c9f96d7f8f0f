"""The layer that shows where the network doubts, and the tour through its regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.adapters.layers import geometry_of, mask_geometry, place_layer
from napari_lgmsnet.adapters.results import METADATA

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.doubt import DoubtfulRegion

ZOOM = 4.0
"""How many times a region's extent is shown around it."""


@dataclass
class Tour:
    """Regions of one frame, the most doubtful first, and which of them were seen to.

    Parameters
    ----------
    target : Target
    entropy : float32 array of the frame's shape
    done : bool array of the same shape
        Voxels that the person has ticked off.
    regions : list of DoubtfulRegion
    place : int
        Which one is looked at; -1 before the first.
    """

    target: Target
    entropy: NDArray[np.float32]
    done: NDArray[np.bool_]
    regions: list[DoubtfulRegion] = field(default_factory=list)
    place: int = -1

    def step(self, by: int) -> DoubtfulRegion | None:
        """Go to the next or previous region; None if there is none left."""
        if not self.regions:
            return None
        self.place = (self.place + by) % len(self.regions) if self.place >= 0 else 0
        return self.regions[self.place]

    def tick_off(self) -> tuple[NDArray[np.intp], ...] | None:
        """Mark the region that is looked at as seen to, and take it out of the tour.

        Returns
        -------
        tuple of intp arrays, or None
            The region's voxels in the mask's data; None if no region is looked at.
        """
        if not 0 <= self.place < len(self.regions):
            return None
        region = self.regions.pop(self.place)
        self.place -= 1
        region.tick_off(self.done)
        places = np.nonzero(region.voxels)
        inside = iter(p + part.start for p, part in zip(places, region.box, strict=True))
        return tuple(
            next(inside) if isinstance(part, slice) else np.full(places[0].size, part)
            for part in self.target.box
        )


def show_doubt(viewer: Viewer, tour: Tour) -> Image:
    """Show a frame's doubt in a layer of its own, exactly over the mask.

    Voxels that were ticked off are shown as certain.
    """
    target = tour.target
    source = target.mask if target.image is None else target.image
    name = f"{source.name} doubt"
    layer: Any = next((one for one in viewer.layers if one.name == name), None)
    shape = target.mask.data.shape
    if not isinstance(layer, Image) or layer.data.shape != shape:
        layer = Image(
            np.zeros(shape, np.float32),
            name=name,
            colormap="inferno",
            blending="additive",
            opacity=0.6,
            contrast_limits=(0.0, 1.0),
            metadata={METADATA: {"role": "doubt"}},
        )
        place_layer(layer, mask_geometry(source, target.part))
        viewer.layers.insert(viewer.layers.index(target.mask), layer)
        viewer.layers.selection.active = target.mask
    layer.data[target.box] = np.where(tour.done, 0, tour.entropy)
    layer.refresh()
    return layer


def show_region(viewer: Viewer, tour: Tour, region: DoubtfulRegion) -> Labels:
    """Outline a region, and bring it into the middle of the screen."""
    target = tour.target
    name = f"{target.mask.name} look here"
    layer: Any = next((one for one in viewer.layers if one.name == name), None)
    if not isinstance(layer, Labels) or layer.data.shape != target.mask.data.shape:
        colours: dict[int | None, Any] = {None: "white", 0: "transparent", 1: "white"}
        layer = Labels(
            np.zeros(target.mask.data.shape, np.uint8),
            name=name,
            colormap=DirectLabelColormap(color_dict=colours),
            opacity=1.0,
            metadata={METADATA: {"role": "region"}},
            **geometry_of(target.mask),
        )
        layer.contour = 1
        viewer.add_layer(layer)
        viewer.layers.selection.active = target.mask
    outlined = np.zeros(tour.entropy.shape, np.uint8)
    outlined[region.box] = region.voxels
    layer.data[target.box] = outlined
    layer.refresh()
    look_at(viewer, target, region.box, region.centre)
    return layer


def go_to(viewer: Viewer, point: NDArray[np.float64]) -> None:
    """Move the sliders to a point of a layer's world."""
    dims = viewer.dims
    # A viewer lines up the last axes of its layers.
    offset = dims.ndim - len(point)
    for axis in dims.not_displayed:
        if axis >= offset:
            dims.set_point(axis, float(point[axis - offset]))


def look_at(viewer: Viewer, target: Target, box: Sequence[slice], centre: tuple[int, ...]) -> None:
    """Bring a part of a frame into the middle of the screen, with its surroundings."""
    point = target.point_of(centre)
    corners = [
        target.point_of(tuple(part.start for part in box)),
        target.point_of(tuple(part.stop for part in box)),
    ]
    go_to(viewer, point)
    dims = viewer.dims
    offset = dims.ndim - len(point)
    shown = [axis - offset for axis in dims.displayed if axis >= offset]
    middle = (corners[0] + corners[1]) / 2
    extent = max(float(abs(corners[1][axis] - corners[0][axis])) for axis in shown)
    camera = viewer.scene.camera
    camera.center = tuple(float(middle[axis]) for axis in shown)
    if extent > 0:
        # Never further away than the person is already, unless the region would not fit.
        fits = min(viewer.canvas.size) / extent
        camera.zoom = min(max(camera.zoom, fits / ZOOM), fits / 1.5)
