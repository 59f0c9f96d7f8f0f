"""Finding the window that a person is looking at."""

from __future__ import annotations

from qtpy.QtWidgets import QApplication, QMainWindow, QWidget


def main_window() -> QWidget | None:
    """Return the active window, or the first main window that is shown, if there is one."""
    active = QApplication.activeWindow()
    if active is not None:
        return active
    windows = (one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow))
    return next((one for one in windows if one.isVisible()), None)
