"""How a mask is made: which part of the image, where it is computed, with which recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QFormLayout, QSpinBox

from napari_lgmsnet.adapters.settings import preferences
from napari_lgmsnet.core.engines.names import AUTO, TITLES, offered
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.recipes import Recipe
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.region import RegionPicker
from napari_lgmsnet.widgets.run_options import RunOptions, is_for_volumes

if TYPE_CHECKING:
    from napari import Viewer

_OWN = -5
"""The step below 0 % of the overlap, which stands for the recipe's own."""


class SegmentOptions(RunOptions):
    """The settings of a prediction, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows; so they line up with what else is in it.
    viewer : napari Viewer
    """

    def __init__(self, form: QFormLayout, viewer: Viewer) -> None:
        wishes = preferences()
        self.region = RegionPicker(viewer)
        form.addRow("Re&gion", self.region)
        super().__init__(form)
        self.engine = plain_combo(
            "What runs the network on the processor; auto finds the fastest by a short trial, once "
            "for each checkpoint. The masks are the same"
        )
        form.addRow("En&gine", self.engine)
        self.show_engine("")
        self.overlap = QSpinBox()
        self.overlap.setRange(_OWN, 95)
        self.overlap.setSingleStep(5)
        self.overlap.setSuffix(" %")
        self.overlap.setSpecialValueText("the recipe's own")
        self.overlap.setToolTip(
            "How much of a window the next one covers again: more is smoother, and slower"
        )
        self.flips = QCheckBox("Average over &flips")
        self.flips.setToolTip(
            "Steadier masks, for up to 4 times the work on images and 8 on volumes"
        )
        form.addRow("&Overlap", self.overlap)
        form.addRow("", self.flips)
        self.overlap.setValue(round(100 * wishes.overlap) if wishes.overlap >= 0 else _OWN)
        self._always_flip = wishes.flips
        self._flips_for: Recipe | None = None
        self.flips.setChecked(wishes.flips)
        self.suit(None, 3)

    def settings(self) -> dict[str, Any]:
        """Return the settings for a prediction, without the threshold."""
        overlap = self.overlap.value()
        return {
            **super().settings(),
            "engine": self.engine.currentData(),
            "overlap": None if overlap < 0 else overlap / 100,
            "flips": self.flips.isChecked(),
        }

    def show_engine(self, used: str) -> None:
        """Offer the engines that are installed, and say which one auto took lately.

        Parameters
        ----------
        used : str
            Its name; empty if there was no prediction yet.
        """
        automatic = f"{TITLES[AUTO]} ({TITLES[used]})" if used else TITLES[AUTO]
        names = dict.fromkeys((*offered(), preferences().engine))
        engines = [(TITLES[name], name) for name in names if name != AUTO]
        first = self.engine.count() == 0
        refill(self.engine, [(automatic, AUTO), *engines])
        if first:
            self.engine.setCurrentIndex(self.engine.findData(preferences().engine))

    def suit(self, info: ModelInfo | None, axes: int) -> None:
        """Offer what makes sense for a checkpoint and an image with this many spatial axes."""
        self.region.suit(axes, volumes=is_for_volumes(info))
        self.offer_recipes(info)
        recipe = self.recipe_for(info)
        if recipe is not None and recipe != self._flips_for:
            # As the checkpoint's makers measured it; a person may choose otherwise until the next.
            self._flips_for = recipe
            self.flips.setChecked(self._always_flip or recipe.flips)
            self.flips.setEnabled(bool(recipe.sensible_flips))
