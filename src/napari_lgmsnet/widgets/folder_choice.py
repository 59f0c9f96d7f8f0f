"""A folder that may be chosen, or not."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget


class FolderChoice(QWidget):
    """A button that names the chosen folder, and one that takes the choice back.

    Parameters
    ----------
    none : str
        What the button says while none is chosen.
    tooltip : str

    Attributes
    ----------
    folder : Path or None
    """

    def __init__(self, none: str, tooltip: str) -> None:
        super().__init__()
        self._none, self._tooltip = none, tooltip
        self.folder: Path | None = None
        self.button = QPushButton()
        self.clear = QPushButton("×")
        self.clear.setToolTip("Without these images")
        self.clear.setFixedWidth(28)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button, 1)
        row.addWidget(self.clear)
        self.setFocusProxy(self.button)
        self.button.clicked.connect(lambda: self._on_browse())
        self.clear.clicked.connect(lambda: self.choose(None))
        self.choose(None)

    def choose(self, folder: Path | None) -> None:
        """Choose a folder, or none."""
        self.folder = folder
        self.button.setText(self._none if folder is None else folder.name)
        self.button.setToolTip(self._tooltip if folder is None else f"{folder}\n{self._tooltip}")
        self.clear.setVisible(folder is not None)

    def _on_browse(self) -> None:
        start = str(self.folder) if self.folder is not None else ""
        chosen = QFileDialog.getExistingDirectory(self, self._none, start)
        if chosen:
            self.choose(Path(chosen))
