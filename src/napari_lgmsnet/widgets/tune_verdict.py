"""What came of a training: the verdict, figures before and after, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_lgmsnet.widgets.number_table import NumberTable

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.jobs import Loaded
    from napari_lgmsnet.core.finetune import FineTuneResult

BETTER, NOT_BETTER = "color: #7fd18b; font-weight: bold;", "color: #ffb347; font-weight: bold;"


class TuneVerdict(QWidget):
    """A verdict with its reasons; accepting is offered only if held-out cases got better.

    Attributes
    ----------
    accepted, discarded, back : Qt signals
    show_change : Qt signal
        With the place of a held-out image among those of the result; each in turn.
    """

    accepted = Signal()
    discarded = Signal()
    back = Signal()
    show_change = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.detail = QLabel()
        self.detail.setWordWrap(True)
        self.table = NumberTable()
        self.accept = QPushButton("Accept")
        self.accept.setToolTip("Keep the new checkpoint and use it from now on")
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Forget the new weights; the checkpoint stays as it was")
        self.changes = QPushButton("Show what changed")
        self.changes.setToolTip("Show a held-out image, and on it the voxels gained and lost")
        self._names: list[str] = []
        self._shown = -1
        self.parent_again = QPushButton("Go back to the one before")
        self.parent_again.setToolTip("Use the checkpoint again that the training started from")
        row = QHBoxLayout()
        for button in (self.accept, self.discard, self.changes):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.line, self.detail, self.table):
            layout.addWidget(part)
        layout.addLayout(row)
        layout.addWidget(self.parent_again)
        self.accept.clicked.connect(lambda: self.accepted.emit())
        self.discard.clicked.connect(lambda: self.discarded.emit())
        self.changes.clicked.connect(self._on_changes)
        self.parent_again.clicked.connect(lambda: self.back.emit())
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.hide()

    def show_result(self, result: FineTuneResult) -> None:
        """Show what came of a training."""
        better = result.verdict.better
        words = "Better on images it did not learn from: " if better else "Not better: "
        self.line.setText(words + result.verdict.reason)
        self.line.setStyleSheet(BETTER if better else NOT_BETTER)
        self.detail.setText("\n".join(result.describe().splitlines()[1:]))
        self.table.show_columns(result.columns())
        self.table.setVisible(bool(result.scores))
        self.accept.setVisible(better)
        self.discard.setVisible(better)
        self._names = [change.name for change in result.changes]
        self._shown = -1
        self.changes.setText("Show what changed")
        self.changes.setEnabled(bool(self._names))
        self.parent_again.hide()
        self.show()

    def show_used(self, reference: str, parent: Loaded) -> None:
        """Show that another checkpoint is in use, and the way back if it is the new one."""
        self.accept.hide()
        self.discard.hide()
        name = parent.model.info.name
        old = reference == parent.reference
        self.line.setText(
            f"In use again: {name}. The new one is kept, below."
            if old
            else f"In use: the new one. It came from {name}, which is kept."
        )
        self.parent_again.setText(f"Go back to {name}")
        self.parent_again.setVisible(not old)

    def _on_changes(self) -> None:
        count = len(self._names)
        self._shown = (self._shown + 1) % count
        if count > 1:
            following = (self._shown + 1) % count
            self.changes.setText(f"Next: {self._names[following]} ({following + 1} of {count})")
        self.show_change.emit(self._shown)
