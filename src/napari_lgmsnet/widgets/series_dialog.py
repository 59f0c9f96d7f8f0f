"""Which series of a folder is opened, asked when there are several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_lgmsnet.core.io.dicom import Contents

_HEADINGS = ("Series", "Kind", "Description", "Size", "Images")
_DESCRIPTION = 2
_SMALLEST = (560, 320)


class SeriesDialog(QDialog):
    """A list of series, of which one or several can be chosen.

    Parameters
    ----------
    contents : Contents
        What was found in a folder.
    parent : QWidget, optional
    """

    def __init__(self, contents: Contents, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose a series")
        self.list = QTreeWidget()
        self.list.setHeaderLabels(_HEADINGS)
        self.list.setRootIsDecorated(False)
        self.list.setAlternatingRowColors(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        for one in contents.series:
            size = f"{one.columns} × {one.rows}"
            row = QTreeWidgetItem([one.key, one.modality, one.name, size, str(one.images)])
            row.setData(0, Qt.ItemDataRole.UserRole, one.key)
            row.setToolTip(_DESCRIPTION, one.name)
            self.list.addTopLevelItem(row)
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_DESCRIPTION, QHeaderView.ResizeMode.Stretch)
        self.list.setCurrentIndex(self.list.model().index(0, 0))
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.list.itemDoubleClicked.connect(self.accept)
        self.list.itemSelectionChanged.connect(self._enable)
        layout = QVBoxLayout(self)
        layout.addWidget(_line(f'"{contents.folder.name}" holds {len(contents.series)} series.'))
        layout.addWidget(self.list)
        for note in contents.notes():
            layout.addWidget(_line(f"{note[:1].upper()}{note[1:]}."))
        layout.addWidget(self.buttons)
        self.resize(*_SMALLEST)

    def chosen(self) -> list[str]:
        """Return the keys of the chosen series, in the order of the list."""
        rows = (self.list.topLevelItem(i) for i in range(self.list.topLevelItemCount()))
        return [
            str(row.data(0, Qt.ItemDataRole.UserRole))
            for row in rows
            if row is not None and row.isSelected()
        ]

    def _enable(self) -> None:
        button = self.buttons.button(QDialogButtonBox.StandardButton.Open)
        button.setEnabled(bool(self.list.selectedItems()))


def _line(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
