"""What a prediction is, and the settings it was made with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_lgmsnet.core.engines.names import BFLOAT16, TORCH
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.postprocess import labels_from_probabilities
from napari_lgmsnet.core.types import Volume
from napari_lgmsnet.core.validation import first_problem


class PredictSettings(BaseModel):
    """How a prediction is made.

    Parameters
    ----------
    device : str
        As for :func:`~napari_lgmsnet.core.device.choose_device`.
    engine : str
        What runs the network: ``torch``, ``fused``, ``openvino`` (an extra), or ``auto`` for the
        fastest on this machine. The answers are the same but for rounding; ``torch``, the
        default, gives the same bits in every process. ``openvino-bfloat16`` computes in reduced
        precision, where the processor can, and changes masks a little at their borders.
    native : bool
        Run images in windows at their own size, even if the recipe resizes them.
    overlap : float, optional
        Share of a window that the next one covers again; the recipe's without it.
    flips : bool, optional
        Average over all flips that make sense to the checkpoint (up to four times the work on
        images, eight times on volumes); as the recipe has it if it is not given.
    threshold : float
        As for :func:`~napari_lgmsnet.core.postprocess.labels_from_probabilities`.
    channels : tuple of int, optional
        Channels of the image that the network gets, in this order, counted from 0. Without them
        it gets all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = "auto"
    engine: Literal["auto", "torch", "fused", "openvino", "openvino-bfloat16"] = "torch"
    native: bool = False
    overlap: float | None = Field(default=None, ge=0.0, lt=1.0)
    flips: bool | None = None
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    channels: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(default=None, min_length=1)

    def of_the_result(self) -> PredictSettings:
        """Return what the result depends on: another device or exact engine only rounds it."""
        engine = self.engine if self.engine == BFLOAT16 else TORCH
        return self.model_copy(update={"device": "auto", "engine": engine})


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
        place, problem = first_problem(error)
        known = ", ".join(PredictSettings.model_fields)
        raise InputError(f'setting "{place}": {problem} (settings are {known})') from error


@dataclass(frozen=True)
class Prediction:
    """What a network says about a volume, and how it came about.

    Parameters
    ----------
    labels : uint8 array (*S)
        Class numbers on the volume's grid; of a series (T, *S).
    probabilities : float32 array (K, *S)
        The foreground's probability (K = 1), or those of all classes, background first; of a
        series (K, T, *S).
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
    engine : str
        What ran the network.
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
    engine: str = "torch"

    def at_threshold(self, threshold: float) -> Prediction:
        """Return the same prediction cut at another threshold; the network is not run again."""
        settings = make_settings(**{**self.settings.model_dump(), "threshold": threshold})
        labels = labels_from_probabilities(self.probabilities, threshold)
        return replace(self, labels=labels, settings=settings)

    @property
    def foreground(self) -> NDArray[np.float32]:
        """Return the probability of any foreground, in the shape of the labels."""
        first: NDArray[np.float32] = self.probabilities[0]
        return first if self.probabilities.shape[0] == 1 else np.float32(1) - first

    def label_volume(self) -> Volume:
        """Return the labels with the geometry of the volume."""
        return self.volume.with_data(self.labels, self.volume.axes.removesuffix("C"))

    def foreground_volume(self) -> Volume:
        """Return the probability of any foreground with the geometry of the volume."""
        return self.volume.with_data(self.foreground, self.volume.axes.removesuffix("C"))

    def describe(self) -> str:
        """Return in one line with which checkpoint and settings it was made."""
        s = self.settings
        words = [
            self.info.name,
            self.info.recipe.title,
            f"windows {' x '.join(map(str, self.window))}",
            f"threshold {s.threshold:g}",
            *(["flips"] if s.flips else []),
            *([f"channels {', '.join(str(one + 1) for one in s.channels)}"] if s.channels else []),
            self.device if self.engine == "torch" else f"{self.device} ({self.engine})",
            f"{self.seconds:.1f} s",
            *self.notes,
        ]
        return "; ".join(words)
