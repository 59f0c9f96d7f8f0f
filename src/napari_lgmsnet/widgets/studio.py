"""All of the work in one place: Segment, Inspect, Correct, Cases, Fine-tune, as tabs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QScrollArea, QTabWidget, QWidget

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.widgets.cases import CasesWidget
    from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
    from napari_lgmsnet.widgets.correct import CorrectWidget
    from napari_lgmsnet.widgets.inspect import InspectWidget
    from napari_lgmsnet.widgets.segment import SegmentWidget
    from napari_lgmsnet.widgets.tune import TuneWidget

PAUSE = 200
"""Milliseconds between making two tabs, for the window to show itself and to be used."""
_TABS = (
    ("segment", "SegmentWidget", "Segment", "Let a network make a mask"),
    ("inspect", "InspectWidget", "Inspect", "See what the network attends to"),
    ("correct", "CorrectWidget", "Correct", "Correct the mask"),
    ("cases", "CasesWidget", "Cases", "Go through many images; nothing is lost"),
    ("tune", "TuneWidget", "Fine-tune", "Teach the network your corrections"),
)
"""Module, class, title and tip of each tab."""


class StudioWidget(QTabWidget):
    """Segment, Inspect, Correct, Cases and Fine-tune, with one checkpoint for all of them.

    The first tab is there at once; the others are made one after the other while the window is
    in use already, or when they are first asked for.

    Parameters
    ----------
    napari_viewer : napari Viewer

    Attributes
    ----------
    segment, inspect, correct, cases, tune : the widgets in the tabs
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._made: dict[str, Any] = {}
        for _module, _name, title, tip in _TABS:
            self.setTabToolTip(self.addTab(QWidget(), title), tip)
        self._make(0)
        self.currentChanged.connect(self._make)
        self._timer = QTimer(self)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._make_next)
        self.setDocumentMode(True)
        # The time that napari takes to show this does not count.
        QTimer.singleShot(0, self, self._timer.start)

    @property
    def segment(self) -> SegmentWidget:
        """Return the tab that makes masks."""
        widget: SegmentWidget = self._make(0)
        return widget

    @property
    def inspect(self) -> InspectWidget:
        """Return the tab that looks inside."""
        widget: InspectWidget = self._make(1)
        return widget

    @property
    def correct(self) -> CorrectWidget:
        """Return the tab with tools for masks."""
        widget: CorrectWidget = self._make(2)
        return widget

    @property
    def cases(self) -> CasesWidget:
        """Return the tab with the cases of a project."""
        widget: CasesWidget = self._make(3)
        return widget

    @property
    def tune(self) -> TuneWidget:
        """Return the tab that teaches."""
        widget: TuneWidget = self._make(4)
        return widget

    def _make(self, place: int) -> Any:
        """Return the widget of a tab, and make it first if need be."""
        module, name, title, tip = _TABS[place]
        if module not in self._made:
            made = getattr(import_module(f"napari_lgmsnet.widgets.{module}"), name)(self._viewer)
            self._made[module] = made
            page = _scrolled(made) if module == "segment" else made
            current, empty = self.currentIndex(), self.widget(place)
            self.blockSignals(True)
            self.removeTab(place)
            self.insertTab(place, page, title)
            self.setTabToolTip(place, tip)
            self.setCurrentIndex(current)
            self.blockSignals(False)
            assert empty is not None, "every tab has a page"
            empty.deleteLater()
            self._share(getattr(made, "checkpoint", None))
        return self._made[module]

    def _make_next(self) -> None:
        missing = [place for place, tab in enumerate(_TABS) if tab[0] not in self._made]
        if missing:
            self._make(missing[0])
        else:
            self._timer.stop()

    def _share(self, box: CheckpointBox | None) -> None:
        """Let the checkpoint of a new tab be that of the others."""
        if box is None:
            return
        boxes = [one.checkpoint for one in self._made.values() if hasattr(one, "checkpoint")]
        for other in boxes:
            if other is not box:
                _follow(box, other.reference)
                box.changed.connect(lambda other=other: _follow(other, box.reference))
                other.changed.connect(lambda other=other: _follow(box, other.reference))


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    return area


def _follow(box: CheckpointBox, reference: str) -> None:
    if reference and box.reference != reference:
        box.choose(reference)
