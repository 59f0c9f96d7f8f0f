"""Maps over an image, as layers that are made once and updated afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_lgmsnet.adapters.inspect_jobs import MaskPart
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import affine_of, image_of, place_layer, source_of
from napari_lgmsnet.adapters.regions import view_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import Dims

    from napari_lgmsnet.core.inspect.grid import CellGrid
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.core.inspect.maps import CoarseMap

FEATURES, ATTENTION, GRAD_CAM, OCCLUSION = "features", "attention", "Grad-CAM", "occlusion"
OTHER, DIFFERENCE = "features of the other", "difference of features"
OPACITY = 0.5
COLORMAPS = {FEATURES: "inferno", OTHER: "inferno", ATTENTION: "viridis", GRAD_CAM: "turbo"}
"""Different ones, so that a person sees at once what lies there."""
AROUND_ZERO = Colormap(
    [[0.23, 0.30, 0.75, 1.0], [0.87, 0.87, 0.87, 1.0], [0.71, 0.02, 0.15, 1.0]],
    name="blue to red",
)


@dataclass(frozen=True)
class Place:
    """What of a layer was inspected.

    Parameters
    ----------
    image : napari Image layer
    part : LayerImage
    region : tuple of int or slice
        One for each axis of ``part``.
    """

    image: Image
    part: LayerImage
    region: Box

    def now(self) -> LayerImage:
        """Return the part as it lies now: the layer may have been moved."""
        return image_of(self.image, channel_axis=self.part.channel_axis, level=self.part.level)

    def index_of(self, world: NDArray[np.float64]) -> tuple[float, ...]:
        """Return the index on the inspected part, of a point in the image layer's world."""
        part = self.now()
        inverse = np.linalg.inv(part.affine)
        index = inverse[:-1, :-1] @ world[list(part.axes)] + inverse[:-1, -1]
        return tuple(
            float(at) - entry.start
            for at, entry in zip(index, self.region, strict=True)
            if isinstance(entry, slice)
        )

    def inside(self, box: Box) -> tuple[slice, ...]:
        """Return a box of the whole image as one of the inspected part, along its spatial axes.

        Raises
        ------
        InputError
            If it lies outside.
        """
        found = []
        for own, other in zip(self.region, box, strict=True):
            if isinstance(own, slice) and isinstance(other, slice):
                start, stop = max(own.start, other.start), min(own.stop, other.stop)
                if start >= stop:
                    raise InputError(
                        "the rectangle lies outside of the part that was run: draw it inside"
                    )
                found.append(slice(start - own.start, stop - own.start))
        return tuple(found)

    def slice_on_screen(self, dims: Dims) -> tuple[int | None, int | None]:
        """Return which axis of the inspected part is sliced on screen, and where."""
        view = view_of(self.now(), dims)
        lead = self.part.leading
        for axis, cut in enumerate(self.region[lead:], start=lead):
            if len(self.region) - lead == 3 and axis not in view.displayed:
                assert isinstance(cut, slice)
                return axis - lead, min(max(view.step[axis], cut.start), cut.stop - 1) - cut.start
        return None, None

    def mask(self, layer: Labels) -> MaskPart:
        """Return the part of a Labels layer that lies over the inspected part.

        Raises
        ------
        InputError
            If its voxels are not those of the image.
        """
        part = self.now()
        same = tuple(layer.data.shape) == part.mask_shape
        if not same or not np.allclose(affine_of(layer), part.mask_affine, rtol=1e-4, atol=1e-4):
            raise InputError(
                f'"{layer.name}" ({" × ".join(map(str, layer.data.shape))}) does not have the '
                f'voxels of "{self.image.name}" ({" × ".join(map(str, part.mask_shape))}) in the '
                "same place: choose a mask made on this image"
            )
        return MaskPart(layer.data, part.mask_box(self.region))

    def geometry(self, cells: CellGrid) -> dict[str, Any]:
        """Return arguments that lay a grid of cells over the very voxels that they cover."""
        part = self.now()
        box = part.mask_box(self.region)
        count = len(box)
        to_voxel = np.eye(count + 1)
        spatial = iter(zip(cells.first, cells.step, strict=True))
        for axis, entry in enumerate(box):
            if isinstance(entry, slice):
                first, step = next(spatial)
                to_voxel[axis, axis], to_voxel[axis, -1] = step, entry.start + first
            else:
                to_voxel[axis, -1] = entry
        return {
            "scale": np.ones(count),
            "translate": np.zeros(count),
            "rotate": np.eye(count),
            "shear": np.zeros(count * (count - 1) // 2),
            "affine": part.mask_affine @ to_voxel,
            "units": self.image.units[-count:],
            "axis_labels": self.image.axis_labels[-count:],
        }

    def stretched(self, coarse: CoarseMap) -> NDArray[Any]:
        """Return a map's data with an axis for each of the layer's."""
        box = self.part.mask_box(self.region)
        return coarse.data[tuple(slice(None) if isinstance(e, slice) else None for e in box)]


@dataclass(frozen=True)
class Looked:
    """What was run, and is asked from then on.

    Parameters
    ----------
    place : Place
    inspection : Inspection
    reference : str
        The checkpoint's file, or the name of one that ships.
    """

    place: Place
    inspection: Inspection
    reference: str


class MapLayers:
    """The maps of a viewer's images: at most one layer for each image and kind of map.

    Parameters
    ----------
    viewer : napari Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: dict[tuple[Any, str], Image] = {}
        self.last: tuple[Place, CoarseMap] | None = None
        """The map that was asked for last."""

    def of(self, image: Image, role: str) -> Image | None:
        """Return the layer of a kind, if it is in the viewer."""
        layer = self._layers.get((image.unique_id, role))
        return layer if layer is not None and layer in self._viewer.layers else None

    def show(self, role: str, place: Place, coarse: CoarseMap, description: str = "") -> Image:
        """Show a map right above its image, and hide maps of other kinds.

        What the person has set (opacity, blending, colours) stays.

        Parameters
        ----------
        role : str
            Kind of map, such as FEATURES.
        place : Place
        coarse : CoarseMap
        description : str
            Goes to the layer's metadata.
        """
        self.forget_missing()
        self.last = (place, coarse)
        layer = self.of(place.image, role)
        # Its own copy: the next map may be written into it.
        data, geometry = place.stretched(coarse).copy(), place.geometry(coarse.cells)
        if layer is not None and bool(layer.rgb) == coarse.colours:
            layer.data = data
            if not _lies(layer, geometry):
                place_layer(layer, geometry)
            if not layer.visible:
                layer.visible = True
        else:
            layer = self._replace(layer, role, place, coarse, data, geometry)
        if not coarse.colours:
            _stretch(layer, _limits(coarse))
        layer.metadata = {
            "source": source_of(place.image),
            METADATA: {
                "role": role,
                "image": str(place.image.name),
                "stage": coarse.stage,
                "kind": coarse.kind,
                "description": description,
            },
        }
        for (image, other), one in self._layers.items():
            if image == place.image.unique_id and other != role and one.visible:
                one.visible = False
        return layer

    def follow(self, role: str, place: Place, coarse: CoarseMap) -> bool:
        """Put other values into a map that is on screen, for one that follows a dragged point.

        Only the canvas is drawn anew; thumbnail and metadata wait for :meth:`show`. Colours are
        left alone as long as the brightest cell keeps between half and all of their range, so
        that maps on the way can be compared.

        Returns
        -------
        bool
            False if nothing was done, since the map does not lie there yet: then show it.
        """
        layer = self.of(place.image, role)
        data = place.stretched(coarse)
        if layer is None or not layer.visible or layer.rgb or layer.data.shape != data.shape:
            return False
        if not _lies(layer, place.geometry(coarse.cells)):
            return False
        self.last = (place, coarse)
        layer.data[...] = data
        low, high = layer.contrast_limits
        if not low + (high - low) / 2 <= float(data.max()) <= high:
            _stretch(layer, _limits(coarse))
        layer.refresh(thumbnail=False, highlight=False, extent=False)
        return True

    def forget_missing(self) -> None:
        """Let go of layers that were removed."""
        for key, layer in list(self._layers.items()):
            if layer not in self._viewer.layers:
                del self._layers[key]
        if self.last is not None and self.last[0].image not in self._viewer.layers:
            self.last = None

    def _replace(
        self,
        old: Image | None,
        role: str,
        place: Place,
        coarse: CoarseMap,
        data: NDArray[Any],
        geometry: dict[str, Any],
    ) -> Image:
        """Make a layer, in the place of one that cannot change between numbers and colours."""
        layers = self._viewer.layers
        look: dict[str, Any] = {"opacity": OPACITY, "blending": "translucent"}
        name = f"{place.image.name} {role}"
        if old is not None:
            look = {"opacity": old.opacity, "blending": old.blending}
            name = str(old.name)
        if not coarse.colours:
            look["colormap"] = AROUND_ZERO if coarse.signed else COLORMAPS.get(role, "inferno")
            look["contrast_limits"] = _limits(coarse)
        layer = Image(
            data,
            name=name,
            rgb=coarse.colours,
            interpolation2d="nearest",
            interpolation3d="nearest",
            metadata={METADATA: {"role": role}},
            **look,
            **geometry,
        )
        # A person who drags a point or paints goes on doing so.
        selected = layers.selection.active
        if old is not None:
            index = layers.index(old)
            layers.remove(old)
            layers.insert(index, layer)
        else:
            layers.insert(layers.index(place.image) + 1, layer)
        if selected is not None and selected in layers:
            layers.selection.active = selected
        self._layers[place.image.unique_id, role] = layer
        return layer


def _lies(layer: Image, geometry: dict[str, Any]) -> bool:
    """Return whether a layer lies where it should."""
    return np.allclose(affine_of(layer), geometry["affine"], rtol=1e-9, atol=1e-9)


def _stretch(layer: Image, limits: tuple[float, float]) -> None:
    """Set which values are darkest and brightest; the slider for them is as long as need be."""
    if tuple(layer.contrast_limits) == limits:
        return
    low, high = layer.contrast_limits_range
    if low > limits[0] or high < limits[1] or high - low > 4 * (limits[1] - limits[0]):
        layer.contrast_limits_range = limits
    layer.contrast_limits = limits


def _limits(coarse: CoarseMap) -> tuple[float, float]:
    """Return the values of the darkest and the brightest colour."""
    low, high = float(np.nanmin(coarse.data)), float(np.nanmax(coarse.data))
    if coarse.signed:
        high = max(abs(low), abs(high))
        low = -high
    return (low, high) if high > low else (low, low + 1.0)
