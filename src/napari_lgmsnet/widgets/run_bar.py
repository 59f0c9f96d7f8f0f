"""Run, Cancel, and how far it has come."""

from __future__ import annotations

import logging
import time
import traceback

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.text import duration


class RunBar(QWidget):
    """Two buttons, a bar, and a line of text.

    Attributes
    ----------
    run_clicked, cancel_clicked : Qt signals
    """

    run_clicked = Signal()
    cancel_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run = QPushButton("&Run")
        self.run.setDefault(True)
        self.run.clicked.connect(lambda: self.run_clicked.emit())
        self.cancel = QPushButton("Cance&l")
        self.cancel.setToolTip("Stop after the current window; nothing is changed")
        self.cancel.clicked.connect(self._on_cancel)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.line.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.run, 0, 0)
        grid.addWidget(self.cancel, 0, 1)
        grid.addWidget(self.bar, 1, 0, 1, 2)
        grid.addWidget(self.line, 2, 0, 1, 2)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 1)
        self._since: tuple[float, int] | None = None
        self.end()

    def begin(self) -> None:
        """Show that something is under way."""
        self._since = None
        self.cancel.setEnabled(True)
        self.bar.setRange(0, 0)
        self.bar.setVisible(True)

    def end(self) -> None:
        """Show that nothing is under way."""
        self.cancel.setEnabled(False)
        # Leaves its place empty, so that nothing below jumps.
        self.bar.setRange(0, 1)
        self.bar.setValue(0)

    def show_progress(self, progress: Progress) -> None:
        """Show a step, and how long the rest will take."""
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.step)
        words = progress.message[:1].upper() + progress.message[1:]
        left = self._time_left(progress)
        self.say(f"{words}, about {duration(left)} left" if left is not None else f"{words} …")

    def say(self, text: str, *, detail: str = "") -> None:
        """Show a message."""
        self._show(text, detail, "")

    def complain(self, error: Exception) -> None:
        """Show what went wrong and what to do."""
        text, detail = str(error), ""
        if not isinstance(error, LGMSNetError):
            logging.getLogger(__name__).error("a job failed", exc_info=error)
            text = (
                f"Something unexpected went wrong ({type(error).__name__}: {error}). Nothing was "
                "changed: try another checkpoint or region, or report this."
            )
            detail = "".join(traceback.format_exception(error))
        self._show(text, detail, "color: #ff8a73;")

    def _show(self, text: str, detail: str, style: str) -> None:
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        if style != self.line.styleSheet():  # reading one takes Qt as long as all the rest
            self.line.setStyleSheet(style)
        self.line.setText(text)
        self.line.setToolTip(detail)

    def _time_left(self, progress: Progress) -> float | None:
        """Return seconds, once a step has shown how long one takes."""
        if progress.total == 0:
            self._since = None
            return None
        now = time.monotonic()
        if self._since is None or progress.step < self._since[1]:
            self._since = (now, progress.step)
        start, first = self._since
        done = progress.step - first
        return (now - start) / done * (progress.total - progress.step) if done else None

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.say("Stopping …")
        self.cancel_clicked.emit()
