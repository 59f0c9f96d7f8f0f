"""A window that paints until it is killed: `python -m tests.widgets.cases_crashing PROJECT`.

Says on stdout what it has painted, and how far the saving has come.
"""

from __future__ import annotations

import os
import sys
import time

import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_lgmsnet.widgets.cases import CasesWidget
from tests.widgets.case_helpers import SHAPE, numbered_stroke


def say(*words: object) -> None:
    os.write(1, ("\t".join(map(str, words)) + "\n").encode())


def main() -> None:
    viewer = napari.Viewer()
    widget = CasesWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Cases")
    widget.desk.saved.connect(lambda state: say("saved", state.saved))
    widget.open_project(sys.argv[1])
    while widget.desk.screen is None:
        QApplication.processEvents()
        time.sleep(0.01)
    layer = widget.desk.screen.view.mask
    number = 0

    def paint() -> None:
        nonlocal number
        # Each stroke with a view of its own, so that it can be told which one was kept.
        viewer.dims.set_current_step(0, number % SHAPE[0])
        numbered_stroke(layer, number)
        number += 1
        viewer.scene.camera.zoom = 1 + number / 1000
        say("edit", number, time.monotonic())

    timer = QTimer()
    timer.setInterval(30)
    timer.timeout.connect(paint)
    timer.start()
    napari.run()


if __name__ == "__main__":
    main()
