"""The layers that show predictions, and the edits in them that must not get lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_lgmsnet.adapters.layers import geometry_of, place_over, shape_of
from napari_lgmsnet.core.geometry import Box

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.info import ClassInfo
    from napari_lgmsnet.core.prediction import Prediction

METADATA = "napari-lgmsnet"
Mask = NDArray[np.uint8]


@dataclass
class Result:
    """What is shown of one image.

    Parameters
    ----------
    image, mask, probability : napari layers
    written : uint8 array
        The mask as the program left it: where the layer differs, the person has edited.
    prediction : Prediction
        The last one; it may cover a part of the image only.
    region : tuple of int or slice
        That part.
    """

    image: Image
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
            A copy of the mask whose edits the person agreed to lose.
        """
        now = self.mask.data[region]
        edits = now != self.written[region]
        if accepted is not None:
            edits &= now != accepted[region]
        return bool(np.any(edits))


class Results:
    """The layers made for each image, of one viewer.

    Parameters
    ----------
    viewer : napari Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._results: dict[Any, Result] = {}

    def of(self, image: Image) -> Result | None:
        """Return what is shown of an image, if its mask still exists and fits."""
        result = self._results.get(image.unique_id)
        if result is None:
            return None
        if result.mask not in self._viewer.layers or result.mask.data.shape != shape_of(image):
            del self._results[image.unique_id]
            return None
        return result

    def forget_missing(self) -> None:
        """Let go of what belongs to layers that were removed."""
        for result in list(self._results.values()):
            if result.image not in self._viewer.layers:
                del self._results[result.image.unique_id]
            else:
                self.of(result.image)

    def suits(self, image: Image, prediction: Prediction) -> Result | None:
        """Return the result that a prediction updates: one with the same classes, if any."""
        result = self.of(image)
        if result is None or result.prediction.info.classes != prediction.info.classes:
            return None
        return result

    def show(self, image: Image, region: Box, prediction: Prediction) -> Result:
        """Show a prediction: in the image's own layers if they suit, otherwise in new ones.

        Edits in the region are overwritten, which can be undone in the layer; ask first.
        """
        result = self.suits(image, prediction)
        if result is None:
            result = self._make(image, region, prediction)
        result.prediction, result.region = prediction, region
        if result.probability not in self._viewer.layers:
            shape = result.mask.data.shape
            result.probability = self._add_probability(image, np.zeros(shape, np.float32))
        result.probability.data[region] = prediction.foreground
        result.probability.refresh()
        for layer in (result.mask, result.probability):
            place_over(layer, image)
        self._write(result)
        self._viewer.layers.selection.active = result.mask
        return result

    def cut(self, result: Result, prediction: Prediction) -> None:
        """Show the last prediction again, cut at another threshold."""
        result.prediction = prediction
        self._write(result)

    def set_aside(self, result: Result) -> None:
        """Leave the edited mask to the person; what follows goes to a new layer."""
        result.mask.name = f"{result.mask.name} edited"
        result.mask.visible = False
        result.mask = self._add_mask(
            result.image, result.written.copy(), result.prediction.info.classes
        )

    def _make(self, image: Image, region: Box, prediction: Prediction) -> Result:
        shape = shape_of(image)
        # The mask comes last, so that it lies on top.
        probability = self._add_probability(image, np.zeros(shape, np.float32))
        mask = self._add_mask(image, np.zeros(shape, np.uint8), prediction.info.classes)
        result = Result(image, mask, probability, np.zeros(shape, np.uint8), prediction, region)
        self._results[image.unique_id] = result
        return result

    def _add_mask(self, image: Image, data: Mask, classes: tuple[ClassInfo, ...]) -> Labels:
        mask = Labels(
            data,
            name=f"{image.name} mask",
            colormap=colormap_of(classes),
            features=features_of(classes),
            opacity=0.5,
            metadata={METADATA: {"role": "mask"}},
            **geometry_of(image),
        )
        self._viewer.add_layer(mask)
        return mask

    def _add_probability(self, image: Image, data: NDArray[np.float32]) -> Image:
        probability = Image(
            data,
            name=f"{image.name} probability",
            colormap="magenta",
            blending="additive",
            contrast_limits=(0.0, 1.0),
            visible=False,
            # From the start: lists of images tell by it that this is a result.
            metadata={METADATA: {"role": "probability"}},
            **geometry_of(image),
        )
        self._viewer.add_layer(probability)
        return probability

    def _write(self, result: Result) -> None:
        """Write the prediction's labels where they differ, so that undo never brings a mixture."""
        mask, region, labels = result.mask, result.region, result.prediction.labels
        if result.edited(region):
            # Undo gives the person's edits back.
            mask.data_setitem(*_differences(mask.data, region, labels))
        else:
            # Nothing of the person's is lost, so this is no step for undo; moving a threshold
            # would soon push the person's own steps out of the history.
            mask.data[region] = labels
            mask.refresh()
        result.written[region] = labels
        mask.features = features_of(result.prediction.info.classes)
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
        "settings": prediction.settings.model_dump(),
        "device": prediction.device,
        "description": prediction.describe(),
    }


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


def _differences(
    data: Mask, region: Box, labels: Mask
) -> tuple[tuple[NDArray[np.intp], ...], Mask]:
    """Return where labels differ from a part of the data, as its indices, and the labels."""
    places = np.nonzero(data[region] != labels)
    inside = iter(places)
    count = places[0].size
    indices = tuple(
        next(inside) + part.start if isinstance(part, slice) else np.full(count, part)
        for part in region
    )
    return indices, labels[places]
