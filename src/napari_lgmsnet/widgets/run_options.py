"""How a network is run: with which recipe, at which size, on which device."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QFormLayout

from napari_lgmsnet.adapters.jobs import suits
from napari_lgmsnet.adapters.settings import preferences
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.recipes import RECIPES, Recipe
from napari_lgmsnet.widgets.combos import plain_combo, refill


class RunOptions:
    """Recipe, device and resolution, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows; so they line up with what else is in it.
    """

    def __init__(self, form: QFormLayout) -> None:
        self.recipe = plain_combo("How the image is prepared for the network")
        self.device = plain_combo("Where to compute; auto takes the fastest there is")
        self.native = QCheckBox("Full resolution, in &windows")
        form.addRow("Reci&pe", self.recipe)
        form.addRow("D&evice", self.device)
        form.addRow("", self.native)
        self.offer_devices(("cpu",))
        wanted = preferences().device
        if self.device.findData(wanted) < 0:
            self.device.addItem(wanted, wanted)
        self.device.setCurrentIndex(self.device.findData(wanted))
        self.offer_recipes(None)

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
        """Return what is chosen, as :class:`PredictSettings` takes it."""
        return {"device": self.device.currentData(), "native": self.full_size}

    def offer_devices(self, devices: tuple[str, ...]) -> None:
        """List the devices of this machine, and keep the choice."""
        names = {"auto": "auto", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Metal)"}
        refill(self.device, [(names.get(one, one), one) for one in ("auto", *devices)])

    def offer_recipes(self, info: ModelInfo | None) -> None:
        """Offer what makes sense for a checkpoint, and keep the choice if that does."""
        own = "the checkpoint's own" if info is None else f"own: {info.recipe.title}"
        recipes = [(own, "")]
        if info is not None:
            recipes += [
                (recipe.title, recipe.name) for recipe in RECIPES.values() if suits(recipe, info)
            ]
        refill(self.recipe, recipes)
        volumes = is_for_volumes(info)
        self.native.setEnabled(not volumes)
        self.native.setToolTip(
            "Volumes are always run in windows"
            if volumes
            else "Run over windows of the image at its own size, even if the recipe shrinks it"
        )


def is_for_volumes(info: ModelInfo | None) -> bool:
    """Return whether a checkpoint works on volumes, and not on images."""
    return info is not None and info.architecture.dimensions == 3
