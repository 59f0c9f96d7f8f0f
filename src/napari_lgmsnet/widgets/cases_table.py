"""The list of a project's cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Case

NAME, STATE, DOUBT, NOTE = range(4)
TITLES = ("Case", "State", "Doubt", "Note")
_TIPS = (
    "Click to open",
    "",
    "How unsure the network was, 0 (sure) to 1",
    "Double-click to write a note",
)
_COLOURS = {
    "new": "#9aa0a6",
    "predicted": "#6fb1ff",
    "in correction": "#ffc45c",
    "accepted": "#7bd88f",
    "rejected": "#ff8a73",
}
_ROWS = 4
Index = QModelIndex | QPersistentModelIndex


class CaseModel(QAbstractTableModel):
    """Cases as rows: name, state, doubt, note.

    Attributes
    ----------
    note_written : Qt signal
        With a case's number and its new note.
    """

    note_written = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cases: list[Case] = []
        self.current: int | None = None
        self.predicting: int | None = None
        self.read_only = False

    def show(
        self, cases: Sequence[Case], current: int | None, predicting: int | None, *, read_only: bool
    ) -> None:
        """Show other cases; if they are the same ones, in place."""
        before = [case.id for case in self.cases]
        same = before == [case.id for case in cases]
        if not same:
            self.beginResetModel()
        self.cases, self.current, self.predicting = list(cases), current, predicting
        self.read_only = read_only
        if not same:
            self.endResetModel()
        elif cases:
            self.dataChanged.emit(self.index(0, 0), self.index(len(cases) - 1, NOTE))

    def row_of(self, case_id: int | None) -> int:
        """Return the row of a case, -1 if it is not listed."""
        return next((row for row, case in enumerate(self.cases) if case.id == case_id), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of cases."""
        return 0 if parent.isValid() else len(self.cases)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return a column's title."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return TITLES[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return _TIPS[section]
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let notes be edited."""
        flags = super().flags(index)
        writable = index.column() == NOTE and not self.read_only
        return flags | Qt.ItemFlag.ItemIsEditable if writable else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        case, column = self.cases[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(case, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            words = {NAME: case.name, STATE: self._text(case, STATE), NOTE: case.note}
            return words.get(column) or _TIPS[column]
        if role == Qt.ItemDataRole.ForegroundRole and column == STATE:
            return QColor(_COLOURS[case.state])
        if role == Qt.ItemDataRole.FontRole and case.id == self.current:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take a note that a person wrote."""
        case = self.cases[index.row()]
        if role != Qt.ItemDataRole.EditRole or index.column() != NOTE or case.note == value:
            return False
        self.note_written.emit(case.id, str(value))
        return True

    def _text(self, case: Case, column: int) -> str:
        if column == NAME:
            return case.name
        if column == STATE:
            if case.id == self.predicting:
                return "predicting …"
            return f"{case.state} in part" if case.partial else case.state
        if column == DOUBT:
            return "" if case.doubt is None else f"{case.doubt:.2f}"
        return case.note


class CaseTable(QTableView):
    """Lists cases; one click opens one.

    Parameters
    ----------
    written : callable
        Gets a case's number and the note that a person wrote.

    Attributes
    ----------
    opened : Qt signal
        With the number of the case that the person chose.
    """

    opened = Signal(int)

    def __init__(
        self, written: Callable[[int, str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.cases = CaseModel(self)
        self.setModel(self.cases)
        # Later: the list is read anew, which must not happen inside of the cell's editor.
        self.cases.note_written.connect(written, Qt.ConnectionType.QueuedConnection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        height = self.fontMetrics().lineSpacing() + 6
        self.verticalHeader().setDefaultSectionSize(height)
        header = self.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, text in ((STATE, "accepted in part"), (DOUBT, "Doubt"), (NOTE, "Note")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(text) + 16)
        header.setMinimumSectionSize(40)
        header.setHighlightSections(False)
        self.setMinimumHeight((_ROWS + 1) * height + 8)
        self.setMinimumWidth(240)
        self.clicked.connect(self._on_chosen)
        self.activated.connect(self._on_chosen)

    def show_cases(
        self, cases: Sequence[Case], current: int | None, predicting: int | None, *, read_only: bool
    ) -> None:
        """Show cases, and mark the one on screen."""
        moved = current != self.cases.current
        self.cases.show(cases, current, predicting, read_only=read_only)
        row = self.cases.row_of(current)
        if row < 0:
            self.clearSelection()
        elif moved or not self.selectionModel().isRowSelected(row, QModelIndex()):
            self.selectRow(row)
            self.scrollTo(self.cases.index(row, NAME))

    def _on_chosen(self, index: QModelIndex) -> None:
        case = self.cases.cases[index.row()]
        # A double click on a note comes as a click first, and must be free to edit it.
        if case.id != self.cases.current:
            self.opened.emit(case.id)
