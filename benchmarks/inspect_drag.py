"""How long a dragged attention point and a painted mask take in the Inspect widget.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/inspect_drag.py [--moves 100]
        [--checkpoint brain-t1-2d] [--recipe grey-2d] [--size 256]

A real viewer shows a made-up image. The point is dragged by mouse events that are sent to the
canvas, one after the other; a move's time ends when the canvas was painted with the map of that
move. Then strokes are painted into a mask, and the numbers follow. Printed are the median and the
95th percentile, the longest time for which the window did not get to its events, and how long its
thread computed for each (on a busy machine that is less than what passes on the clock).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_lgmsnet.widgets.inspect import InspectWidget


class Paints(QObject):
    """Notes which answer there was whenever a widget began to paint itself."""

    def __init__(self, widget: QWidget, answer: Callable[[], Any]) -> None:
        super().__init__()
        self.painted: Any = None
        self._answer = answer
        widget.installEventFilter(self)

    def eventFilter(self, _widget: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.painted = self._answer()
        return False


class Heartbeat:
    """Notes the longest time between two beats of the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last), now


def until(done: Callable[[], bool], limit: float = 120.0) -> None:
    """Let the window work until something is the case."""
    end = time.perf_counter() + limit
    while not done():
        QApplication.processEvents()
        time.sleep(0.0005)  # for the worker, which has to get at the interpreter
        if time.perf_counter() > end:
            raise SystemExit("nothing happened for two minutes")


def rest(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.perf_counter() + seconds
    until(lambda: time.perf_counter() > end)


def send(canvas: QWidget, kind: QEvent.Type, at: QPointF, *, held: bool) -> None:
    """Send a mouse event with the left button."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    where = QPointF(canvas.mapToGlobal(at.toPoint()))
    buttons = left if held else none
    event = QMouseEvent(kind, at, where, button, buttons, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


def on_canvas(viewer: Any, canvas: QWidget, point: np.ndarray) -> QPointF:
    """Return where a point of the world is on the canvas."""
    camera = viewer.scene.camera
    y, x = (point - np.asarray(camera.center)[-2:]) * camera.zoom / canvas.devicePixelRatioF()
    return QPointF(canvas.width() / 2 + x, canvas.height() / 2 + y)


def drag(viewer: Any, widget: InspectWidget, canvas: QWidget, moves: int) -> list[float]:
    """Return the seconds from each move of the mouse to its map on screen."""
    paints = Paints(canvas, lambda: widget.attention.answer)
    points = widget.attention.points
    assert points is not None
    size = np.array(widget.images.layer().data.shape)
    start = np.asarray(points.data_to_world(points.data[0]), dtype=float)
    at = on_canvas(viewer, canvas, start)
    send(canvas, QEvent.Type.MouseMove, at, held=False)
    send(canvas, QEvent.Type.MouseButtonPress, at, held=True)
    rest(0.1)
    seconds = []
    for move in range(moves):
        # A circle: neighbouring moves lie in different cells.
        angle = 2 * np.pi * move / 17
        goal = size / 2 + size / 3 * np.array([np.sin(angle), np.cos(angle)])
        before = paints.painted = widget.attention.answer
        begin = time.perf_counter()
        send(canvas, QEvent.Type.MouseMove, on_canvas(viewer, canvas, goal), held=True)
        until(lambda before=before: paints.painted is not before)
        seconds.append(time.perf_counter() - begin)
        found = np.asarray(points.data[0])
        assert np.abs(found - goal).max() < 2, "the point did not follow the mouse"
    send(canvas, QEvent.Type.MouseButtonRelease, at, held=False)
    return seconds


def paint(widget: InspectWidget, mask: Any, strokes: int) -> list[float]:
    """Return the seconds from each stroke to its numbers."""
    generator = np.random.default_rng(0)
    mask.brush_size = 20
    seconds = []
    for _stroke in range(strokes):
        before = widget.features.rows
        begin = time.perf_counter()
        at = tuple(int(i) for i in generator.integers(0, mask.data.shape))
        mask.paint(at, 1 - int(mask.data[at]))
        until(lambda before=before: widget.features.rows is not before)
        seconds.append(time.perf_counter() - begin)
    return seconds


def tell(name: str, measure: Callable[[], list[float]]) -> None:
    """Measure something, and print it."""
    beat, computed = Heartbeat(), time.thread_time()
    times = 1000 * np.asarray(measure())
    computed = 1000 * (time.thread_time() - computed) / len(times)
    print(
        f"{name}: median {np.median(times):.0f} ms, 95th percentile "
        f"{np.percentile(times, 95):.0f} ms, longest gap of the window "
        f"{1000 * beat.longest:.0f} ms, {computed:.0f} ms computed ({len(times)} times)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="brain-t1-2d")
    parser.add_argument("--recipe", default="grey-2d")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--moves", type=int, default=100)
    options = parser.parse_args()
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    picture = np.random.default_rng(0).normal(100, 20, (options.size,) * 2).astype(np.float32)
    picture[60:120, 80:160] += 80
    image = viewer.add_image(picture, name="made up")
    mask = viewer.add_labels((picture > 150).astype(np.uint8), name="mask")
    _dock, widget = viewer.window.add_plugin_dock_widget("napari-lgmsnet", "Inspect")
    widget.images.choose(image)
    widget.checkpoint.choose(options.checkpoint)
    recipe = widget.source.options.recipe
    recipe.setCurrentIndex(recipe.findData(options.recipe))
    widget.run()
    until(lambda: not widget.busy)
    widget.choice.masks.choose(mask)
    widget.attention.place.click()
    until(lambda: not widget.busy)
    rest(2)
    canvas = next(
        one
        for one in QApplication.allWidgets()
        if type(one).__name__ == "CanvasBackendDesktop" and one.isVisible()
    )
    window = widget.looked.inspection.inputs.tiling.window
    print(f"{options.checkpoint}, window {window}, image {picture.shape}")
    tell("at rest for 2 s", lambda: rest(2) or [2.0])
    tell("drag", lambda: drag(viewer, widget, canvas, options.moves))
    rest(1)
    tell("paint, to the numbers", lambda: paint(widget, mask, options.moves // 4))
    widget.stages.plot.click()
    until(lambda: not widget.busy)
    rest(1)
    tell("paint, with the plot", lambda: paint(widget, mask, options.moves // 10))
    until(lambda: not widget.busy)
    viewer.close()


if __name__ == "__main__":
    main()
