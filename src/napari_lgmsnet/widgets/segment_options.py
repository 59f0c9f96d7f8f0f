"""How a mask is made: which part of the image, where it is computed, with which recipe."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
)

from napari_lgmsnet.adapters.settings import preferences
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.recipes import RECIPES

WHOLE, SLICE, RECTANGLE = "whole", "slice", "rectangle"
_OWN = -5
"""The step below 0 % of the overlap, which stands for the recipe's own."""


class SegmentOptions(QObject):
    """The settings of a run, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows; so they line up with what else is in it.
    parent : QObject, optional

    Attributes
    ----------
    draw_clicked : Qt signal
        The person wants to draw a rectangle.
    """

    draw_clicked = Signal()

    def __init__(self, form: QFormLayout, parent: QObject | None = None) -> None:
        super().__init__(parent)
        wishes = preferences()
        self.region = _combo("Which part of the image gets a new mask; the rest keeps its own")
        self.draw = QPushButton("&Draw")
        self.draw.setToolTip("Drag a rectangle over the image; the last or selected one counts")
        self.draw.clicked.connect(lambda: self.draw_clicked.emit())
        self.recipe = _combo("How the image is prepared for the network")
        self.device = _combo("Where to compute; auto takes the fastest there is")
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
        row = QHBoxLayout()
        row.addWidget(self.region, 1)
        row.addWidget(self.draw)
        form.addRow("Re&gion", row)
        form.addRow("Reci&pe", self.recipe)
        form.addRow("D&evice", self.device)
        form.addRow("&Overlap", self.overlap)
        form.addRow("", self.native)
        form.addRow("", self.flips)
        label = form.labelForField(row)
        assert isinstance(label, QLabel)
        label.setBuddy(self.region)
        self.region.currentIndexChanged.connect(self._show_draw)
        self.overlap.setValue(round(100 * wishes.overlap) if wishes.overlap >= 0 else _OWN)
        self.flips.setChecked(wishes.flips)
        self.offer_devices(("cpu",))
        if self.device.findData(wishes.device) < 0:
            self.device.addItem(wishes.device, wishes.device)
        self.device.setCurrentIndex(self.device.findData(wishes.device))
        self.suit(None, 3)

    @property
    def scope(self) -> str:
        """Return WHOLE, SLICE or RECTANGLE."""
        return str(self.region.currentData())

    @property
    def recipe_name(self) -> str:
        """Return the name of a built-in recipe, or nothing for the checkpoint's own."""
        return str(self.recipe.currentData() or "")

    def settings(self) -> dict[str, Any]:
        """Return the settings for a prediction, without the threshold."""
        overlap = self.overlap.value()
        return {
            "device": self.device.currentData(),
            "native": self.native.isChecked() and self.native.isEnabled(),
            "overlap": None if overlap < 0 else overlap / 100,
            "flips": self.flips.isChecked(),
        }

    def offer_devices(self, devices: tuple[str, ...]) -> None:
        """List the devices of this machine, and keep the choice."""
        names = {"auto": "auto", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Metal)"}
        _refill(self.device, [(names.get(one, one), one) for one in ("auto", *devices)])

    def suit(self, info: ModelInfo | None, axes: int) -> None:
        """Offer what makes sense for a checkpoint and an image with this many spatial axes."""
        flat = axes == 2
        volumes = info is not None and info.architecture.dimensions == 3
        regions = [("Whole image" if flat else "Whole volume" if volumes else "All slices", WHOLE)]
        if not flat and not volumes:
            regions.append(("This slice", SLICE))
        through = "" if flat else ", all slices" if volumes else ", this slice"
        regions.append((f"Rectangle{through}", RECTANGLE))
        _refill(self.region, regions)
        own = "the checkpoint's own" if info is None else f"own: {info.recipe.title}"
        recipes = [(own, "")]
        if info is not None:
            recipes += [
                (recipe.title, recipe.name)
                for recipe in RECIPES.values()
                if recipe.dimensions == info.architecture.dimensions
                and (recipe.colour == "grey") == (info.architecture.in_channels == 1)
            ]
        _refill(self.recipe, recipes)
        for index in range(self.recipe.count()):
            self.recipe.setItemData(
                index, self.recipe.itemText(index), Qt.ItemDataRole.ToolTipRole
            )
        self.native.setEnabled(not volumes)
        self._show_draw()

    def _show_draw(self) -> None:
        self.draw.setVisible(self.scope == RECTANGLE)


def _combo(tooltip: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tooltip)
    # Long titles must not widen the dock; the list that drops down shows them whole.
    combo.setMinimumContentsLength(8)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return combo


def _refill(combo: QComboBox, items: list[tuple[str, str]]) -> None:
    """Replace the items of a list, and keep the choice if it is still there."""
    chosen = combo.currentData()
    with QSignalBlocker(combo):
        combo.clear()
        for text, data in items:
            combo.addItem(text, data)
        combo.setCurrentIndex(max(0, combo.findData(chosen)))
