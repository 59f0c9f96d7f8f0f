"""Saving before a window, or a widget in it, goes away."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QMainWindow, QWidget


class Closing(QObject):
    """Notices that a widget's window closes, or that the widget is taken out of it.

    Parameters
    ----------
    widget : QWidget
    close : callable
        Closes what is open; gets whether the window stays; returns whether that could be done.
    """

    def __init__(self, widget: QWidget, close: Callable[[bool], bool]) -> None:
        super().__init__(widget)
        self._close = close
        # A window that something inside of it holds on to would never be deleted.
        self._window: ref[QMainWindow] | None = None
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the widget and its window."""
        kind = event.type()
        if watched is self.parent():
            if kind == QEvent.Type.Show:
                self._follow()
            elif kind == QEvent.Type.Hide and self._window is not None:
                # A tab in front of it, or a minimised window, hides it as well.
                QTimer.singleShot(0, self, self._on_hidden)
        elif isinstance(event, QCloseEvent) and not self._close(False):
            event.ignore()
            return True
        return False

    def _follow(self) -> None:
        window = self._main_window()
        before = None if self._window is None else self._window()
        if window is not None and window is not before:
            if before is not None:
                before.removeEventFilter(self)
            self._window = ref(window)
            window.installEventFilter(self)

    def _on_hidden(self) -> None:
        if self._main_window() is None:
            self._close(True)

    def _main_window(self) -> QMainWindow | None:
        above = self.parent()
        while above is not None and not isinstance(above, QMainWindow):
            above = above.parent()
        return above
