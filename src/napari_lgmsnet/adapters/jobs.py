"""The jobs that widgets run in the background. Torch is loaded in them, when first needed."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.recipes import Recipe, recipe_named
from napari_lgmsnet.core.remembered import Remembered
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari_lgmsnet.core.info import ModelInfo
    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.prediction import Prediction

Job = Generator[Progress, None, Any]

_remembered = Remembered()
"""What was predicted lately in this window, a bounded number of bytes."""


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory.

    Parameters
    ----------
    reference : str
        Its file, or the name of one that ships.
    model : Model
        With its own recipe.
    devices : tuple of str
        What this machine can compute on, the best first.
    written : int
        When its file was written.
    """

    reference: str
    model: Model
    devices: tuple[str, ...]
    written: int

    @property
    def fresh(self) -> bool:
        """Return whether the file is still the one that was read."""
        return self.written == _written(self.model)


@dataclass(frozen=True)
class Request:
    """What a person asks for when choosing Run.

    Parameters
    ----------
    reference : str
        A checkpoint's file, or the name of one that ships.
    image : LayerImage
    region : tuple of int or slice
        Part of the image; one entry for each of its axes.
    recipe : str
        Name of a built-in recipe; empty for the checkpoint's own.
    settings : mapping
        As for :class:`~napari_lgmsnet.core.prediction.PredictSettings`.
    loaded : Loaded, optional
        Used instead of reading the checkpoint again.
    """

    reference: str
    image: LayerImage
    region: Box
    recipe: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    loaded: Loaded | None = None


def suits(recipe: Recipe, info: ModelInfo) -> bool:
    """Return whether a checkpoint can be used with a recipe."""
    network = info.architecture
    same_colours = (recipe.colour == "grey") == (network.in_channels == 1)
    return recipe.dimensions == network.dimensions and same_colours


def load(reference: str) -> Generator[Progress, None, Loaded]:
    """Load a checkpoint."""
    yield Progress(0, 0, "reading the checkpoint")
    from napari_lgmsnet.core import checkpoints, device

    # The window stays responsive only if it has a core of its own.
    device.set_thread_budget(spare=1)
    model = checkpoints.load(reference)
    # napari loads it for the table of the first mask; the window would stand still meanwhile.
    import_module("pandas")
    return Loaded(reference, model, device.available_devices(), _written(model))


def segment(request: Request) -> Generator[Progress, None, tuple[Loaded, Prediction]]:
    """Load the checkpoint if need be, read the part of the image, and predict."""
    loaded = request.loaded
    if loaded is None or not loaded.fresh:
        loaded = yield from load(request.reference)
    from napari_lgmsnet.core import device
    from napari_lgmsnet.core.prediction import make_settings

    device.set_thread_budget(spare=1)
    settings = make_settings(**request.settings)
    model = loaded.model
    if request.recipe:
        model = model.with_recipe(recipe_named(request.recipe))
    yield Progress(0, 0, "reading the image")
    volume = request.image.read(request.region)
    prediction = yield from _remembered.iterate(model, volume, settings)
    return loaded, prediction


def cut(prediction: Prediction, threshold: float) -> Generator[Progress, None, Prediction]:
    """Cut the probabilities at another threshold."""
    yield Progress(0, 0, "moving the threshold")
    return prediction.at_threshold(threshold)


def _written(model: Model) -> int:
    path = model.path
    return path.stat().st_mtime_ns if path is not None and path.is_file() else 0
