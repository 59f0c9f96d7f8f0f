"""How a map agrees with a mask, as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.numbers import Row

COLUMNS = [
    ("Class", "Of the mask"),
    ("Energy", "Share of the map's energy (sum of squares) that lies on the mask"),
    ("× even", "That share, divided by the share of an even map: 1 tells nothing"),
    ("AUC", "How well the map orders mask before rest: 0.5 is chance, below it the mask is darker"),
    ("Peak", "Whether the strongest cell lies on the mask, and with how much of itself"),
    ("Dice", "Best overlap of mask and map over all thresholds"),
]
NO_MASK = "Choose a mask above to see how much of the map lies on it."
NO_FOREGROUND = "The mask is empty here: there is nothing to compare the map with."


class Numbers(QWidget):
    """A table of the shown map: one row a class."""

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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addWidget(self.table)
        self.show_none()

    def show_none(self, why: str = NO_MASK) -> None:
        """Say why there are no numbers."""
        self.table.setRowCount(0)
        self.table.hide()
        self.line.setText(why[:1].upper() + why[1:])

    def show_rows(self, rows: list[Row]) -> None:
        """Show the numbers of a map against a mask."""
        shown = [row for row in rows if math.isfinite(row.energy)]
        if not shown:
            self.show_none(NO_FOREGROUND)
            return
        self.table.setRowCount(len(shown))
        for number, row in enumerate(shown):
            ratio = row.energy / row.foreground
            figures = (row.energy, ratio, row.auc, row.pointing, row.dice)
            words = [row.class_name, *(f"{figure:.2f}" for figure in figures)]
            for place, text in enumerate(words):
                item = QTableWidgetItem(text)
                item.setToolTip(text if place == 0 else COLUMNS[place][1])
                self.table.setItem(number, place, item)
        height = self.table.horizontalHeader().sizeHint().height() + 4
        self.table.setFixedHeight(height + sum(self.table.rowHeight(i) for i in range(len(shown))))
        self.table.show()
        norm = any(row.reduce == "norm" for row in shown)
        self.line.setText(
            "The norm of the channels against the mask:" if norm else "The map against the mask:"
        )
