"""How a network learns: a time, and what an expert may want to choose."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QSpinBox, QWidget
from superqt import QCollapsible

from napari_lgmsnet.widgets.combos import plain_combo
from napari_lgmsnet.widgets.folder_choice import FolderChoice
from napari_lgmsnet.widgets.forms import plain_form

AUTO = "auto"


class TuneOptions:
    """The settings of a fine-tuning, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
    """

    def __init__(self, form: QFormLayout) -> None:
        self.seconds = QSpinBox()
        self.seconds.setRange(5, 24 * 3600)
        self.seconds.setValue(60)
        self.seconds.setSuffix(" s")
        self.seconds.setToolTip("Time for training; the comparison afterwards comes on top")
        self.references = FolderChoice(
            "Folder with earlier images…",
            "Images of what the checkpoint can do already: it goes on practising on half of them, "
            "the rest shows how much was forgotten. Masks are not needed",
        )
        self.adapt = _choice(
            "Keep close to what the network knows, or learn a new task",
            ("gently", "Adapt gently"),
            ("anew", "Learn anew"),
        )
        self.train = _choice(
            "Which part of the network changes",
            ("head", "Norms and head"),
            ("decoder", "Decoder"),
            ("all", "Everything"),
        )
        self.augmentation = _choice(
            "How much the images are varied",
            ("none", "None"),
            ("light", "Light"),
            ("strong", "Strong"),
        )
        self.guard = _choice(
            "What keeps the network from forgetting",
            ("average", "Average with the parent"),
            ("anchor", "Pull to the parent"),
            ("replay", "Practise on earlier images"),
            ("none", "Nothing"),
        )
        self.rate = QDoubleSpinBox()
        self.rate.setDecimals(6)
        self.rate.setRange(0.0, 1.0)
        self.rate.setSingleStep(1e-4)
        self.rate.setSpecialValueText("by the data")
        self.rate.setToolTip("Learning rate")
        self.epochs = QSpinBox()
        self.epochs.setRange(0, 100_000)
        self.epochs.setSpecialValueText("as many as there is time for")
        self.epochs.setToolTip("Passes over the images, instead of a time")
        inner = QWidget()
        expert = plain_form()
        expert.setContentsMargins(0, 0, 0, 0)
        inner.setLayout(expert)
        expert.addRow("Way", self.adapt)
        expert.addRow("Part", self.train)
        expert.addRow("Variation", self.augmentation)
        expert.addRow("Memory", self.guard)
        expert.addRow("Rate", self.rate)
        expert.addRow("Epochs", self.epochs)
        self.more = QCollapsible("For experts")
        self.more.addWidget(inner)
        form.addRow("Time", self.seconds)
        form.addRow("Keep in mind", self.references)
        form.addRow(self.more)

    def settings(self) -> dict[str, Any]:
        """Return what is chosen, as :class:`FineTuneSettings` takes it."""
        return {
            "seconds": float(self.seconds.value()),
            "epochs": self.epochs.value() or None,
            "adapt": self.adapt.currentData(),
            "train": self.train.currentData(),
            "augmentation": self.augmentation.currentData(),
            "guard": self.guard.currentData(),
            "learning_rate": self.rate.value() or None,
        }


def _choice(tooltip: str, *items: tuple[str, str]) -> QComboBox:
    combo = plain_combo(tooltip)
    combo.addItem("By the data", AUTO)
    for value, text in items:
        combo.addItem(text, value)
    return combo
