"""All of the work in one place: Segment, Inspect, Correct, Cases, Fine-tune, as tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QScrollArea, QTabWidget, QWidget

from napari_lgmsnet.widgets.cases import CasesWidget
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.correct import CorrectWidget
from napari_lgmsnet.widgets.inspect import InspectWidget
from napari_lgmsnet.widgets.segment import SegmentWidget
from napari_lgmsnet.widgets.tune import TuneWidget

if TYPE_CHECKING:
    from napari import Viewer


class StudioWidget(QTabWidget):
    """Segment, Inspect, Correct, Cases and Fine-tune, with one checkpoint for all of them.

    Parameters
    ----------
    napari_viewer : napari Viewer

    Attributes
    ----------
    segment, inspect, correct, cases, tune : the widgets in the tabs
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.segment = SegmentWidget(napari_viewer)
        self.inspect = InspectWidget(napari_viewer)
        self.correct = CorrectWidget(napari_viewer)
        self.cases = CasesWidget(napari_viewer)
        self.tune = TuneWidget(napari_viewer)
        self._add("Segment", _scrolled(self.segment), "Let a network make a mask")
        self._add("Inspect", self.inspect, "See what the network attends to")
        self._add("Correct", self.correct, "Correct the mask")
        self._add("Cases", self.cases, "Go through many images; nothing is lost")
        self._add("Fine-tune", self.tune, "Teach the network your corrections")
        boxes = (
            self.segment.checkpoint,
            self.inspect.checkpoint,
            self.cases.checkpoint,
            self.tune.checkpoint,
        )
        for box in boxes:
            others = [one for one in boxes if one is not box]
            for other in others:
                box.changed.connect(lambda box=box, other=other: _follow(other, box.reference))
        self.setDocumentMode(True)

    def _add(self, title: str, widget: QWidget, tip: str) -> None:
        self.setTabToolTip(self.addTab(widget, title), tip)


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    return area


def _follow(box: CheckpointBox, reference: str) -> None:
    if reference and box.reference != reference:
        box.choose(reference)
