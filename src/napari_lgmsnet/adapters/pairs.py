"""Masks in a viewer, and the images that they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_lgmsnet.adapters.edit_target import class_names
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import affine_of, image_of, shape_of
from napari_lgmsnet.adapters.results import METADATA, Results, is_result

if TYPE_CHECKING:
    from napari.components import LayerList


@dataclass(frozen=True, eq=False)
class Pair:
    """An image and its mask, without their layers: for a worker.

    Parameters
    ----------
    name : str
        Of the image.
    image : LayerImage
    labels : integer array
        The mask's own data, on the grid of the image's level.
    classes : mapping of int to str
        What the labels are called, as far as that is known.
    """

    name: str
    image: LayerImage
    labels: NDArray[Any]
    classes: dict[int, str]


def is_mask(layer: Any) -> bool:
    """Return whether a layer is a mask that a person may correct."""
    made = layer.metadata.get(METADATA, {})
    return isinstance(layer, Labels) and made.get("role", "mask") == "mask"


def is_image(layer: Any) -> bool:
    """Return whether a layer is an image, and not something that was made from one."""
    return isinstance(layer, Image) and not is_result(layer)


def image_below(layers: LayerList, results: Results, mask: Labels) -> Image | None:
    """Return the image that a mask lies on.

    That is the one it was made from. Otherwise, of those in the same place, the one that it is
    named after, or the nearest one below it in the list, or the nearest one above.
    """
    result = results.behind(mask)
    if result is not None:
        return result.image
    own = layers.index(mask)
    fitting = [
        (own - place if place < own else len(layers) + place, layer)
        for place, layer in enumerate(layers)
        if is_image(layer) and _same_place(layer, mask)
    ]
    named = [one for one in fitting if str(mask.name).startswith(str(one[1].name))]
    found = min(named or fitting, key=lambda one: one[0], default=None)
    return None if found is None else found[1]


def pair_of(layers: LayerList, results: Results, mask: Labels) -> Pair | None:
    """Return a mask with its image, if it has one and is held in memory."""
    image = image_below(layers, results, mask)
    if image is None or not isinstance(mask.data, np.ndarray):
        return None
    result = results.behind(mask)
    part = image_of(image) if result is None else result.part
    if mask.data.shape != part.mask_shape:
        return None
    return Pair(str(image.name), part, mask.data, class_names(mask))


def _same_place(image: Image, mask: Labels) -> bool:
    return shape_of(image) == mask.data.shape and np.allclose(
        affine_of(image), affine_of(mask), rtol=1e-4, atol=1e-4
    )
