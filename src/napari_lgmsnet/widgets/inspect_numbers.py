"""How a map agrees with a mask, as a table and as a plot over the stages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_lgmsnet.widgets.combos import plain_combo

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.numbers import Row

COLUMNS = [
    ("Class", "Of the mask"),
    ("Energy", "Share of the map's energy (sum of squares) that lies on the mask"),
    (
        "× even",
        "That share, divided by the share of an even map: 1 tells nothing",
    ),
    ("AUC", "How well the map orders mask before rest: 0.5 is chance, below it the mask is darker"),
    ("Peak", "Whether the strongest cell lies on the mask, and with how much of itself"),
    ("Dice", "Best overlap of mask and map over all thresholds"),
]
MEASURES = [
    ("Energy on the mask", "energy"),
    ("AUC", "auc"),
    ("Peak on the mask", "pointing"),
    ("Best Dice", "dice"),
    ("Best IoU", "iou"),
]
NO_MASK = "Choose a mask above to see how much of the map lies on it."
NO_FOREGROUND = "The mask is empty here: there is nothing to compare the map with."


class Numbers(QWidget):
    """A table of the shown map, and a plot of all stages on request.

    Attributes
    ----------
    plot_clicked : Qt signal
        All stages are to be scored and plotted.
    """

    plot_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLabel(NO_MASK)
        self.line.setWordWrap(True)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.verticalHeader().setVisible(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place, (title, tooltip) in enumerate(COLUMNS):
            item = QTableWidgetItem(title)
            item.setToolTip(tooltip)
            self.table.setHorizontalHeaderItem(place, item)
        self.measure = plain_combo("What is plotted for every stage")
        for title, name in MEASURES:
            self.measure.addItem(title, name)
        self.plot = QPushButton("&Plot all stages")
        self.plot.clicked.connect(lambda: self.plot_clicked.emit())
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout()
        row.addWidget(self.measure, 1)
        row.addWidget(self.plot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addWidget(self.table)
        layout.addLayout(row)
        layout.addWidget(self.picture)
        self.show_rows([], masked=False)

    @property
    def chosen_measure(self) -> str:
        """Return what is to be plotted."""
        return str(self.measure.currentData())

    def show_rows(self, rows: list[Row], *, masked: bool) -> None:
        """Show the numbers of a map, one row a class."""
        shown = [row for row in rows if math.isfinite(row.energy)]
        self.table.setRowCount(len(shown))
        for number, row in enumerate(shown):
            ratio = row.energy / row.foreground
            figures = (row.energy, ratio, row.auc, row.pointing, row.dice)
            words = [row.class_name, *(f"{figure:.2f}" for figure in figures)]
            for place, text in enumerate(words):
                item = QTableWidgetItem(text)
                item.setToolTip(text if place == 0 else COLUMNS[place][1])
                self.table.setItem(number, place, item)
        self.table.setVisible(bool(shown))
        height = self.table.horizontalHeader().sizeHint().height() + 4
        self.table.setFixedHeight(height + sum(self.table.rowHeight(i) for i in range(len(shown))))
        norm = any(row.reduce == "norm" for row in shown)
        self.line.setText(
            ("Of the norm of the channels:" if norm else "The map against the mask:")
            if shown
            else NO_FOREGROUND
            if masked
            else NO_MASK
        )

    def allow(self, why_not: str) -> None:
        """Enable the plot, or say why it cannot be made."""
        self.plot.setEnabled(not why_not)
        self.plot.setToolTip(
            why_not or "Run the network for all stages and score each against the mask"
        )

    def show_picture(self, png: bytes) -> None:
        """Show a plot, as wide as there is room."""
        pixmap = QPixmap()
        if png:
            pixmap.loadFromData(png)
            width = max(240, self.width())
            pixmap = pixmap.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
        self.picture.setPixmap(pixmap)
        self.picture.setVisible(bool(png))
