"""Where a network's answer should not be trusted: it is asked several times, in other words.

Test-time augmentation after Wang et al. 2019 (Aleatoric uncertainty estimation with test-time
augmentation): the same image, mirrored and shifted by a few pixels, should get the same mask.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.engines.checked import Engine
from napari_lgmsnet.core.engines.choice import Chosen, Engines
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.postprocess import labels_from_probabilities
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.types import Progress, Volume
from napari_lgmsnet.core.windows import flips_of

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One way to show an image to a network.

    Parameters
    ----------
    flips : tuple of int
        Axes of (B, C, *S) that are mirrored.
    shift : tuple of int
        Pixels of the network's input by which the image is moved along each of *S.
    """

    flips: tuple[int, ...]
    shift: tuple[int, ...]


def views(dimensions: int, *, flips: Sequence[int], shift: int = 4) -> list[View]:
    """Return the ways in which an image is shown: as it is, mirrored, and shifted.

    Parameters
    ----------
    dimensions : 2 or 3
        Of the network.
    flips : sequence of int
        Axes along which it is mirrored: two give 3 views more, three 7.
    shift : int
        Pixels of the network's input, to both sides along each axis: 4 more in 2D, 6 more in
        3D; 0 for none. What leaves a window at one side is unknown: there, the answer beside it
        is repeated.

    Raises
    ------
    InputError
        If that is one view only, or the shift is negative.
    """
    if shift < 0 or (shift == 0 and not flips):
        raise InputError(
            f"doubt is measured by comparing several views, and flips along {len(flips)} axes with "
            f"shift={shift} give one: choose flips, or a shift of a few pixels"
        )
    still = (0,) * dimensions
    found = [View(axes, still) for axes in flips_of(flips)]
    moves = [
        tuple(step * (axis == other) for other in range(dimensions))
        for axis in range(dimensions)
        for step in (-shift, shift)
    ]
    return found + [View((), move) for move in moves if shift]


@dataclass(frozen=True)
class Uncertainty:
    """What several views of an image say together.

    Parameters
    ----------
    prediction : Prediction
        Its probabilities are the mean over all views, its labels what that mean says.
    entropy : float32 array (*S)
        Of the mean: 0 where the network is sure of one class, 1 where all classes are as likely
        (bits, divided by the logarithm of the number of classes).
    disagreement : float32 array (*S)
        The part of ``entropy`` that comes from the views contradicting each other (mutual
        information, in the same unit); the rest is there in every single view.
    views : int
        How many views were asked.
    """

    prediction: Prediction
    entropy: FloatArray
    disagreement: FloatArray
    views: int


def estimate(
    model: Model,
    volume: Volume,
    settings: PredictSettings,
    *,
    flips: bool = True,
    shift: int = 4,
) -> Generator[Progress, None, Uncertainty]:
    """Ask a network for several views of a volume, and how much its answers differ.

    Parameters
    ----------
    model : Model
    volume : Volume
        As for :func:`~napari_lgmsnet.core.inference.iterate`.
    settings : PredictSettings
        Its own ``flips`` has no meaning here.
    flips, shift
        As for :func:`views`.

    Yields
    ------
    Progress
        One a window or slice of each view.

    Returns
    -------
    Uncertainty

    Raises
    ------
    InputError
        If the volume does not suit the checkpoint, or there is one view only.
    OutOfMemoryError
        If not even windows of 32 fit into memory.
    """
    recipe = model.info.recipe
    wanted = views(recipe.dimensions, flips=recipe.flipped_axes(flips), shift=shift)
    settings = settings.model_copy(update={"flips": False})
    mean = np.zeros(0, dtype=np.float32)
    single = np.zeros(0, dtype=np.float32)
    seconds = 0.0
    for done, view in enumerate(wanted):
        here = Progress(done, len(wanted), f"view {done + 1} of {len(wanted)}")
        yield here
        engines = _SeenEngines(model.engines, view)
        seen = Model(model.network, model.info, model.sha256, engines=engines)
        answer = yield from progress.within(iterate(seen, volume, settings), here)
        if done == 0:
            mean, single = np.zeros_like(answer.probabilities), np.zeros_like(answer.foreground)
        mean += answer.probabilities / np.float32(len(wanted))
        single += entropy_of(answer.probabilities) / np.float32(len(wanted))
        seconds += answer.seconds
    entropy = entropy_of(mean)
    prediction = replace(
        answer,
        probabilities=mean,
        labels=labels_from_probabilities(mean, settings.threshold),
        notes=(*answer.notes, f"mean of {len(wanted)} views"),
        seconds=seconds,
    )
    # Rounding can leave the difference a little below zero.
    disagreement = np.maximum(entropy - single, 0)
    return Uncertainty(prediction, entropy, disagreement, len(wanted))


def entropy_of(probabilities: NDArray[np.floating]) -> FloatArray:
    """Return the entropy of probabilities, 0 (sure) to 1 (all classes as likely).

    Parameters
    ----------
    probabilities : float array (K, *S)
        One foreground probability, or those of all classes.

    Returns
    -------
    float32 array (*S)
    """
    count = probabilities.shape[0]
    total = np.zeros(probabilities.shape[1:], dtype=np.float32)
    for channel in probabilities:
        for p in (channel, 1 - channel) if count == 1 else (channel,):
            total -= p * np.log2(np.maximum(p, np.float32(1e-12)))
    entropy: FloatArray = np.clip(total / np.float32(np.log2(max(2, count))), 0, 1)
    return entropy


class _Seen:
    """An engine that is shown every window mirrored and shifted, and whose answer is put back."""

    def __init__(self, engine: Engine, view: View) -> None:
        self._engine = engine
        self._view = view

    @property
    def name(self) -> str:
        return self._engine.name

    def __call__(self, batch: Tensor) -> Tensor:
        view = self._view
        shown = _moved(batch.flip(view.flips), view.shift)
        back = tuple(-step for step in view.shift)
        return _moved(self._engine(shown), back).flip(view.flips)


class _SeenEngines(Engines):
    """The engines of a network, chosen and checked as ever, that see one view."""

    def __init__(self, engines: Engines, view: View) -> None:
        super().__init__(engines.network)
        self._engines = engines
        self._view = view

    def choose(
        self, wanted: str, window: tuple[int, ...], windows: int, device: torch.device
    ) -> Generator[Progress, None, Chosen]:
        chosen = yield from self._engines.choose(wanted, window, windows, device)
        return replace(chosen, engine=_Seen(chosen.engine, self._view))


def _moved(batch: Tensor, shift: tuple[int, ...]) -> Tensor:
    """Shift (B, C, *S); the border is repeated where nothing is known."""
    if not any(shift):
        return batch
    pads = [pad for step in reversed(shift) for pad in (max(step, 0), max(-step, 0))]
    padded = F.pad(batch, pads, mode="replicate")
    for axis, (step, size) in enumerate(zip(shift, batch.shape[2:], strict=True), start=2):
        padded = padded.narrow(axis, max(-step, 0), size)
    return padded
