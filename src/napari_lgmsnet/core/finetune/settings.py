"""Everything that determines a fine-tuning, and what the data made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.validation import first_problem

Adapt = Literal["gently", "anew"]
What = Literal["head", "decoder", "all"]
Variation = Literal["none", "light", "strong"]
Guard = Literal["average", "anchor", "replay", "none"]


class FineTuneSettings(BaseModel):
    """How a network learns from a few corrections. "auto" and None: the data decide.

    Parameters
    ----------
    seconds : float
        Time for training, the scores on held-out cases while training included. Reading before
        and the final comparison come on top.
    epochs : int, optional
        Passes over the training cases instead of a time; the same seed then gives the same
        result.
    adapt : "auto", "gently" or "anew"
        Keep close to what the network knows, or learn something that it does not know. The
        network's score on the cases before training decides.
    train : "auto", "head", "decoder" or "all"
        What changes: norms and head; everything after the encoder; everything. What does not
        keeps its norm statistics as well.
    learning_rate : float, optional
    batch_size : int, optional
    size : tuple of int, optional
        Size of the network's input, multiples of 32; the new network keeps it. Without it the
        recipe's, and two thirds of it, at least 96, for a 2D network that is taught anew.
    augmentation : "auto", "none", "light" or "strong"
    guard : "auto", "average", "anchor", "replay" or "none"
        Against forgetting: average the weights with the parent's, in a share that held-out cases
        choose; pull the weights to the parent's while training; train on the parent's own
        answers on reference images as well.
    classes : tuple of str, optional
        Names of the labels from 1 on, where they are other ones than the parent's.
    held_out : tuple of str, optional
        Names of the cases to hold out, instead of a choice.
    margin : float
        By how much mean Dice on held-out cases must rise.
    class_margin : float
        By how much no class may fall.
    seed : int
    device : str
        As for :func:`~napari_lgmsnet.core.device.choose_device`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=60.0, gt=0)
    epochs: int | None = Field(default=None, ge=1)
    adapt: Literal["auto", "gently", "anew"] = "auto"
    train: Literal["auto", "head", "decoder", "all"] = "auto"
    learning_rate: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    size: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] | None = None
    augmentation: Literal["auto", "none", "light", "strong"] = "auto"
    guard: Literal["auto", "average", "anchor", "replay", "none"] = "auto"
    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    held_out: tuple[str, ...] | None = Field(default=None, min_length=1)
    margin: float = Field(default=0.01, ge=0)
    class_margin: float = Field(default=0.02, ge=0)
    seed: int = Field(default=0, ge=0)
    device: str = "auto"


def make_settings(**settings: Any) -> FineTuneSettings:
    """Return settings, or say which one is wrong.

    Raises
    ------
    InputError
        If a setting is unknown or out of range.
    """
    try:
        return FineTuneSettings(**settings)
    except pydantic.ValidationError as error:
        place, problem = first_problem(error)
        known = ", ".join(FineTuneSettings.model_fields)
        raise InputError(f'setting "{place}": {problem} (settings are {known})') from error


@dataclass(frozen=True)
class Plan:
    """What is done, once the data have decided.

    Parameters
    ----------
    adapt, train, learning_rate, batch_size, augmentation, guard
        As in :class:`FineTuneSettings`.
    frozen_statistics : bool
        Whether norms go on using the parent's statistics.
    shares : tuple of float
        Which shares of the new weights are tried on held-out cases.
    parent_window : tuple of int
        Size of the parent's input.
    reason : str
        Why, in a person's words.
    """

    adapt: Adapt
    train: What
    learning_rate: float
    batch_size: int
    augmentation: Variation
    guard: Guard
    frozen_statistics: bool
    shares: tuple[float, ...]
    parent_window: tuple[int, ...]
    reason: str
