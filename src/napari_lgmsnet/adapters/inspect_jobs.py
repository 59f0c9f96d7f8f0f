"""What the Inspect widget asks in the background. Torch is loaded there, when first needed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.adapters.jobs import Loaded, Request, load, suits
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.recipes import recipe_named
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.attention import AttentionMap, AttentionMaps
    from napari_lgmsnet.core.inspect.compare import Comparison
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.core.inspect.maps import CoarseMap
    from napari_lgmsnet.core.inspect.numbers import Row
    from napari_lgmsnet.core.inspect.occlusion import Occlusion
    from napari_lgmsnet.core.model import Model


@dataclass(frozen=True)
class MaskPart:
    """The part of a Labels layer that lies over what was inspected.

    Parameters
    ----------
    data : array-like of int
        The layer's own; it may be lazy.
    box : tuple of int or slice
    """

    data: Any
    box: Box

    def read(self) -> NDArray[np.integer]:
        """Return the labels, along the spatial axes of the image."""
        return np.asarray(self.data[self.box])


@dataclass(frozen=True)
class View:
    """Which map of a stage is wanted.

    Parameters
    ----------
    stage : str
    reduce : str
        One of :data:`~napari_lgmsnet.core.inspect.maps.REDUCTIONS`.
    channel : int, optional
    """

    stage: str
    reduce: str = "mean"
    channel: int | None = None


@dataclass(frozen=True)
class Seen:
    """A map.

    Parameters
    ----------
    map : CoarseMap
    view : View
        What was asked for.
    channels : int
        Of the stage.
    """

    map: CoarseMap
    view: View
    channels: int


def loaded_model(
    reference: str, recipe: str, known: Loaded | None
) -> Generator[Progress, None, tuple[Loaded, Model]]:
    """Load a checkpoint if need be, and give it a recipe.

    Parameters
    ----------
    reference : str
        Its file, or the name of one that ships.
    recipe : str
        Name of a built-in one, used where it suits; empty for the checkpoint's own.
    known : Loaded, optional
        Used if its file is still the same.
    """
    loaded = known
    if loaded is None or not loaded.fresh:
        loaded = yield from load(reference)
    model = loaded.model
    if recipe and suits(recipe_named(recipe), model.info):
        model = model.with_recipe(recipe_named(recipe))
    return loaded, model


def look(request: Request, stage: str) -> Generator[Progress, None, tuple[Loaded, Inspection]]:
    """Load the checkpoint if need be, read the part of the image, and run the network.

    Without a stage, or with one that this network does not have, the one after the fourth
    downsampling is read, or else the most telling one that there is.
    """
    loaded, model = yield from loaded_model(request.reference, request.recipe, request.loaded)
    from napari_lgmsnet.core import device
    from napari_lgmsnet.core.inspect.inspection import inspect
    from napari_lgmsnet.core.inspect.stages import stage_to_begin_with
    from napari_lgmsnet.core.prediction import make_settings

    device.set_thread_budget(spare=1)
    settings = make_settings(**request.settings)
    yield Progress(0, 0, "reading the image")
    volume = request.image.read(request.region)
    wanted = stage_to_begin_with(model.network, stage)
    return loaded, (yield from inspect(model, volume, [wanted], settings))


def see(inspection: Inspection, view: View) -> Generator[Progress, None, Seen]:
    """Make a map of a stage; the network runs only if the stage is not at hand."""
    from napari_lgmsnet.core.inspect.maps import stage_map

    yield from inspection.load([view.stage])
    coarse = stage_map(inspection, view.stage, view.reduce, view.channel)
    return Seen(coarse, view, len(inspection.stage(view.stage).data))


def score(
    inspection: Inspection, view: View, mask: MaskPart
) -> Generator[Progress, None, list[Row]]:
    """Score a map of a stage against a mask: a row for each class."""
    from napari_lgmsnet.core.inspect import scores
    from napari_lgmsnet.core.inspect.maps import stage_map
    from napari_lgmsnet.core.inspect.numbers import rows_of

    yield from inspection.load([view.stage])
    # Colours have no size: what is scored for them is the norm, and the row says so.
    reduce = "norm" if view.reduce == "components" else view.reduce
    scored = stage_map(inspection, view.stage, reduce, view.channel)
    words = f"channel {view.channel}" if reduce == "channel" else reduce
    classes = scores.classes_in(inspection, mask.read())
    found = {
        name: scores.score(scored.data, scores.count(scored.cells, inside))
        for name, inside in classes.items()
    }
    return rows_of(inspection, view.stage, words, found)


def compare(
    inspection: Inspection,
    view: View,
    mask: MaskPart | None,
    reference: str,
    recipe: str,
    second: Inspection | None = None,
) -> Generator[Progress, None, tuple[Comparison, Inspection]]:
    """Look at the same image with another checkpoint, and compare a stage.

    Parameters
    ----------
    inspection : Inspection
    view : View
    mask : MaskPart, optional
    reference : str
        The other checkpoint.
    recipe : str
        As for :func:`loaded_model`.
    second : Inspection, optional
        What an earlier call returned: the other network is asked no more than is needed.
    """
    from napari_lgmsnet.core.inspect.compare import compare as work
    from napari_lgmsnet.core.inspect.inspection import inspect

    yield from inspection.load([view.stage])
    if second is None:
        _, model = yield from loaded_model(reference, recipe, None)
        settings = inspection.settings
        second = yield from inspect(model, inspection.volume, [view.stage], settings)
    yield from second.load([view.stage])
    labels = None if mask is None else mask.read()
    answer = work(inspection, second, view.stage, view.reduce, channel=view.channel, mask=labels)
    return answer, second


def rank(
    inspection: Inspection, stage: str, mask: MaskPart
) -> Generator[Progress, None, list[tuple[int, float]]]:
    """Rank a stage's channels by how well they separate the foreground of the mask."""
    from napari_lgmsnet.core.inspect.scores import rank_channels

    yield from inspection.load([stage])
    return (yield from rank_channels(inspection, stage, mask.read() != 0))


def attend(
    maps: AttentionMaps, point: tuple[float, ...], block: str, head: int | None
) -> Generator[Progress, None, AttentionMap]:
    """Find where a point attends; the network runs only if its window was not asked before."""
    if not maps.ready(point):
        yield from maps.prepare(point)
    return maps.at(point, block, head)


def explain(
    inspection: Inspection, stage: str, class_number: int, mask: MaskPart | None
) -> Generator[Progress, None, CoarseMap]:
    """Make a Grad-CAM for a class, over the mask or where the network finds it."""
    from napari_lgmsnet.core.inspect.gradcam import grad_cam

    return (yield from grad_cam(inspection, stage, class_number, _foreground(mask)))


def cover(
    inspection: Inspection, box: tuple[slice, ...], class_number: int, mask: MaskPart | None
) -> Generator[Progress, None, Occlusion]:
    """Cover a box and see what becomes of a class."""
    from napari_lgmsnet.core.inspect.occlusion import occlude

    return (yield from occlude(inspection, box, class_number, _foreground(mask)))


def cover_everywhere(
    inspection: Inspection, class_number: int, mask: MaskPart | None
) -> Generator[Progress, None, CoarseMap]:
    """Cover patch after patch and map what becomes of a class."""
    from napari_lgmsnet.core.inspect.occlusion import occlusion_map

    return (yield from occlusion_map(inspection, class_number, _foreground(mask)))


def _foreground(mask: MaskPart | None) -> NDArray[np.bool_] | None:
    return None if mask is None else mask.read() != 0
