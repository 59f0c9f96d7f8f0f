"""Predict, Cancel, how far it has come, and what was said last."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.run_bar import RunBar


class CaseProgress(RunBar):
    """A :class:`RunBar` that shows news again when an action has ended."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._news = ("", "")
        self._under_way = False
        super().__init__(parent)
        self.run.setText("P&redict")
        self.cancel.setToolTip("Stop what is under way; what is done already is kept")

    def start(self) -> None:
        """Show that something is under way that may bring news."""
        self._news = ("", "")
        self._under_way = True
        self.begin()

    def step(self, progress: Progress) -> None:
        """Show how far it has come."""
        self._under_way = True
        self.show_progress(progress)

    def tell(self, text: str, detail: str = "") -> None:
        """Show news, now or when the action has ended."""
        self._news = (text, detail)
        if not self._under_way:
            self.say(text, detail=detail)

    def finish(self) -> None:
        """Show that nothing is under way, and the news."""
        self.end()
        if self._under_way:
            self._under_way = False
            self.say(self._news[0], detail=self._news[1])

    def fail(self, error: Exception) -> None:
        """Show that nothing is under way, and what went wrong."""
        self._under_way = False
        self.end()
        self.complain(error)

    def suit(self, *, cases: bool, busy: bool) -> None:
        """Leave out what has no use before there are cases."""
        self.run.setVisible(cases)
        for part in (self.cancel, self.bar):
            part.setVisible(cases or busy)
