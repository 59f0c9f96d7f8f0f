"""Everything that determines a training run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.model import ModelInfo, named_classes
from napari_lgmsnet.core.network.architecture import Architecture
from napari_lgmsnet.core.paths import text_of
from napari_lgmsnet.core.recipes import Recipe, recipe_named
from napari_lgmsnet.core.validation import first_problem


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Frozen):
    """Where images and masks lie, below a folder.

    Parameters
    ----------
    images, masks : str
        Folders; a mask has its image's name, in any readable format.
    train, validation : str
        Text files with one name (without ending) a line.
    foreground_above : int, optional
        Mask values above this are foreground (127 for masks stored as 0 and 255). Without it,
        mask values are class numbers.
    """

    images: str = "images"
    masks: str = "masks"
    train: str = "train.txt"
    validation: str = "val.txt"
    foreground_above: int | None = None


class AugmentationConfig(_Frozen):
    """How training images are varied. Intensities are those after the recipe's scaling.

    Parameters
    ----------
    flip_axes : tuple of int
        Axes of the network's input that may be flipped.
    rotate_90 : bool
        Quarter turns (images only).
    rotate_degrees, scale, shear, shift : float
        Ends of the random affine map; ``shift`` as a share of the size.
    brightness, contrast : float
        Largest offset added, and largest share multiplied, for each channel on its own.
    gamma : float
        Exponents from 1 / (1 + gamma) to 1 + gamma.
    noise : float
        Largest standard deviation of added noise.
    blur : float
        Largest standard deviation of a Gaussian blur, in pixels.
    bias_field : float
        Strength of a smooth multiplicative field, as MR coils cause.
    erase : float
        Probability that up to four boxes of the image, each up to a quarter of its size, are
        blanked; the mask stays.
    mix : float
        Probability that a box of another training image and mask is pasted over (CutMix, Yun et
        al., ICCV 2019).
    """

    flip_axes: tuple[int, ...] = ()
    rotate_90: bool = False
    rotate_degrees: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    bias_field: float = 0.0
    erase: float = Field(default=0.0, ge=0, le=1)
    mix: float = Field(default=0.0, ge=0, le=1)


class TrainingConfig(_Frozen):
    """A training run.

    Parameters
    ----------
    name, title, training_data, licence : str
        For the checkpoint's description.
    classes : list of str
        Names of the foreground classes, in the order of their label values from 1.
    architecture : dict
        Sizes as in :class:`Architecture`; its ``out_channels`` follows from ``classes``.
    recipe : Recipe or str
        A built-in recipe's name, or a table.
    data : DataConfig
    augmentation : AugmentationConfig
    epochs, batch_size : int
    learning_rate, weight_decay : float
    optimiser : "adamw" or "sgd"
        SGD has momentum 0.9.
    schedule : "one-cycle", "polynomial" or "cosine"
        One-cycle rises for the first quarter; polynomial has the power 0.9.
    dice_weight, cross_entropy_weight : float
        Weights of the two parts of the loss.
    teacher_weight : float
        Weight of the distance from a teacher's answers, where the run is given one.
    teacher_sha256 : str
        Of the teacher's file; the run fills it in. Where it stands, no other teacher is taken.
    average_decay : float
        Decay of the running average of the weights, which is what is validated and kept; 0 keeps
        the weights themselves.
    validate_every : int
        Epochs between validations; the last epoch is always validated.
    seed : int
    """

    name: str
    title: str = ""
    training_data: str = "not stated"
    licence: str = "not stated"
    classes: list[str] = Field(min_length=1)
    architecture: dict[str, Any]
    recipe: Recipe
    data: DataConfig = DataConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    optimiser: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["one-cycle", "polynomial", "cosine"] = "one-cycle"
    dice_weight: float = Field(default=1.0, ge=0)
    cross_entropy_weight: float = Field(default=0.5, ge=0)
    teacher_weight: float = Field(default=1.0, ge=0)
    teacher_sha256: str = ""
    average_decay: float = Field(default=0.99, ge=0, lt=1)
    validate_every: int = Field(default=1, ge=1)
    seed: int = 0

    @pydantic.field_validator("recipe", mode="before")
    @classmethod
    def _named_recipe(cls, value: object) -> object:
        return recipe_named(value) if isinstance(value, str) else value

    def model_info(self) -> ModelInfo:
        """Return the description of the model that this run makes."""
        out_channels = 1 if len(self.classes) == 1 else len(self.classes) + 1
        architecture = Architecture.model_validate(
            {
                "dimensions": self.recipe.dimensions,
                **self.architecture,
                "out_channels": out_channels,
            }
        )
        return ModelInfo(
            name=self.name,
            title=self.title,
            architecture=architecture,
            recipe=self.recipe,
            classes=named_classes(self.classes),
            training_data=self.training_data,
            licence=self.licence,
            training=self.model_dump(mode="json"),
        )


def read_training_config(path: str | Path, **overrides: object) -> TrainingConfig:
    """Read a training configuration from a TOML file.

    Parameters
    ----------
    path : str or Path
    **overrides
        Used instead of what the file says; None leaves the file's value.

    Raises
    ------
    TrainingError
        If the file cannot be read, or a setting is unknown or impossible.
    """
    path = Path(path)
    try:
        table = tomllib.loads(text_of(path, "training configuration (TOML)", TrainingError))
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f'"{path}" cannot be read as TOML ({error})') from error
    table |= {key: value for key, value in overrides.items() if value is not None}
    try:
        config = TrainingConfig.model_validate(table)
        config.model_info()
    except pydantic.ValidationError as error:
        place, problem = first_problem(error)
        raise TrainingError(f'"{path.name}", {place or "configuration"}: {problem}') from error
    return config
