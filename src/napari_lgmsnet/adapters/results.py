"""The layers that show predictions, and the edits in them that must not get lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_lgmsnet.adapters.gradual_work import Around, Laying
from napari_lgmsnet.adapters.history import Box as Pieces
from napari_lgmsnet.adapters.history import chunks, whole_box
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import image_of, mask_geometry, place_layer, shape_of, source_of
from napari_lgmsnet.core.axis_order import inverse
from napari_lgmsnet.core.geometry import Box

if TYPE_CHECKING:
    from napari.components import LayerList

    from napari_lgmsnet.adapters.gradual import Writer
    from napari_lgmsnet.core.info import ClassInfo
    from napari_lgmsnet.core.prediction import Prediction

METADATA = "napari-lgmsnet"
Mask = NDArray[np.uint8]

LARGE = 2**20
"""Voxels of a prediction that are written in one piece: some milliseconds."""
_MANY_EDITS = 2**18  # where each voxel has to be kept for undo, which takes 100 times as long
_AT_ONCE = 2**17  # voxels of a piece
_LOOKED_AT = 2**18  # voxels that are compared at once: what the processor's cache holds


@dataclass
class Result:
    """What is shown of one image.

    Parameters
    ----------
    image, mask, probability : napari layers
    part : LayerImage
        Which level of the image the mask is for, and which of its axes holds channels.
    written : uint8 array
        The mask as the program left it: where the layer differs, the person has edited.
    prediction : Prediction
        The last one; it may cover a part of the image only.
    region : tuple of int or slice
        Where in the mask it lies.
    """

    image: Image
    part: LayerImage
    mask: Labels
    probability: Image
    written: Mask
    prediction: Prediction
    region: Box

    def edited(self, region: Box, accepted: Mask | None = None) -> bool:
        """Return whether there are edits in a part of the mask.

        Parameters
        ----------
        region : tuple of int or slice
        accepted : uint8 array, optional
            A copy of this part whose edits the person agreed to lose.
        """
        now, written = self.mask.data[region], self.written[region]
        # Piece by piece: in a large mask that is faster, and it ends at the first edit.
        for piece in chunks(whole_box(now.shape), _LOOKED_AT):
            edits = now[piece] != written[piece]
            if accepted is not None:
                edits &= now[piece] != accepted[piece]
            if edits.any():
                return True
        return False


class Results:
    """The layers made for each image, of one viewer.

    Parameters
    ----------
    layers : napari LayerList
        The viewer's.
    writer : Writer
        Of the same viewer.
    around : callable
        Returns what is to be entered while a network's answer is written.
    """

    def __init__(self, layers: LayerList, writer: Writer, around: Around) -> None:
        self._layers = layers
        self._writer = writer
        self._around = around
        self._results: dict[Any, Result] = {}

    def of(self, image: Image) -> Result | None:
        """Return what is shown of an image, if its mask still exists and fits."""
        result = self._results.get(image.unique_id)
        if result is None:
            return None
        fits = result.mask.data.shape == result.part.mask_shape
        same = shape_of(image) == result.part.finest_shape
        if result.mask not in self._layers or not (fits and same):
            del self._results[image.unique_id]
            return None
        return result

    def behind(self, mask: Labels) -> Result | None:
        """Return the result that a mask shows, if it was made here."""
        found = (one for one in self._results.values() if one.mask == mask)
        return next(found, None)

    def forget_missing(self) -> None:
        """Let go of what belongs to layers that were removed."""
        for result in list(self._results.values()):
            if result.image not in self._layers:
                del self._results[result.image.unique_id]
            else:
                self.of(result.image)

    def suits(
        self, image: Image, part: LayerImage, classes: tuple[ClassInfo, ...] | None
    ) -> Result | None:
        """Return the result that a new prediction updates, if any.

        Parameters
        ----------
        image : napari Image layer
        part : LayerImage
            The result must have the same voxels.
        classes : tuple of ClassInfo, optional
            The result must have the same classes, if they are known.
        """
        result = self.of(image)
        if result is None or not result.part.same_grid(part):
            return None
        same = classes is None or result.prediction.info.classes == classes
        return result if same else None

    def show(self, image: Image, part: LayerImage, region: Box, prediction: Prediction) -> Result:
        """Show a prediction: in the image's own layers if they suit, otherwise in new ones.

        Edits in the region are overwritten, which can be undone in the layer; ask first. A large
        prediction is written piece by piece from now on (:attr:`Session.writer`).

        Parameters
        ----------
        image : napari Image layer
        part : LayerImage
            What of it was segmented.
        region : tuple of int or slice
            Where in the mask the prediction lies.
        prediction : Prediction
        """
        self._writer.finish()
        result = self.suits(image, part, prediction.info.classes)
        # Whoever paints in another layer meanwhile keeps the brush.
        free = result is None or self._layers.selection.active in (None, image, result.probability)
        if result is None:
            result = self._make(image, part, region, prediction)
        result.part, result.prediction, result.region = part, prediction, region
        if result.probability not in self._layers:
            result.probability = self._add_probability(image, part)
        # The image may have been moved in the meantime.
        now = image_of(image, channel_axis=part.channel_axis, level=part.level)
        for layer in (result.mask, result.probability):
            place_layer(layer, mask_geometry(image, now))
        self._write(result, probable=True)
        if free:
            self._layers.selection.active = result.mask
        return result

    def cut(self, result: Result, prediction: Prediction) -> None:
        """Show the last prediction again, cut at another threshold."""
        self._writer.finish()
        result.prediction = prediction
        self._write(result, probable=False)

    def set_aside(self, result: Result) -> None:
        """Leave the edited mask to the person; what follows goes to a new layer."""
        self._writer.finish()
        result.mask.name = f"{result.mask.name} edited"
        result.mask.visible = False
        result.mask = self._add_mask(
            result.image, result.part, result.written.copy(), result.prediction.info.classes
        )

    def _make(self, image: Image, part: LayerImage, region: Box, prediction: Prediction) -> Result:
        shape = part.mask_shape
        # Zeros take up memory only where something is written, even for huge images. The mask
        # comes last, so that it lies on top.
        probability = self._add_probability(image, part)
        mask = self._add_mask(image, part, np.zeros(shape, np.uint8), prediction.info.classes)
        written = np.zeros(shape, np.uint8)
        result = Result(image, part, mask, probability, written, prediction, region)
        self._results[image.unique_id] = result
        return result

    def _add_mask(
        self, image: Image, part: LayerImage, data: Mask, classes: tuple[ClassInfo, ...]
    ) -> Labels:
        mask = Labels(
            data,
            name=f"{image.name} mask{_level_of(part)}",
            colormap=colormap_of(classes),
            features=features_of(classes),
            opacity=0.5,
            metadata={METADATA: {"role": "mask"}, "source": source_of(image)},
            **mask_geometry(image, part),
        )
        self._layers.append(mask)
        return mask

    def _add_probability(self, image: Image, part: LayerImage) -> Image:
        probability = Image(
            np.zeros(part.mask_shape, np.float32),
            name=f"{image.name} probability{_level_of(part)}",
            colormap="magenta",
            blending="additive",
            contrast_limits=(0.0, 1.0),
            visible=False,
            # From the start: lists of images tell by it that this is a result.
            metadata={METADATA: {"role": "probability"}, "source": source_of(image)},
            **mask_geometry(image, part),
        )
        self._layers.append(probability)
        return probability

    def _write(self, result: Result, *, probable: bool) -> None:
        """Write the prediction where it differs: as an undo step if there are edits in it.

        Then undo gives the person's edits back. Otherwise nothing of the person's is lost, and it
        is no step: moving a threshold would soon push the person's own steps out of the history.
        """
        mask, region, prediction = result.mask, result.region, result.prediction
        size = int(prediction.labels.size)
        gradual = size > LARGE or (size > _MANY_EDITS and result.edited(region))
        work = Laying(
            mask,
            list(chunks(whole_box(prediction.labels.shape), _AT_ONCE if gradual else size)),
            partial(result.edited, region),
            partial(_lay, result, prediction, region, probable=probable),
            self._around,
            lambda _done: result.probability.refresh() if probable else None,
        )
        self._writer.start(work, gradual=gradual)
        mask.features = features_of(prediction.info.classes)
        for layer, role in ((mask, "mask"), (result.probability, "probability")):
            layer.metadata = {**layer.metadata, METADATA: metadata_of(result, role)}


def metadata_of(result: Result, role: str) -> dict[str, Any]:
    """Return how a layer was made, in plain types."""
    prediction = result.prediction
    return {
        "role": role,
        "image": str(result.image.name),
        "checkpoint": prediction.info.name,
        "sha256": prediction.sha256,
        "recipe": prediction.info.recipe.name,
        "recipe_contents": _recipe_of(result),
        "settings": prediction.settings.model_dump(),
        "level": result.part.level,
        "box": _box_of(result),
        "device": prediction.device,
        "description": prediction.describe(),
    }


def _recipe_of(result: Result) -> dict[str, Any]:
    """Return the recipe in plain types, such that it gives the same from the file itself."""
    from napari_lgmsnet.core.preprocess import axis_codes

    prediction = result.prediction
    recipe = prediction.info.recipe.model_dump(mode="json")
    if recipe["orientation"] is None and "layer_axes" in source_of(result.image):
        # The network saw the axes as the viewer has them, which are not those of the file.
        recipe["orientation"] = axis_codes(prediction.volume)
    return recipe


def _box_of(result: Result) -> list[list[int]] | None:
    """Return the part of the image that was segmented, along the axes of its file."""
    part, box = result.part, list(result.region)
    if part.channel_axis:
        del box[part.channel_axis]
    spans = [
        [one.start, one.stop] if isinstance(one, slice) else [one, one + 1]
        for one in box[part.leading :]
    ]
    if spans == [[0, size] for size in part.spatial_shape]:
        return None
    order = source_of(result.image).get("layer_axes", range(len(spans)))
    return [spans[place] for place in inverse(tuple(order))]


def _level_of(part: LayerImage) -> str:
    """Return what the names of layers say of their level."""
    return f" (level {part.level + 1})" if len(part.levels) > 1 else ""


def checkpoint_of(mask: Labels) -> str:
    """Return the SHA-256 of the checkpoint that made a mask; empty where the layer has none."""
    return str(mask.metadata.get(METADATA, {}).get("sha256", ""))


def is_result(layer: Any) -> bool:
    """Return whether a layer was made by this plugin."""
    return METADATA in layer.metadata


def colormap_of(classes: tuple[ClassInfo, ...]) -> DirectLabelColormap:
    """Return the classes' colours; labels without a class are grey."""
    colours: dict[int | None, Any] = defaultdict(lambda: np.array([0.6, 0.6, 0.6, 1.0]))
    colours[None] = np.array([0.6, 0.6, 0.6, 1.0])
    colours[0] = np.zeros(4)
    for label, info in enumerate(classes[1:], start=1):
        colours[label] = np.array([*(part / 255 for part in info.colour), 1.0])
    return DirectLabelColormap(color_dict=colours)


def features_of(classes: tuple[ClassInfo, ...]) -> dict[str, list[Any]]:
    """Return a table of names, which napari shows for the label under the pointer."""
    return {"index": list(range(len(classes))), "class": [info.name for info in classes]}


def _lay(
    result: Result,
    prediction: Prediction,
    region: Box,
    piece: Pieces,
    undoable: bool,
    *,
    probable: bool,
) -> None:
    """Write a piece of a prediction into the layers, without drawing them anew."""
    labels = prediction.labels[piece]
    if undoable:
        where, new = _differences(result.mask.data, region, piece, labels)
        result.mask.data_setitem(where, new, refresh=False)
    else:
        result.mask.data[region][piece] = labels
    result.written[region][piece] = labels
    if probable:
        first = prediction.probabilities[0][piece]
        one = prediction.probabilities.shape[0] == 1
        result.probability.data[region][piece] = first if one else np.float32(1) - first


def _differences(
    data: Mask, region: Box, piece: Pieces, labels: Mask
) -> tuple[tuple[NDArray[np.intp], ...], Mask]:
    """Return where labels differ from a piece of a part of the data, as its indices, and them."""
    places = np.nonzero(data[region][piece] != labels)
    inside = iter([index + part.start for index, part in zip(places, piece, strict=True)])
    count = places[0].size
    indices = tuple(
        next(inside) + part.start if isinstance(part, slice) else np.full(count, part)
        for part in region
    )
    return indices, labels[places]
