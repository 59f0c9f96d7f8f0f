"""A viewer in which much goes on at once, for ``responsiveness.py``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

PLUGIN, CHECKPOINT = "napari-lgmsnet", "brain-t1-2d"
SIZE, SLICES = 512, 8
BEAT, MOVE = 2, 16  # ms
WARM_UP = 2.0  # s
STROKE = 40  # moves


def slices() -> tuple[Any, Any]:
    """Return slices of a head and a mask of the brain, (SLICES, SIZE, SIZE)."""
    import numpy as np
    from scipy.ndimage import zoom

    from napari_lgmsnet.adapters import samples

    mask, image = (layer[0] for layer in samples.colin27_slices())
    middle = slice(len(image) // 2 - SLICES // 2, len(image) // 2 - SLICES // 2 + SLICES)
    factors = (1, SIZE / image.shape[1], SIZE / image.shape[2])
    large = zoom(image[middle].astype(np.float32), factors, order=1)
    return large, zoom(mask[middle], factors, order=0).astype(np.uint8)


class Steps:
    """Notes when training steps were done."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def add(self, trained: int) -> None:
        self.seen.append((time.perf_counter(), trained))

    def rate(self, since: float) -> float:
        """Return steps a second since some time; 0 if none ended since."""
        before = [one for one in self.seen if one[0] < since]
        inside = before[-1:] + [one for one in self.seen if one[0] >= since]
        if len(inside) < 2:
            return 0.0
        (start, first), (end, last) = inside[0], inside[-1]
        return (last - first) / (end - start)


class Studio:
    """A viewer with all tabs, and what goes on in it."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtCore import Qt, QTimer
        from qtpy.QtWidgets import QApplication

        self.viewer = napari.Viewer(title="responsiveness")
        image, mask = slices()
        self.image = self.viewer.add_image(image, name="head")
        self.painted = self.viewer.add_labels(mask, name="head corrected")
        _dock, self.tabs = self.viewer.window.add_plugin_dock_widget(PLUGIN, "All tabs")
        self.tabs.segment.images.choose(self.image)
        self.tabs.segment.checkpoint.choose(CHECKPOINT)
        self.tabs.tune.options.seconds.setValue(3600)
        self.tabs.setCurrentWidget(self.tabs.tune)
        self.canvas = next(
            one
            for one in QApplication.allWidgets()
            if type(one).__name__ == "CanvasBackendDesktop" and one.isVisible()
        )
        self.beats: list[float] = []
        self.steps = Steps()
        self.predictions: list[float] = []
        self.moves = self.painted_moves = 0
        self._precise = Qt.TimerType.PreciseTimer
        self._timers: dict[str, QTimer] = {}
        self._changed = 0
        self.tabs.segment.session.predicted.connect(self._on_predicted)
        self.tabs.tune._job.progressed.connect(self._on_step)

    def every(self, name: str, milliseconds: int, action: Callable[[], object]) -> None:
        """Do something over and over until :meth:`end`."""
        from qtpy.QtCore import QTimer

        timer = self._timers[name] = QTimer()
        timer.setTimerType(self._precise)
        timer.setInterval(milliseconds)
        timer.timeout.connect(action)
        timer.start()

    def end(self, name: str) -> None:
        self._timers.pop(name).stop()

    def wait(self, done: Callable[[], bool], limit: float = 120.0) -> None:
        """Let the window work until something is the case."""
        from qtpy.QtCore import QEventLoop

        loop, end = QEventLoop(), time.perf_counter() + limit

        def look() -> None:
            if done() or time.perf_counter() > end:
                loop.quit()

        self.every("look", 20, look)
        loop.exec()
        self.end("look")
        if not done():
            raise SystemExit(
                f"nothing happened for {limit:.0f} s: {self.tabs.segment.bar.line.text()} "
                f"{self.tabs.tune.bar.line.text()}"
            )

    def rest(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        self.wait(lambda: time.perf_counter() > end)

    def warm_up(self) -> None:
        """Load and prepare what is needed once: torch, the engines, the curve."""
        self.every("predict", 5, self._predict)
        self.wait(lambda: len(self.predictions) > 3)
        self.end("predict")
        self.wait(lambda: not self.tabs.segment.busy)
        self.part(("train",), 1.0)

    def part(self, what: tuple[str, ...], seconds: float) -> dict[str, float]:
        """Measure while some things are going on."""
        if "train" in what:
            self.steps = Steps()
            self.tabs.tune.start()
            self.wait(lambda: len(self.steps.seen) > 1)
        if "predict" in what:
            self.every("predict", 5, self._predict)
        if "paint" in what:
            self._active()
            self.every("paint", MOVE, self._move)
        self.rest(WARM_UP)
        self.beats, self.predictions, before = [], [], self.moves
        self.every("beat", BEAT, lambda: self.beats.append(time.perf_counter()))
        since = time.perf_counter()
        self.rest(seconds)
        self.end("beat")
        found = gaps(self.beats)
        if "train" in what:
            found["steps"] = self.steps.rate(since)
        if "predict" in what:
            found["predictions"] = len(self.predictions) / seconds
            self.end("predict")
            self.tabs.segment.bar.cancel.click()
        if "paint" in what:
            found["moves"] = (self.moves - before) / seconds
            self.end("paint")
            self._release()
        if "train" in what:
            self.tabs.tune.bar.cancel.click()
        self.wait(lambda: not (self.tabs.tune.busy or self.tabs.segment.busy))
        return found

    def remembered(self) -> list[float]:
        """Return the seconds from Run to the mask of what was segmented before: a slice, all."""
        segment, found = self.tabs.segment, []
        self.rest(WARM_UP)
        for scope in ("slice", "whole"):
            combo = segment.options.region.combo
            combo.setCurrentIndex(combo.findData(scope))
            times = []
            for _ in range(6):
                self.predictions = []
                start = time.perf_counter()
                segment.run()
                self.wait(lambda: not segment.busy)
                times.append(self.predictions[0] - start)
            # The first one is computed.
            found.append(statistics.median(times[1:]))
        return found

    def _predict(self) -> None:
        if self.tabs.segment.busy:
            return
        # Otherwise it would be answered from memory.
        self._changed += 1
        self.image.data[0, 0, 0] = self._changed
        self.tabs.segment.run()

    def _on_predicted(self, _result: Any) -> None:
        self.predictions.append(time.perf_counter())
        if "paint" in self._timers:
            self._active()

    def _on_step(self, progress: Any) -> None:
        if getattr(progress, "phase", "") == "train":
            self.steps.add(progress.trained)

    def _active(self) -> None:
        self.viewer.layers.selection.active = self.painted
        self.painted.mode = "paint"
        self.painted.brush_size = 24

    def _move(self) -> None:
        """Send the next event of a stroke."""
        import numpy as np
        from qtpy.QtCore import QEvent, QPointF

        step = self.moves % STROKE
        angle = 2 * np.pi * self.moves / 97
        radius = min(self.canvas.width(), self.canvas.height()) * 0.3
        at = QPointF(
            self.canvas.width() / 2 + radius * np.cos(angle),
            self.canvas.height() / 2 + radius * np.sin(1.3 * angle),
        )
        if step == 0:
            self.painted.selected_label = self.moves // STROKE % 2
            self._send(QEvent.Type.MouseMove, at, held=False)
            self._send(QEvent.Type.MouseButtonPress, at, held=True)
        self._send(QEvent.Type.MouseMove, at, held=True)
        self.moves += 1
        if step == STROKE - 1:
            self._send(QEvent.Type.MouseButtonRelease, at, held=False)

    def _release(self) -> None:
        from qtpy.QtCore import QEvent, QPointF

        self._send(QEvent.Type.MouseButtonRelease, QPointF(5, 5), held=False)

    def _send(self, kind: Any, at: Any, *, held: bool) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        event = QMouseEvent(
            kind,
            at,
            QPointF(self.canvas.mapToGlobal(at.toPoint())),
            none if kind == QEvent.Type.MouseMove else left,
            left if held else none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.canvas, event)


def gaps(beats: list[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the longest of the gaps, in ms."""
    import numpy as np

    lengths = np.sort(1e3 * np.diff(beats))
    share = np.cumsum(lengths) / lengths.sum()
    median, high = (float(lengths[np.searchsorted(share, q)]) for q in (0.5, 0.95))
    counted = float(np.percentile(lengths, 95))
    return {"median": median, "p95": high, "counted": counted, "longest": float(lengths[-1])}
