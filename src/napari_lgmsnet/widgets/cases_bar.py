"""From case to case, and what a person says of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Case

OPEN_FIRST = "Open a case first"
READ_ONLY = "This project can only be looked at"


class CaseBar(QWidget):
    """Buttons for the case on screen.

    Attributes
    ----------
    previous_clicked, next_clicked, accept_clicked, partial_clicked, reject_clicked, back_clicked
        Qt signals.
    """

    previous_clicked = Signal()
    next_clicked = Signal()
    accept_clicked = Signal()
    partial_clicked = Signal()
    reject_clicked = Signal()
    back_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.previous = QPushButton("◂ &Previous")
        self.next = QPushButton("&Next ▸")
        self.accept = QPushButton("&Accept")
        self.partial = QPushButton("Accept what I &touched")
        self.reject = QPushButton("Re&ject")
        self.back = QPushButton("&Back to correction")
        self._tips = {
            self.previous: "Go to the case above in the list; every edit is saved",
            self.next: "Go to the case below in the list; every edit is saved",
            self.accept: "The mask is right, everywhere: also where there is none",
            self.partial: (
                "Only what you changed or ticked off is right; the rest stays unlabelled and is "
                "not learned from"
            ),
            self.reject: "Leave this case out, for instance because the image is unusable",
            self.back: "Take back that it was accepted or rejected",
        }
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        for buttons in ((self.previous, self.next), (self.accept, self.partial, self.reject)):
            row = QHBoxLayout()
            for button in buttons:
                row.addWidget(button, 3 if button is self.partial else 2)
            rows.addLayout(row)
        rows.addWidget(self.back)
        for button, signal in (
            (self.previous, self.previous_clicked),
            (self.next, self.next_clicked),
            (self.accept, self.accept_clicked),
            (self.partial, self.partial_clicked),
            (self.reject, self.reject_clicked),
            (self.back, self.back_clicked),
        ):
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit())
        self.suit(None, writable=False, listed=0)

    def suit(self, case: Case | None, *, writable: bool, listed: int) -> None:
        """Offer what can be done.

        Parameters
        ----------
        case : Case, optional
            The one on screen.
        writable : bool
            Whether the project can be changed.
        listed : int
            How many cases there are to go through.
        """
        decided = case is not None and case.state in ("accepted", "rejected")
        why = OPEN_FIRST if case is None else "" if writable else READ_ONLY
        for button in (self.accept, self.partial, self.reject):
            button.setVisible(not decided)
            self._allow(button, why)
        self.back.setVisible(decided)
        self._allow(self.back, why)
        for button in (self.previous, self.next):
            self._allow(button, "" if listed else "There is no case in the list")

    def _allow(self, button: QPushButton, why_not: str) -> None:
        button.setEnabled(not why_not)
        button.setToolTip(why_not or self._tips[button])
