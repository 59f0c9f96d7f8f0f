"""What tools work on: the image or volume of a mask that is on screen, and how it is written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import affine_of, image_of
from napari_lgmsnet.adapters.regions import View, view_of, whole
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.types import Units, Volume

if TYPE_CHECKING:
    from napari.components import Dims


@dataclass(frozen=True, eq=False)
class Target:
    """One frame of a mask.

    Parameters
    ----------
    mask : napari Labels layer
    image : napari Image layer or None
        What the mask lies on.
    part : LayerImage
        Of the image, or of the mask where there is none.
    region : tuple of int or slice
        The frame in ``part``.
    view : View
        What of it is on screen.
    """

    mask: Labels
    image: Image | None
    part: LayerImage
    region: Box
    view: View

    @property
    def box(self) -> Box:
        """Return where the frame lies in the mask's data."""
        return self.region if self.image is None else self.part.mask_box(self.region)

    @property
    def labels(self) -> NDArray[Any]:
        """Return the frame's labels (Y, X) or (Z, Y, X): no copy."""
        labels: NDArray[Any] = self.mask.data[self.box]
        return labels

    @property
    def spacing(self) -> tuple[float, ...]:
        """Return the size of a voxel along each axis, in ``units``."""
        steps = (self.part.spatial_affine[:-1, :-1] ** 2).sum(axis=0) ** 0.5
        return tuple(float(step) for step in steps)

    @property
    def units(self) -> Units:
        """Return the unit of the spacing."""
        return self.part.units

    @property
    def plane(self) -> tuple[int, int] | None:
        """Return across which axis the slice on screen lies, and where; None for an image."""
        lead = self.part.leading
        if len(self.region) - lead < 3:
            return None
        hidden = [a for a in range(lead, len(self.region)) if a not in self.view.displayed]
        axis = hidden[0] if hidden else lead
        return axis - lead, self.view.step[axis]

    def volume(self) -> Volume:
        """Return a copy of the labels with their place in the world."""
        axes = "ZYX"[-self.labels.ndim :]
        name = str(self.mask.name)
        return Volume(self.labels.copy(), axes, self.part.spatial_affine, self.units, name)

    def pixels(self) -> Volume | None:
        """Return the image of this frame, if there is one; lazy if the layer is."""
        return None if self.image is None else self.part.read(self.region)

    def index_of(self, world: NDArray[np.floating]) -> tuple[int, ...] | None:
        """Return the voxel of this frame at a point of the viewer's world, None if outside."""
        place = np.asarray(self.mask.world_to_data(world), dtype=float)[-self.mask.ndim :]
        index = np.rint(place).astype(int)
        if any(not 0 <= i < n for i, n in zip(index, self.mask.data.shape, strict=True)):
            return None
        return tuple(
            int(i) for i, part in zip(index, self.box, strict=True) if isinstance(part, slice)
        )

    def point_of(self, index: tuple[int, ...]) -> NDArray[np.float64]:
        """Return where a voxel of this frame lies in the viewer's world."""
        inside = iter(index)
        whole_index = [next(inside) if isinstance(p, slice) else p for p in self.box]
        return np.asarray(self.mask.data_to_world(whole_index), dtype=float)

    def same_frame(self, other: Target | None) -> bool:
        """Return whether another target has the same voxels of the same layers."""
        return (
            other is not None
            and self.mask == other.mask
            and self.image == other.image
            and self.part.same_grid(other.part)
            and self.region == other.region
        )


def target_of(
    mask: Labels, image: Image | None, dims: Dims, part: LayerImage | None = None
) -> Target:
    """Return the frame of a mask that is on screen.

    Parameters
    ----------
    mask : napari Labels layer
    image : napari Image layer, optional
    dims : napari Dims
        The viewer's.
    part : LayerImage, optional
        Which level of the image the mask is for, and which of its axes holds channels.

    Raises
    ------
    InputError
        If the mask cannot be edited, or does not lie on the image.
    """
    if mask.multiscale or not isinstance(mask.data, np.ndarray):
        raise InputError(
            f'"{mask.name}" is read from its file piece by piece and cannot be edited: duplicate '
            "the layer, or open the mask whole"
        )
    if image is None:
        part = image_of(mask)
    else:
        known = (None, 0) if part is None else (part.channel_axis, part.level)
        part = image_of(image, channel_axis=known[0], level=known[1])
        same = tuple(mask.data.shape) == part.mask_shape
        if not same or not np.allclose(affine_of(mask), part.mask_affine, rtol=1e-4, atol=1e-4):
            raise InputError(
                f'"{mask.name}" ({_shape(mask.data.shape)}) does not have the voxels of '
                f'"{image.name}" ({_shape(part.mask_shape)}) in the same place: choose the image '
                "that this mask was made on, or none"
            )
    view = view_of(part, dims)
    return Target(mask, image, part, whole(part, view), view)


def class_names(mask: Labels) -> dict[int, str]:
    """Return the names of a mask's classes by label, as far as the layer knows them."""
    table = mask.features
    if "index" not in table or "class" not in table:
        return {}
    pairs = zip(table["index"], table["class"], strict=True)
    return {int(label): str(name) for label, name in pairs if int(label) > 0}


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
