"""Several images of a viewer, each with its mask, scored in one go."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_lgmsnet.adapters import regions
from napari_lgmsnet.adapters.inspect_jobs import MaskPart, loaded_model
from napari_lgmsnet.adapters.inspect_layers import Place
from napari_lgmsnet.adapters.jobs import Loaded
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import image_of
from napari_lgmsnet.adapters.pairs import image_below, is_mask
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari.components import LayerList

    from napari_lgmsnet.adapters.results import Results
    from napari_lgmsnet.core.inspect.survey import Survey
    from napari_lgmsnet.core.types import Volume

ALONE, UNTRAINED, OTHER = "", "random", "other"
"""What stands beside the chosen checkpoint: nothing, itself without training, another one."""


@dataclass(frozen=True)
class CasePart:
    """An image with its mask, without their layers: for a worker.

    Parameters
    ----------
    name : str
    image : LayerImage
    region : tuple of int or slice
    mask : MaskPart
    """

    name: str
    image: LayerImage
    region: Box
    mask: MaskPart

    def read(self) -> tuple[Volume, NDArray[np.integer]]:
        """Return the image and its labels."""
        return self.image.read(self.region), self.mask.read()


@dataclass(frozen=True)
class SurveyRequest:
    """What a person asks for when scoring several images.

    Parameters
    ----------
    reference : str
        A checkpoint's file, or the name of one that ships.
    cases : list of CasePart
    reduce : str
    beside : str
        ALONE, UNTRAINED or OTHER.
    other : str
        The other checkpoint.
    recipe : str
        Name of a built-in recipe; empty for the checkpoint's own.
    settings : mapping
    loaded : Loaded, optional
        Used instead of reading the checkpoint again.
    """

    reference: str
    cases: list[CasePart]
    reduce: str = "mean"
    beside: str = ALONE
    other: str = ""
    recipe: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    loaded: Loaded | None = None


def pairs_in(layers: LayerList, results: Results) -> list[tuple[Image, Labels]]:
    """Return every mask of a viewer with the image that it lies on, in the order of the list."""
    found = []
    for mask in layers:
        if is_mask(mask):
            image = image_below(layers, results, mask)
            if image is not None:
                found.append((image, mask))
    return found


def case_of(image: Image, mask: Labels, name: str, dims: Any, results: Results) -> CasePart:
    """Return an image with its mask, whole; of a series the frame on screen.

    Raises
    ------
    InputError
        If they do not have the same voxels, or the image cannot be used.
    """
    result = results.behind(mask)
    part = image_of(image) if result is None else result.part
    region = regions.whole(part, regions.view_of(part, dims))
    return CasePart(name, part, region, Place(image, part, region).mask(mask))


def survey_images(request: SurveyRequest) -> Generator[Progress, None, tuple[Loaded, Survey]]:
    """Load what is needed, and score every stage on every image."""
    loaded, model = yield from loaded_model(request.reference, request.recipe, request.loaded)
    from napari_lgmsnet.core.inspect.control import untrained
    from napari_lgmsnet.core.inspect.survey import SurveyCase, survey
    from napari_lgmsnet.core.prediction import make_settings

    models = [model]
    if request.beside == UNTRAINED:
        models.append(untrained(model))
    elif request.beside == OTHER:
        _, second = yield from loaded_model(request.other, request.recipe, None)
        models.append(second)
    cases = [SurveyCase(one.name, one.read) for one in request.cases]
    settings = make_settings(**request.settings)
    return loaded, (yield from survey(models, cases, request.reduce, settings))
