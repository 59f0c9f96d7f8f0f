"""Choosing which map of the network is shown, and what it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QWidget

from napari_lgmsnet.adapters.pairs import is_mask
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.layer_combo import LayerCombo
from napari_lgmsnet.widgets.reasons import allow

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.inspect.inspection import Inspection

CHANNEL = "channel"
REDUCTIONS = [
    ("Mean of the channels", "mean"),
    ("Maximum of the channels", "maximum"),
    ("Norm (L2) of the channels", "norm"),
    ("Principal components as colour", "components"),
    ("One channel", CHANNEL),
]


class MapChoice(QWidget):
    """Stage, reduction, channel and mask, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows.
    viewer : napari Viewer

    Attributes
    ----------
    changed : Qt signal
        Another map is wanted.
    mask_changed : Qt signal
        Another mask, or none, is chosen.
    rank_clicked : Qt signal
        Channels are to be ranked.
    """

    changed = Signal()
    mask_changed = Signal()
    rank_clicked = Signal()

    def __init__(self, form: QFormLayout, viewer: Viewer) -> None:
        super().__init__()
        self.stage = plain_combo("")
        self.stage.addItem("after the fourth downsampling", "")
        self.reduce = plain_combo("")
        refill(self.reduce, list(REDUCTIONS))
        self.channel = QSpinBox()
        self.channel.setKeyboardTracking(False)
        self.best = QPushButton("Ran&k")
        self.ranked = plain_combo("Channels, the one that separates the mask best first")
        self.masks = LayerCombo(viewer, is_mask, none="none")
        self.masks.setToolTip("What the map is compared with: a mask made on this image")
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.channel, 1)
        row.addWidget(self.best)
        self._row = QWidget()
        self._row.setLayout(row)
        self._form = form
        form.addRow("&Stage", self.stage)
        form.addRow("Sho&w", self.reduce)
        form.addRow("Cha&nnel", self._row)
        form.addRow("Best", self.ranked)
        form.addRow("&Mask", self.masks)
        for combo in (self.stage, self.reduce):
            combo.currentIndexChanged.connect(lambda _index: self._on_changed())
        self.channel.valueChanged.connect(lambda _value: self._on_changed())
        self.masks.changed.connect(lambda: self.mask_changed.emit())
        self.best.clicked.connect(lambda: self.rank_clicked.emit())
        self.ranked.currentIndexChanged.connect(lambda _index: self._on_ranked())
        self.suit(None)

    @property
    def stage_name(self) -> str:
        """Return the chosen stage; empty before the first run."""
        return str(self.stage.currentData() or "")

    @property
    def reduction(self) -> str:
        """Return one of the reductions' names."""
        return str(self.reduce.currentData())

    @property
    def channel_number(self) -> int | None:
        """Return the chosen channel, if one is wanted."""
        return self.channel.value() if self.reduction == CHANNEL else None

    def suit(self, inspection: Inspection | None) -> None:
        """Offer what a network has; without one, say why nothing can be chosen."""
        if inspection is not None:
            stages = inspection.stages
            refill(self.stage, [(stage.title, stage.name) for stage in stages])
        why = "Run first" if inspection is None else ""
        allow(self.stage, why, "Which part of the network is asked")
        allow(self.reduce, why, "How the many channels of a stage become one map")
        allow(self.channel, why, "Number of the channel, from 0")
        self._show()

    def allow_ranking(self, why_not: str) -> None:
        """Enable what needs a mask, or say why it cannot be used."""
        allow(self.best, why_not, "Order the channels by how well they separate the mask")

    def limit(self, channels: int) -> None:
        """Say how many channels the chosen stage has."""
        with QSignalBlocker(self.channel):
            self.channel.setMaximum(max(0, channels - 1))
            self.channel.setSuffix(f" of {channels}")

    def offer_ranking(self, ranking: list[tuple[int, float]]) -> None:
        """List channels, the most telling one first, and choose that."""
        items: list[tuple[str, Any]] = [
            (f"{channel}: AUC {auc:.2f}", channel) for channel, auc in ranking
        ]
        with QSignalBlocker(self.ranked):
            self.ranked.clear()
        refill(self.ranked, items)
        self._show()
        if items:
            self._on_ranked()

    def _on_ranked(self) -> None:
        channel = self.ranked.currentData()
        if channel is not None:
            self.channel.setValue(int(channel))

    def _on_changed(self) -> None:
        if self.sender() is self.stage:
            self.offer_ranking([])
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        one = self.reduction == CHANNEL
        for field, shown in ((self._row, one), (self.ranked, one and self.ranked.count() > 0)):
            field.setVisible(shown)
            label = self._form.labelForField(field)
            if label is not None:
                label.setVisible(shown)
