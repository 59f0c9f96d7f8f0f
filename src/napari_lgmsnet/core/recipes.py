"""Recipes: how an image becomes a network's input.

A checkpoint answers nonsense on inputs that were prepared in another way than in its training, so
the recipe is part of the checkpoint. The paper's three recipes stand here as the authors' code
applies them, with two of this project's own for grey MR and CT.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.network.architecture import MULTIPLE

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Intensity(BaseModel):
    """How intensities are scaled.

    Parameters
    ----------
    kind : str
        ``imagenet``: intensities of 0..255 divided by 255, minus ImageNet's mean, divided by its
        standard deviation, channel by channel in the order in which the network sees them.
        ``imagenet-255``: the same, divided by 255 once more, as the authors' script does.
        ``range``: ``low``..``high`` to 0..1, clipped.
        ``zscore``: clipped to the 0.5 and 99.5 percentile, then zero mean and unit standard
        deviation over the image (each channel together).
    low, high : float
        Ends of ``range``, in the image's own unit (Hounsfield units in CT).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["imagenet", "imagenet-255", "range", "zscore"]
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _check(self) -> Intensity:
        if self.kind == "range" and not self.low < self.high:
            raise ValueError(f"intensity range {self.low}..{self.high} is empty")
        return self


class Recipe(BaseModel):
    """How an image or a volume is prepared for a network, and so also the exact way back.

    Parameters
    ----------
    name, title : str
        For scripts, and for a person.
    dimensions : 2 or 3
        Images (a stack is taken slice by slice) or volumes.
    colour : "rgb", "bgr" or "grey"
        Order in which the network sees colours; "grey" is for networks with one channel.
    size : tuple of int, optional
        The whole image is resized to this. Without it, the image is cut into windows.
    interpolation : str
        ``bilinear`` (as OpenCV, no smoothing before shrinking), ``antialias`` (bilinear that
        smooths when it shrinks), ``lanczos`` (as Pillow).
    orientation : str, optional
        Axes in anatomical terms: ``RAS`` has the first axis run to the patient's right. For
        images it says how a volume is cut: ``SPL`` gives axial slices with the front at the top
        and the patient's right at the left. Without it, a volume is taken as it is stored.
    spacing : tuple of float, optional
        Voxel size in mm to which a volume is resampled, in the order of ``orientation``.
    crop_foreground : bool
        Leave out what surrounds the voxels above zero (after ``intensity``).
    window : tuple of int
        Size of the windows, multiples of 32.
    overlap : float
        Share of a window that the next one covers again, 0 to below 1.
    flips : bool
        Whether answers are averaged over all flips unless a person says otherwise, since it was
        measured to help this network.
    flip_axes : tuple of int, optional
        Of the window: an image that is flipped along these is one that the network has learnt
        from. Without it all of them.
    intensity : Intensity
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    dimensions: Literal[2, 3]
    colour: Literal["rgb", "bgr", "grey"] = "grey"
    size: tuple[int, int] | None = None
    interpolation: Literal["bilinear", "antialias", "lanczos"] = "antialias"
    orientation: str | None = None
    spacing: tuple[float, float, float] | None = None
    crop_foreground: bool = False
    window: tuple[int, ...]
    overlap: float = Field(default=0.5, ge=0.0, lt=1.0)
    flips: bool = False
    flip_axes: tuple[int, ...] | None = None
    intensity: Intensity

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if len(self.window) != self.dimensions:
            raise ValueError(f"window {self.window} must have {self.dimensions} sizes")
        if any(n < MULTIPLE or n % MULTIPLE for n in self.window):
            raise ValueError(f"window {self.window}: every size is a multiple of {MULTIPLE}")
        if not set(self.flip_axes or ()) <= set(range(self.dimensions)):
            raise ValueError(f"flip_axes {self.flip_axes}: a window has {self.dimensions} axes")
        if self.dimensions == 2 and (self.spacing or self.crop_foreground):
            raise ValueError("spacing and crop_foreground are for volumes")
        if self.dimensions == 3 and (self.size or self.colour != "grey"):
            raise ValueError("size and colour are for images")
        axes = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
        if self.orientation and sorted(axes.get(c, -1) for c in self.orientation) != [0, 1, 2]:
            raise ValueError(f'orientation "{self.orientation}" is not one such as "RAS"')
        return self

    @property
    def sensible_flips(self) -> tuple[int, ...]:
        """Return the axes of the window along which a flip makes sense to the network."""
        return tuple(range(self.dimensions)) if self.flip_axes is None else self.flip_axes

    def flipped_axes(self, wish: bool | None) -> tuple[int, ...]:
        """Return the axes along which flips are averaged.

        Parameters
        ----------
        wish : bool or None
            What a person says; None leaves it to the recipe.
        """
        return self.sensible_flips if (self.flips if wish is None else wish) else ()


PAPER_ULTRASOUND_SKIN = Recipe(
    name="paper-ultrasound-skin",
    title="Paper: BUSI, TNSCUI, ISIC18 (BGR, 256 x 256, divided by 255 twice)",
    dimensions=2,
    colour="bgr",
    size=(256, 256),
    interpolation="bilinear",
    window=(256, 256),
    intensity=Intensity(kind="imagenet-255"),
)
PAPER_KVASIR = Recipe(
    name="paper-kvasir",
    title="Paper: Kvasir-SEG (RGB, 256 x 256, Lanczos)",
    dimensions=2,
    colour="rgb",
    size=(256, 256),
    interpolation="lanczos",
    window=(256, 256),
    intensity=Intensity(kind="imagenet"),
)
PAPER_BTCV = Recipe(
    name="paper-btcv",
    title="Paper: BTCV abdominal CT (RAS, 1.5 x 1.5 x 2 mm, -175..250 HU)",
    dimensions=3,
    orientation="RAS",
    spacing=(1.5, 1.5, 2.0),
    crop_foreground=True,
    window=(96, 96, 96),
    intensity=Intensity(kind="range", low=-175.0, high=250.0),
)
GREY_2D = Recipe(
    name="grey-2d",
    title="Grey images and MR slices (256 x 256, z-score)",
    dimensions=2,
    size=(256, 256),
    window=(256, 256),
    intensity=Intensity(kind="zscore"),
)
MR_3D = Recipe(
    name="mr-3d",
    title="MR volumes (RAS, 1 mm, z-score)",
    dimensions=3,
    orientation="RAS",
    spacing=(1.0, 1.0, 1.0),
    window=(96, 96, 96),
    intensity=Intensity(kind="zscore"),
)
CT_3D = Recipe(
    name="ct-3d",
    title="CT volumes (RAS, 1.5 mm, soft tissue -160..240 HU)",
    dimensions=3,
    orientation="RAS",
    spacing=(1.5, 1.5, 1.5),
    window=(96, 96, 96),
    intensity=Intensity(kind="range", low=-160.0, high=240.0),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (PAPER_ULTRASOUND_SKIN, PAPER_KVASIR, PAPER_BTCV, GREY_2D, MR_3D, CT_3D)
}


def recipe_named(name: str) -> Recipe:
    """Return a built-in recipe.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise InputError(
            f'no recipe is called "{name}": choose one of {", ".join(RECIPES)}'
        ) from None
