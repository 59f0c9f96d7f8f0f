"""Clicks that correct the mask."""

from __future__ import annotations

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.click_tool import LARGE, ClickTool
from napari_lgmsnet.adapters.correct_jobs import Clicked

HOW = (
    "Click where the mask is wrong: outside of it to add, inside to take away. Shift+click where "
    "it is right and has to stay."
)


class ClickSection(QObject):
    """A switch for clicks on the canvas, and the way back.

    Parameters
    ----------
    bench : Bench
    parent : QWidget
    """

    def __init__(self, bench: Bench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.tool = ClickTool(bench)
        self.switch = QPushButton("Correct by clicks")
        self.switch.setCheckable(True)
        self.switch.setToolTip(HOW)
        self.back = QPushButton("Take back")
        self.back.setToolTip("Undo the last step in the mask, as Ctrl+Z does")
        self.less = QPushButton("Less")
        self.less.setToolTip("Take the last click back, and let it reach half as far")
        self.less.setEnabled(False)
        self.line = QLabel(HOW)
        self.line.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.switch, 2)
        row.addWidget(self.back, 1)
        row.addWidget(self.less, 1)
        self.layout_ = QVBoxLayout()
        self.layout_.addLayout(row)
        self.layout_.addWidget(self.line)
        self.switch.toggled.connect(self._on_switch)
        self.back.clicked.connect(self.take_back)
        self.less.clicked.connect(self.tool.less)
        bench.edited.connect(self._on_edited)
        self.tool.corrected.connect(self._on_corrected)
        bench.chosen.connect(self._enable)
        self._enable()

    def take_back(self) -> None:
        """Undo the last step in the mask."""
        if self._bench.mask is not None:
            self._bench.session.writer.undo(self._bench.mask)

    def _enable(self) -> None:
        there = self._bench.mask is not None
        self.switch.setEnabled(there)
        self.back.setEnabled(there)
        self._on_edited()
        if not there:
            self.switch.setChecked(False)

    def _on_switch(self, on: bool) -> None:
        if on:
            self.tool.start()
        else:
            self.tool.stop()

    def _on_edited(self) -> None:
        """After an undo there may be no click left that could be less."""
        self.less.setEnabled(self.tool.clicks > 0)

    def _on_corrected(self, clicked: Clicked) -> None:
        name = self._bench.name_of(self._bench.label)
        count, voxels = self.tool.clicks, clicked.change.voxels
        self._on_edited()
        if clicked.part > LARGE:
            way = "added" if clicked.correction.click.positive else "took away"
            self._bench.said.emit(
                f"This click {way} much: {100 * clicked.part:.0f} % of {name}. Is that right? "
                "If not, choose Less, or Take back."
            )
            return
        words = f"{voxels} voxels of {name} changed" if voxels else "Nothing changed there"
        self._bench.said.emit(f"{words}; {count} click{'s' * (count != 1)} on this image.")
