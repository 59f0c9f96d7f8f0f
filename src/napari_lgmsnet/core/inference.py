"""Predict: from a volume to labels and probabilities on the very same grid."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.device import choose_device
from napari_lgmsnet.core.errors import InputError, OutOfMemoryError
from napari_lgmsnet.core.model import Model, ModelInfo
from napari_lgmsnet.core.network.architecture import MULTIPLE
from napari_lgmsnet.core.postprocess import labels_from_probabilities, probabilities_from_logits
from napari_lgmsnet.core.preprocess import axis_codes, prepare, turn
from napari_lgmsnet.core.types import Progress, Volume
from napari_lgmsnet.core.windows import slide

DIRECTIONS = {"R": (2, -1), "L": (2, 1), "A": (1, -1), "P": (1, 1), "S": (0, 1), "I": (0, -1)}
"""Anatomical direction -> row and sign in the world's z, y, x (LPS+)."""


class PredictSettings(BaseModel):
    """How a prediction is made.

    Parameters
    ----------
    device : str
        As for :func:`~napari_lgmsnet.core.device.choose_device`.
    native : bool
        Run images in windows at their own size, even if the recipe resizes them.
    overlap : float, optional
        Share of a window that the next one covers again; the recipe's without it.
    flips : bool
        Average over all flips (four times the work on images, eight times on volumes).
    threshold : float
        As for :func:`~napari_lgmsnet.core.postprocess.labels_from_probabilities`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = "auto"
    native: bool = False
    overlap: float | None = Field(default=None, ge=0.0, lt=1.0)
    flips: bool = False
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)


@dataclass(frozen=True)
class Prediction:
    """What a network says about a volume, and how it came about.

    Parameters
    ----------
    labels : uint8 array (*S)
        Class numbers on the volume's grid.
    probabilities : float32 array (K, *S)
        The foreground's probability (K = 1), or those of all classes, background first.
    volume : Volume
        What was predicted on; its geometry is the labels' geometry.
    info : ModelInfo
        Of the checkpoint, with the recipe that was used.
    sha256 : str
        Of the checkpoint's file.
    settings : PredictSettings
    device : str
        Where it was computed.
    window : tuple of int
        Size of the windows that were used in the end.
    notes : tuple of str
        What a person should know, for instance that memory allowed smaller windows only.
    seconds : float
        Time taken.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    volume: Volume
    info: ModelInfo
    sha256: str
    settings: PredictSettings
    device: str
    window: tuple[int, ...]
    notes: tuple[str, ...]
    seconds: float

    def at_threshold(self, threshold: float) -> Prediction:
        """Return the same prediction cut at another threshold; the network is not run again."""
        settings = make_settings(**{**self.settings.model_dump(), "threshold": threshold})
        labels = labels_from_probabilities(self.probabilities, threshold)
        return replace(self, labels=labels, settings=settings)

    @property
    def foreground(self) -> NDArray[np.float32]:
        """Return the probability of any foreground, (*S)."""
        first: NDArray[np.float32] = self.probabilities[0]
        return first if self.probabilities.shape[0] == 1 else np.float32(1) - first

    def label_volume(self) -> Volume:
        """Return the labels with the geometry of the volume."""
        return self.volume.with_data(self.labels, self.volume.spatial_axes)

    def describe(self) -> str:
        """Return in one line with which checkpoint and settings it was made."""
        s = self.settings
        words = [
            self.info.name,
            self.info.recipe.title,
            f"windows {' x '.join(map(str, self.window))}",
            f"threshold {s.threshold:g}",
            *(["flips"] if s.flips else []),
            self.device,
            f"{self.seconds:.1f} s",
            *self.notes,
        ]
        return "; ".join(words)


def make_settings(**settings: Any) -> PredictSettings:
    """Return settings, or say which one is wrong.

    Raises
    ------
    InputError
        If a setting is unknown or out of range.
    """
    try:
        return PredictSettings(**settings)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        known = ", ".join(PredictSettings.model_fields)
        raise InputError(f'setting "{place}": {problem["msg"]} (settings are {known})') from error


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
        as the recipe's orientation says, or along its first axis.
    settings : PredictSettings

    Yields
    ------
    Progress
        One a window, or one a slice.

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
    start = time.perf_counter()
    device = choose_device(settings.device)
    window = model.info.recipe.window
    notes: tuple[str, ...] = ()
    model.network.to(device)
    while True:
        try:
            logits = yield from _logits(model, volume, settings, window, device)
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        window = _smaller(window, device)
        notes = (f"memory allowed windows of {' x '.join(map(str, window))} only",)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        yield Progress(0, 0, f"out of memory: {notes[0]}, starting again")
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
        notes=notes,
        seconds=time.perf_counter() - start,
    )


def _logits(
    model: Model,
    volume: Volume,
    settings: PredictSettings,
    window: tuple[int, ...],
    device: torch.device,
) -> Generator[Progress, None, Tensor]:
    """Return logits (K, *S) on the volume's grid."""
    if model.info.recipe.dimensions == volume.ndim_spatial:
        return (yield from _logits_of_one(model, volume, settings, window, device))
    if model.info.recipe.dimensions == 3:
        raise InputError(
            f'"{model.info.name}" works on volumes, "{volume.name}" is an image: choose a volume, '
            "or a 2D checkpoint"
        )
    turned, grid = turn(volume, slicing(volume, model.info.recipe.orientation))
    count = turned.spatial_shape[0]
    # Filled in place: a list of slices, stacked at the end, would need twice the memory.
    whole = torch.empty(0)
    for done, piece in enumerate(slices_of(turned)):
        yield Progress(done, count, f"slice {done + 1} of {count}")
        logits = yield from _renamed(
            _logits_of_one(model, piece, settings, window, device), done, count
        )
        if done == 0:
            whole = torch.empty((logits.shape[0], *turned.spatial_shape))
        whole[:, done] = logits
    return grid.restore(whole)


def _renamed(
    job: Generator[Progress, None, Tensor], done: int, count: int
) -> Generator[Progress, None, Tensor]:
    """Report the windows of one slice as steps of the stack."""
    while True:
        try:
            step = next(job)
        except StopIteration as stop:
            result: Tensor = stop.value
            return result
        yield Progress(done, count, f"slice {done + 1} of {count}, {step.message}")


def _logits_of_one(
    model: Model,
    volume: Volume,
    settings: PredictSettings,
    window: tuple[int, ...],
    device: torch.device,
) -> Generator[Progress, None, Tensor]:
    recipe = model.info.recipe
    whole = not settings.native
    array, grid = prepare(volume, recipe, model.info.architecture.in_channels, whole=whole)
    overlap = recipe.overlap if settings.overlap is None else settings.overlap
    logits = yield from slide(
        model.network, torch.from_numpy(array), window, overlap, device, flips=settings.flips
    )
    return grid.restore(logits)


def slicing(volume: Volume, orientation: str | None) -> str | None:
    """Return the orientation in which a 2D network's slices are cut from a volume.

    That of the recipe, but a volume one voxel thick is taken as the slice that it is, turned as
    radiologists look at it: head or front up.
    """
    thin = [axis for axis, size in enumerate(volume.spatial_shape) if size == 1]
    if orientation is None or len(thin) != 1:
        return orientation
    letter = axis_codes(volume)[thin[0]]
    usual = {"S": "SPL", "I": "SPL", "A": "AIL", "P": "AIL", "R": "RIP", "L": "RIP"}
    return orientation if usual[orientation[0]] == usual[letter] else usual[letter]


def slices_of(volume: Volume) -> Iterator[Volume]:
    """Yield the images of a stack along its first axis."""
    for index in range(volume.spatial_shape[0]):
        yield Volume(
            data=volume.data[index],
            axes=volume.axes.removeprefix("Z"),
            affine=affine_of_slice(volume.affine),
            units=volume.units,
            name=volume.name,
        )


def affine_of_slice(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an in-plane affine: the lengths of the steps, without the plane's place in space."""
    lengths = np.linalg.norm(affine[:3, 1:3], axis=0)
    return np.diag([*lengths, 1.0])


def volume_from_array(
    array: NDArray[Any],
    info: ModelInfo,
    spacing: tuple[float, ...] | None = None,
    axes: str | None = None,
) -> Volume:
    """Wrap a bare array for a checkpoint; see :func:`predict` for what is assumed.

    Raises
    ------
    InputError
        If the shape does not suit the checkpoint.
    """
    axes = axes or guess_axes(array.shape, info)
    volume = Volume.from_array(array, axes, spacing)
    orientation = info.recipe.orientation
    if volume.ndim_spatial == 2 or orientation is None:
        return volume
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for column, letter in enumerate(orientation):
        row, sign = DIRECTIONS[letter]
        affine[row, column] = sign * volume.spacing[column]
    return replace(volume, affine=affine)


def guess_axes(shape: tuple[int, ...], info: ModelInfo) -> str:
    """Return the axes that an array of this shape most likely has for a checkpoint.

    Raises
    ------
    InputError
        If no reading fits.
    """
    wanted = info.architecture.in_channels
    colours = {wanted, 3, 4} if info.recipe.dimensions == 2 else {wanted}
    last_is_colour = bool(shape) and shape[-1] in colours
    if info.recipe.dimensions == 2:
        table = {2: "YX", 3: "YXC" if last_is_colour else "ZYX", 4: "ZYXC"}
    else:
        table = {3: "ZYX", 4: "ZYXC"}
    if len(shape) not in table or (len(shape) == 4 and not last_is_colour):
        raise InputError(
            f'an array of shape {shape} does not suit "{info.name}", a {info.recipe.dimensions}D '
            f"checkpoint with {wanted} channel(s): give an image or a volume, channels last"
        )
    return table[len(shape)]


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
