"""The live curve of a training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_lgmsnet.core.finetune import TuneProgress

HEIGHT = 200
SMOOTHING = 0.9


class TuneCurve(QWidget):
    """Loss and held-out Dice against training steps.

    Attributes
    ----------
    losses, dices : list of (step, value)
        What is drawn; losses are smoothed.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.losses: list[tuple[int, float]] = []
        self.dices: list[tuple[int, float]] = []
        self._curves: tuple[Any, Any] | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def clear(self) -> None:
        """Begin a new curve."""
        self.losses, self.dices = [], []
        self._draw()

    def add(self, steps: Iterable[TuneProgress]) -> None:
        """Draw some more steps."""
        for step in steps:
            # While training is paused, its last step is told again and again.
            if step.loss is not None and (not self.losses or step.trained > self.losses[-1][0]):
                before = self.losses[-1][1] if self.losses else step.loss
                value = SMOOTHING * before + (1 - SMOOTHING) * step.loss
                self.losses.append((step.trained, value))
            dice = step.held_out_dice
            if dice is not None and (not self.dices or step.trained > self.dices[-1][0]):
                self.dices.append((step.trained, dice))
        self._draw()

    def _draw(self) -> None:
        if not (self.losses or self.dices):
            return
        if self._curves is None:
            self._curves = self._make()
        for curve, points in zip(self._curves, (self.losses, self.dices), strict=True):
            curve.setData([step for step, _ in points], [value for _, value in points])
        self.show()

    def _make(self) -> tuple[Any, Any]:
        # Only now: it takes a moment to load.
        import pyqtgraph

        canvas = pyqtgraph.GraphicsLayoutWidget()
        canvas.setBackground(None)
        canvas.setFixedHeight(HEIGHT)
        curves, plots = [], []
        for row, (title, colour) in enumerate(
            (("Loss", "#ffb347"), ("Dice on what is held out", "#6cc4ff"))
        ):
            plot = canvas.addPlot(row=row, col=0, title=title)
            plot.titleLabel.setText(title, size="8pt")
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
            plot.getAxis("left").setWidth(38)
            plot.setMouseEnabled(x=False, y=False)
            plot.hideButtons()
            plot.setMenuEnabled(False)
            plot.showGrid(y=True, alpha=0.2)
            symbol = {"symbol": "o", "symbolSize": 5, "symbolBrush": colour} if row else {}
            curves.append(plot.plot([], [], pen=pyqtgraph.mkPen(colour, width=2), **symbol))
            plots.append(plot)
        plots[1].setXLink(plots[0])
        plots[1].setYRange(0, 1)
        self._layout.addWidget(canvas)
        return curves[0], curves[1]
