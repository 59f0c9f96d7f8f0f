"""The keys that do what is done most."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout

from napari_lgmsnet.adapters.shortcuts import SHORTCUTS, keys


class KeyList(QLabel):
    """Lists the keys; they are changed in Preferences.

    Attributes
    ----------
    layout_ : QVBoxLayout
        Holds the list.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.layout_ = QVBoxLayout()
        self.layout_.addWidget(self)
        self.refresh()

    def refresh(self) -> None:
        """Show the keys as they are now."""
        bound = keys()
        rows = [
            f"<tr><td><b>{bound[one.name]}</b>&nbsp;&nbsp;</td><td>{one.what}</td></tr>"
            for one in SHORTCUTS
            if one.name in bound
        ]
        hint = "Change them in Preferences, Shortcuts, Labels layer."
        self.setText(f"<table>{''.join(rows)}</table>{hint}")
