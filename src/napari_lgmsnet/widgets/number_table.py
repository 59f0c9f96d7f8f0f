"""A table of figures."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem, QWidget

from napari_lgmsnet.core.tables import Cell


class NumberTable(QTableWidget):
    """Shows columns of words and figures, which can be selected and not edited."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.verticalHeader().setVisible(False)
        self.setMinimumHeight(110)

    def show_columns(
        self, columns: Mapping[str, Sequence[Cell]], *, skip: Collection[str] = ()
    ) -> None:
        """Show a table.

        Parameters
        ----------
        columns : mapping of str to sequence
            Headers, and what stands below; NaN becomes a dash.
        skip : collection of str
            Headers of columns that are left out.
        """
        shown = {name: cells for name, cells in columns.items() if name not in skip}
        self.setRowCount(len(next(iter(shown.values()), [])))
        self.setColumnCount(len(shown))
        self.setHorizontalHeaderLabels(list(shown))
        for column, cells in enumerate(shown.values()):
            for row, cell in enumerate(cells):
                item = QTableWidgetItem(_text(cell))
                if not isinstance(cell, str):
                    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    item.setTextAlignment(right)
                self.setItem(row, column, item)
        self.resizeColumnsToContents()


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        if math.isnan(cell):
            return "–"
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return str(cell)
