"""How a mask is made: which part of the image, where it is computed, with which recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QFormLayout, QSpinBox

from napari_lgmsnet.adapters.settings import preferences
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.recipes import RECIPES, Recipe
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.region import RegionPicker

if TYPE_CHECKING:
    from napari import Viewer

_OWN = -5
"""The step below 0 % of the overlap, which stands for the recipe's own."""


class SegmentOptions:
    """The settings of a run, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows; so they line up with what else is in it.
    viewer : napari Viewer
    """

    def __init__(self, form: QFormLayout, viewer: Viewer) -> None:
        wishes = preferences()
        self.region = RegionPicker(viewer)
        self.recipe = plain_combo("How the image is prepared for the network")
        self.device = plain_combo("Where to compute; auto takes the fastest there is")
        self.overlap = QSpinBox()
        self.overlap.setRange(_OWN, 95)
        self.overlap.setSingleStep(5)
        self.overlap.setSuffix(" %")
        self.overlap.setSpecialValueText("the recipe's own")
        self.overlap.setToolTip(
            "How much of a window the next one covers again: more is smoother, and slower"
        )
        self.native = QCheckBox("Full resolution, in &windows")
        self.native.setToolTip(
            "Run over windows of the image at its own size, even if the recipe shrinks the image"
        )
        self.flips = QCheckBox("Average over &flips")
        self.flips.setToolTip("Steadier masks for 4 times the work on images, 8 times on volumes")
        form.addRow("Re&gion", self.region)
        form.addRow("Reci&pe", self.recipe)
        form.addRow("D&evice", self.device)
        form.addRow("&Overlap", self.overlap)
        form.addRow("", self.native)
        form.addRow("", self.flips)
        self.overlap.setValue(round(100 * wishes.overlap) if wishes.overlap >= 0 else _OWN)
        self._always_flip = wishes.flips
        self._flips_for: Recipe | None = None
        self.flips.setChecked(wishes.flips)
        self.offer_devices(("cpu",))
        if self.device.findData(wishes.device) < 0:
            self.device.addItem(wishes.device, wishes.device)
        self.device.setCurrentIndex(self.device.findData(wishes.device))
        self.suit(None, 3)

    @property
    def recipe_name(self) -> str:
        """Return the name of a built-in recipe, or nothing for the checkpoint's own."""
        return str(self.recipe.currentData() or "")

    def recipe_for(self, info: ModelInfo | None) -> Recipe | None:
        """Return the recipe that a checkpoint will be used with, if the checkpoint is known."""
        if info is None:
            return None
        return RECIPES[self.recipe_name] if self.recipe_name else info.recipe

    @property
    def full_size(self) -> bool:
        """Return whether the image keeps its own size."""
        return self.native.isChecked() and self.native.isEnabled()

    def settings(self) -> dict[str, Any]:
        """Return the settings for a prediction, without the threshold."""
        overlap = self.overlap.value()
        return {
            "device": self.device.currentData(),
            "native": self.full_size,
            "overlap": None if overlap < 0 else overlap / 100,
            "flips": self.flips.isChecked(),
        }

    def offer_devices(self, devices: tuple[str, ...]) -> None:
        """List the devices of this machine, and keep the choice."""
        names = {"auto": "auto", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Metal)"}
        refill(self.device, [(names.get(one, one), one) for one in ("auto", *devices)])

    def suit(self, info: ModelInfo | None, axes: int) -> None:
        """Offer what makes sense for a checkpoint and an image with this many spatial axes."""
        volumes = is_for_volumes(info)
        self.region.suit(axes, volumes=volumes)
        own = "the checkpoint's own" if info is None else f"own: {info.recipe.title}"
        recipes = [(own, "")]
        if info is not None:
            recipes += [
                (recipe.title, recipe.name)
                for recipe in RECIPES.values()
                if recipe.dimensions == info.architecture.dimensions
                and (recipe.colour == "grey") == (info.architecture.in_channels == 1)
            ]
        refill(self.recipe, recipes)
        self.native.setEnabled(not volumes)
        recipe = self.recipe_for(info)
        if recipe is not None and recipe != self._flips_for:
            # As the checkpoint's makers measured it; a person may choose otherwise until the next.
            self._flips_for = recipe
            self.flips.setChecked(self._always_flip or recipe.flips)


def is_for_volumes(info: ModelInfo | None) -> bool:
    """Return whether a checkpoint works on volumes, and not on images."""
    return info is not None and info.architecture.dimensions == 3
