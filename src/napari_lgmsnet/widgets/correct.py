"""The Correct widget: the right mask in the fewest actions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QGroupBox, QLayout, QScrollArea, QVBoxLayout, QWidget

from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.pairs import image_below, is_image, is_mask
from napari_lgmsnet.adapters.shortcuts import register_shortcuts
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.correct_clicks import ClickSection
from napari_lgmsnet.widgets.correct_doubt import DoubtSection
from napari_lgmsnet.widgets.correct_measures import MeasureSection
from napari_lgmsnet.widgets.correct_tools import ToolSection
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.key_list import KeyList
from napari_lgmsnet.widgets.layer_combo import LayerCombo
from napari_lgmsnet.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from napari import Viewer

NO_MASK = "Choose a mask to correct: run Segment, open one, or add a Labels layer."


class CorrectWidget(QScrollArea):
    """Correct a mask by clicks, brush and clean-up tools.

    Parameters
    ----------
    napari_viewer : napari Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._step = ""
        self.bench = Bench(napari_viewer)
        self.masks = LayerCombo(napari_viewer, is_mask)
        self.images = LayerCombo(napari_viewer, is_image, none="no image")
        self.classes = plain_combo("What brush, clicks and tools work on")
        self.classes.setPlaceholderText("background (label 0)")
        self.bar = RunBar()
        self.bar.run.hide()
        self.clicks = ClickSection(self.bench, self)
        self.tools = ToolSection(self.bench, self)
        self.doubt = DoubtSection(self.bench, self)
        self.measures = MeasureSection(self.bench, self)
        self.keys = KeyList()
        self._lay_out()
        self._connect()
        self._on_mask()

    def showEvent(self, event: QShowEvent) -> None:
        """Be as wide as what is inside."""
        super().showEvent(event)
        bar = self.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(self._content.minimumSizeHint().width() + bar + 8)

    @property
    def busy(self) -> bool:
        """Return whether anything is worked out."""
        bench = self.bench
        return bench.queue.busy or bench.session.writer.busy or self.measures.queue.busy

    def _lay_out(self) -> None:
        form = plain_form()
        form.addRow("&Mask", self.masks)
        form.addRow("&Image", self.images)
        form.addRow("&Class", self.classes)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        sections: tuple[tuple[str, QLayout], ...] = (
            ("Clicks", self.clicks.layout_),
            ("Clean up", self.tools.layout_),
            ("Where to look", self.doubt.layout_),
            ("Measures", self.measures.layout_),
            ("Keys, while the mask is selected", self.keys.layout_),
        )
        for title, inner in sections:
            box = QGroupBox(title)
            box.setLayout(inner)
            layout.addWidget(box)
        layout.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._content = content

    def _connect(self) -> None:
        bench = self.bench
        self.masks.changed.connect(self._on_mask)
        self.images.changed.connect(self._on_image)
        self.classes.currentIndexChanged.connect(self._on_class)
        self.bar.cancel_clicked.connect(bench.queue.cancel)
        bench.chosen.connect(self._show_classes)
        bench.said.connect(self.bar.say)
        bench.failed.connect(self.bar.complain)
        bench.queue.progressed.connect(self._on_progressed)
        bench.queue.stopped.connect(lambda: self.bar.say("Stopped; nothing was changed."))
        bench.queue.idle.connect(self._on_idle)
        bench.session.mask_chosen.connect(self._on_opened)
        register_shortcuts()
        offers = self._offers()
        for name, action in offers.items():
            bench.session.offer(name, action)
        # By then the parts of this widget are gone in Qt: only what is plain Python may be used.
        leave: list[Callable[[], object]] = [
            self.clicks.tool.stop,
            bench.leave,
            self.masks.leave,
            self.images.leave,
            self.measures.leave,
            lambda: bench.session.mask_chosen.disconnect(self._on_opened),
            *(partial(bench.session.withdraw, name, action) for name, action in offers.items()),
        ]
        self.destroyed.connect(lambda: [step() for step in leave])

    def _offers(self) -> dict[str, Callable[[], object]]:
        """Return what keys do here."""
        tools = {name: partial(self.tools.use_if_possible, name) for name in self.tools.buttons}
        return {
            **tools,
            "correct_by_clicks": self.clicks.switch.toggle,
            "click_less": self.clicks.tool.less,
            "lock_region": partial(self.tools.locks.change, on=True),
            "unlock_region": partial(self.tools.locks.change, on=False),
            "next_doubt": partial(self.doubt.go, 1),
            "previous_doubt": partial(self.doubt.go, -1),
            "doubt_done": self.doubt.tick_off,
        }

    def _on_mask(self) -> None:
        mask = self.masks.layer()
        if mask is None:
            self.bench.work_on(None, None)
            self.bar.say(NO_MASK)
            return
        if mask != self.bench.mask:
            self.bar.say("")
            image = image_below(self._viewer.layers, self.bench.session.results, mask)
            with QSignalBlocker(self.images):
                if image is None:
                    self.images.setCurrentIndex(0)
                else:
                    self.images.choose(image)
        self._on_image()

    def _on_image(self) -> None:
        self.bench.work_on(self.masks.layer(), self.images.layer())

    def _on_opened(self, mask: Labels, image: Image) -> None:
        self.masks.choose(mask)
        self.images.choose(image)

    def _show_classes(self) -> None:
        names, label = dict(self.bench.names), self.bench.label
        if label and label not in names:
            names[label] = f"label {label}"
        refill(self.classes, [(name, number) for number, name in sorted(names.items())])
        with QSignalBlocker(self.classes):
            self.classes.setCurrentIndex(self.classes.findData(label))
        self.classes.setEnabled(bool(names))

    def _on_class(self, _index: int) -> None:
        mask, label = self.bench.mask, self.classes.currentData()
        if mask is not None and label is not None:
            mask.selected_label = int(label)

    def _on_progressed(self, progress: Progress) -> None:
        if not self.bar.cancel.isEnabled():
            self.bar.begin()
        self.bar.show_progress(progress)
        self._step = self.bar.line.text()

    def _on_idle(self) -> None:
        self.bar.end()
        if self.bar.line.text() == self._step:
            self.bar.say("")
