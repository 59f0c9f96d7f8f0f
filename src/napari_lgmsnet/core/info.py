"""What a checkpoint says of itself. Loads no torch, so that a list of checkpoints shows at once."""

from __future__ import annotations

import colorsys
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_lgmsnet.core.network.architecture import Architecture
from napari_lgmsnet.core.recipes import Recipe


class ClassInfo(BaseModel):
    """One class of a segmentation: its label value is its place in the list of classes.

    Parameters
    ----------
    name : str
    colour : tuple of 3 int
        Red, green, blue, 0..255.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    colour: tuple[int, int, int]


def default_classes(out_channels: int) -> tuple[ClassInfo, ...]:
    """Return named and coloured classes for a network that does not name its own."""
    count = max(1, out_channels - 1)
    names = ["foreground"] if out_channels == 1 else [f"class {i}" for i in range(1, count + 1)]
    return named_classes(names)


def named_classes(names: list[str]) -> tuple[ClassInfo, ...]:
    """Return background and the given foreground classes in well separated colours."""
    classes = [ClassInfo(name="background", colour=(0, 0, 0))]
    for i, name in enumerate(names):
        # The golden ratio spreads hues evenly for any number of classes.
        red, green, blue = colorsys.hsv_to_rgb((0.08 + 0.618034 * i) % 1.0, 0.75, 1.0)
        colour = (round(255 * red), round(255 * green), round(255 * blue))
        classes.append(ClassInfo(name=name, colour=colour))
    return tuple(classes)


class ModelInfo(BaseModel):
    """What a checkpoint says of itself.

    Parameters
    ----------
    name, title : str
        For scripts, and for a person.
    architecture : Architecture
    recipe : Recipe
    classes : tuple of ClassInfo
        Background first; so a network with one output has two classes.
    training_data, licence : str
        What it was trained on, and the terms of the weights.
    training : dict
        Settings of the run that made it.
    metrics : dict of str to float
        What it reached, and on what, in words as keys.
    parent_sha256 : str
        SHA-256 of the checkpoint's file that it was trained from, if any.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str = ""
    architecture: Architecture
    recipe: Recipe
    classes: tuple[ClassInfo, ...]
    training_data: str = "not stated"
    licence: str = "not stated"
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    parent_sha256: str = ""

    @model_validator(mode="after")
    def _check(self) -> ModelInfo:
        expected = max(2, self.architecture.out_channels)
        if len(self.classes) != expected:
            raise ValueError(
                f"{len(self.classes)} classes named, the network tells {expected} apart"
            )
        if self.recipe.dimensions != self.architecture.dimensions:
            raise ValueError(
                f"a {self.recipe.dimensions}D recipe does not fit a "
                f"{self.architecture.dimensions}D network"
            )
        return self
