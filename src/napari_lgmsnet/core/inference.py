"""Predict: from a volume to labels and probabilities on the very same grid."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.arrays import volume_from_array
from napari_lgmsnet.core.channels import choose_channels
from napari_lgmsnet.core.device import choose_device
from napari_lgmsnet.core.engines.choice import Chosen
from napari_lgmsnet.core.errors import InputError, OutOfMemoryError
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.network.architecture import MULTIPLE
from napari_lgmsnet.core.postprocess import labels_from_probabilities, probabilities_from_logits
from napari_lgmsnet.core.prediction import Prediction, PredictSettings, make_settings
from napari_lgmsnet.core.preprocess import prepare, turn
from napari_lgmsnet.core.slices import slices_of, slicing
from napari_lgmsnet.core.types import Progress, Volume
from napari_lgmsnet.core.windows import slide, tile


def predict(
    model: Model,
    array: NDArray[Any] | Volume,
    spacing: tuple[float, ...] | None = None,
    *,
    axes: str | None = None,
    **settings: Any,
) -> Prediction:
    """Segment an image, a stack or a volume.

    Parameters
    ----------
    model : Model
        As :func:`~napari_lgmsnet.load` returns it.
    array : array or Volume
        An array is grey (H, W), colour (H, W, 3 or 4), a stack of either for a 2D network, or a
        volume for a 3D one. A volume without geometry is taken to lie as the recipe wants it
        (``RAS``: first axis to the right, second to the front, third up, as nibabel gives most
        NIfTI files); a :class:`Volume` says itself how it lies, and is turned as needed.
    spacing : tuple of float, optional
        Voxel size in mm along the spatial axes of ``array``; not for a Volume.
    axes : str, optional
        Axes of ``array`` as for :class:`Volume`, where the shape does not tell.
    **settings
        As for :class:`PredictSettings`.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If array, geometry or settings do not suit the checkpoint.
    """
    if isinstance(array, Volume):
        if spacing is not None or axes is not None:
            raise InputError("a Volume has its own spacing and axes: leave out spacing and axes")
        volume = array
    else:
        volume = volume_from_array(np.asarray(array), model.info, spacing, axes)
    return progress.run(iterate(model, volume, make_settings(**settings)))


def iterate(
    model: Model, volume: Volume, settings: PredictSettings
) -> Generator[Progress, None, Prediction]:
    """Segment a volume step by step; closing the generator between two steps stops the work.

    Parameters
    ----------
    model : Model
    volume : Volume
        ``YX`` or ``ZYX`` with or without ``C``. A 2D network takes a volume slice by slice, cut
        as the recipe's orientation says, or along its first axis. A series (``T``) is taken frame
        by frame, each for itself. Lazy data are read frame by frame, and slice by slice for a 2D
        network.
    settings : PredictSettings

    Yields
    ------
    Progress
        One a window, a slice, or a frame.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If the volume does not suit the checkpoint.
    OutOfMemoryError
        If not even windows of 32 fit into memory.
    """
    if volume.axes.startswith("T"):
        return (yield from _iterate_series(model, volume, settings))
    start = time.perf_counter()
    if settings.flips is None:
        settings = settings.model_copy(update={"flips": model.info.recipe.flips})
    device = choose_device(settings.device)
    chosen = choose_channels(volume, settings.channels)
    window = model.info.recipe.window
    notes: tuple[str, ...] = ()
    model.network.to(device)
    while True:
        try:
            run = _Run(model, settings, window, device)
            logits = yield from run.logits(chosen)
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        window = _smaller(window, device)
        notes = (f"memory allowed windows of {' x '.join(map(str, window))} only",)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        yield Progress(0, 0, f"out of memory: {notes[0]}, starting again")
    assert run.chosen is not None
    probabilities = probabilities_from_logits(logits).numpy()
    return Prediction(
        labels=labels_from_probabilities(probabilities, settings.threshold),
        probabilities=probabilities,
        volume=volume,
        info=model.info,
        sha256=model.sha256,
        settings=settings,
        device=str(device),
        window=window,
        notes=(*notes, *run.chosen.notes),
        seconds=time.perf_counter() - start,
        engine=run.chosen.engine.name,
    )


def _iterate_series(
    model: Model, volume: Volume, settings: PredictSettings
) -> Generator[Progress, None, Prediction]:
    """Segment the frames of a series one by one."""
    count = volume.data.shape[0]
    if count == 0:
        raise InputError(f'"{volume.name}" has no frame (shape {volume.data.shape})')
    labels: NDArray[np.uint8] = np.empty(0, np.uint8)
    probabilities: NDArray[np.float32] = np.empty(0, np.float32)
    notes: dict[str, None] = {}
    start = time.perf_counter()
    for index in range(count):
        here = Progress(index, count, f"frame {index + 1} of {count}")
        yield here
        one = yield from progress.within(iterate(model, volume.frame(index), settings), here)
        if index == 0:
            labels = np.empty((count, *one.labels.shape), one.labels.dtype)
            channels, *shape = one.probabilities.shape
            probabilities = np.empty((channels, count, *shape), one.probabilities.dtype)
        labels[index], probabilities[:, index] = one.labels, one.probabilities
        notes |= dict.fromkeys(one.notes)
    return replace(
        one,
        labels=labels,
        probabilities=probabilities,
        volume=volume,
        notes=tuple(notes),
        seconds=time.perf_counter() - start,
    )


class _Run:
    """A network's way through a volume, with windows of one size and one engine."""

    def __init__(
        self, model: Model, settings: PredictSettings, window: tuple[int, ...], device: torch.device
    ) -> None:
        self._model = model
        self._settings = settings
        self._window = window
        self._device = device
        self.chosen: Chosen | None = None

    def logits(self, volume: Volume) -> Generator[Progress, None, Tensor]:
        """Return logits (K, *S) on the volume's grid."""
        info = self._model.info
        if info.recipe.dimensions == volume.ndim_spatial:
            return (yield from self._of_one(volume, 1))
        if info.recipe.dimensions == 3:
            raise InputError(
                f'"{info.name}" works on volumes, "{volume.name}" is an image: choose a volume, '
                "or a 2D checkpoint"
            )
        turned, grid = turn(volume, slicing(volume, info.recipe.orientation))
        count = turned.spatial_shape[0]
        # Filled in place: a list of slices, stacked at the end, would need twice the memory.
        whole = torch.empty(0)
        for done, piece in enumerate(slices_of(turned)):
            here = Progress(done, count, f"slice {done + 1} of {count}")
            yield here
            logits = yield from progress.within(self._of_one(piece, count), here)
            if done == 0:
                whole = torch.empty((logits.shape[0], *turned.spatial_shape))
            whole[:, done] = logits
        return grid.restore(whole)

    def _of_one(self, volume: Volume, count: int) -> Generator[Progress, None, Tensor]:
        """Return the logits of one of several alike."""
        info, settings, window = self._model.info, self._settings, self._window
        recipe, channels = info.recipe, info.architecture.in_channels
        array, grid = prepare(volume.loaded(), recipe, channels, whole=not settings.native)
        overlap = recipe.overlap if settings.overlap is None else settings.overlap
        flips = recipe.flipped_axes(settings.flips)
        if self.chosen is None:
            places = len(tile(array.shape[1:], window, overlap).places)
            windows = count * places * 2 ** len(flips)
            choosing = self._model.engines.choose(settings.engine, window, windows, self._device)
            self.chosen = yield from choosing
        engine = self.chosen.engine
        image = torch.from_numpy(array)
        logits = yield from slide(engine, image, window, overlap, self._device, flips=flips)
        return grid.restore(logits)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch means that memory ran out, on any device."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error).lower() for w in words)


def _smaller(window: tuple[int, ...], device: torch.device) -> tuple[int, ...]:
    smaller = tuple(max(MULTIPLE, n // 2 // MULTIPLE * MULTIPLE) for n in window)
    if smaller == window:
        raise OutOfMemoryError(
            f"not even windows of {' x '.join(map(str, window))} fit into the memory of {device}: "
            "close other programs, or choose another device"
        )
    return smaller
