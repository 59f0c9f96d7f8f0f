"""What is shown before there are cases: a new project, an existing one, images to add."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_lgmsnet.adapters.settings import recent_projects

WORDS = (
    "A project keeps your images' masks, and every correction, in a folder. Begin with a new one "
    "in an empty folder; the images stay where they are."
)
NO_CASES = "Add the images that you want to segment and correct: each becomes a case."
_SHOWN = 3


class StartPanel(QWidget):
    """Two ways to begin, and the projects that were open lately.

    Attributes
    ----------
    new_clicked, open_clicked : Qt signals
    recent_clicked : Qt signal
        With a folder.
    """

    new_clicked = Signal()
    open_clicked = Signal()
    recent_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = QLabel(WORDS)
        words.setWordWrap(True)
        self.new = QPushButton("&New project…")
        self.new.setToolTip("Choose an empty folder, or make one, to keep masks in")
        self.new.clicked.connect(lambda: self.new_clicked.emit())
        self.open = QPushButton("&Open project…")
        self.open.setToolTip("Choose the folder of a project")
        self.open.clicked.connect(lambda: self.open_clicked.emit())
        self.recent: list[QPushButton] = []
        grid = QGridLayout()
        grid.addWidget(self.new, 0, 0)
        grid.addWidget(self.open, 0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(words)
        layout.addLayout(grid)
        self._recent = QVBoxLayout()
        layout.addLayout(self._recent)
        self.refresh()

    def refresh(self) -> None:
        """List the projects that were open lately."""
        for button in self.recent:
            button.setParent(None)
            button.deleteLater()
        self.recent = []
        for folder in recent_projects()[:_SHOWN]:
            button = QPushButton(f"Go on with “{Path(folder).name.replace('&', '&&')}”")
            button.setToolTip(folder)
            button.clicked.connect(lambda _checked=False, at=folder: self.recent_clicked.emit(at))
            self._recent.addWidget(button)
            self.recent.append(button)


class NoCases(QWidget):
    """What an empty project says.

    Attributes
    ----------
    images, folder : QPushButton
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = QLabel(NO_CASES)
        words.setWordWrap(True)
        self.images = QPushButton("Add &images…")
        self.folder = QPushButton("Add &folder…")
        self.folder.setToolTip("All images in a folder and the folders inside, DICOM series too")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(words, 0, 0, 1, 2)
        grid.addWidget(self.images, 1, 0)
        grid.addWidget(self.folder, 1, 1)


class Notice(QWidget):
    """Something that a person has to know, or to answer, before going on.

    Attributes
    ----------
    line : QLabel
    answer, close_button : QPushButton
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setObjectName("notice")
        self.setStyleSheet("#notice { background: #5b4a1f; border-radius: 4px; }")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.line.setStyleSheet("background: transparent; color: #ffe9b8;")
        self.answer = QPushButton()
        self.close_button = QPushButton("Not now")
        grid = QGridLayout(self)
        grid.setContentsMargins(6, 6, 6, 6)
        grid.addWidget(self.line, 0, 0, 1, 2)
        grid.addWidget(self.answer, 1, 0)
        grid.addWidget(self.close_button, 1, 1)
        self.close_button.clicked.connect(lambda: self.hide())
        self.hide()

    def say(self, text: str, answer: str = "") -> None:
        """Show words, with a button if there is something to answer."""
        self.line.setText(text)
        self.answer.setText(answer)
        self.answer.setVisible(bool(answer))
        self.close_button.setVisible(bool(answer))
        self.show()
