"""Parts of a long widget that a person opens and closes, and pictures as wide as there is room."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QLayout,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

WIDEST = 96
"""Pixels of a column of words; what is cut off stands in its tooltip."""


class Section(QWidget):
    """A title with an arrow, and what is below it.

    Parameters
    ----------
    title : str
    inner : QLayout
    opened : bool
    """

    def __init__(self, title: str, inner: QLayout, *, opened: bool = False) -> None:
        super().__init__()
        self.inner = inner
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.content = QWidget()
        self.content.setLayout(inner)
        inner.setContentsMargins(10, 2, 2, 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(self.content)
        self.button.toggled.connect(self._show)
        self.button.setChecked(opened)
        self._show(opened)

    def _show(self, opened: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.content.setVisible(opened)


class Scroller(QScrollArea):
    """Scrolls a column of controls up and down, and is never narrower than what is in it.

    Parameters
    ----------
    layout : QLayout
        The column.
    """

    def __init__(self, layout: QLayout) -> None:
        super().__init__()
        self._content, self._layout = QWidget(), layout
        self._content.setLayout(layout)
        self.setWidget(self._content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the width that the controls need, those of closed sections too."""
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest:
            widths = [self._content.minimumSizeHint().width()]
            margins = self._content.contentsMargins() + self._layout.contentsMargins()
            for section in self._content.findChildren(Section):
                inner = section.inner.minimumSize().width()
                widths.append(inner + margins.left() + margins.right())
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(max(widths) + bar)
        return super().eventFilter(watched, event)


class Picture(QWidget):
    """A picture that is as wide as there is room, hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    @property
    def empty(self) -> bool:
        """Return whether there is nothing to see."""
        return self._pixmap.isNull()

    def show_png(self, png: bytes) -> None:
        """Show a picture, or nothing if there are no bytes."""
        self._pixmap = QPixmap()
        if png:
            self._pixmap.loadFromData(png)
        self._fit()
        self.setVisible(not self.empty)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the picture's sides' ratio."""
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self.rect(), self._pixmap)
        painter.end()

    def _fit(self) -> None:
        # A layout inside of a scroll area does not ask for the height at a width.
        if not self.empty:
            self.setFixedHeight(round(self.width() * self._pixmap.height() / self._pixmap.width()))


def fit_rows(table: QTableWidget, most: int = 6) -> None:
    """Make a table as high as its rows, up to a number of them, and its words not too wide."""
    table.setWordWrap(False)
    rows = sum(table.rowHeight(row) for row in range(min(most, table.rowCount())))
    bar = table.horizontalScrollBar().sizeHint().height()
    table.setMinimumHeight(0)
    table.setFixedHeight(table.horizontalHeader().sizeHint().height() + rows + bar + 4)
    for column in range(table.columnCount()):
        table.setColumnWidth(column, min(table.columnWidth(column), WIDEST))
        for row in range(table.rowCount()):
            item = table.item(row, column)
            if item is not None:
                item.setToolTip(item.text())
