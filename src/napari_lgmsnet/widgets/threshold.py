"""The threshold, which moves the border of a mask without running the network again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtWidgets import QWidget
from superqt import QLabeledDoubleSlider

from napari_lgmsnet.adapters import jobs
from napari_lgmsnet.adapters.results import Mask, Result
from napari_lgmsnet.adapters.session import Session
from napari_lgmsnet.adapters.settings import preferences
from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.widgets.questions import Edits, ask_about_edits

if TYPE_CHECKING:
    from napari_lgmsnet.core.prediction import Prediction

PAUSE_MS = 40
"""The mask follows after the slider has rested this long."""


class ThresholdSlider(QLabeledDoubleSlider):
    """A slider from 0 to 1 that cuts the probabilities of the chosen image's last result.

    Parameters
    ----------
    session : Session
    current : callable
        Returns the result of the chosen image, or None.
    parent : QWidget, optional

    Attributes
    ----------
    cut : Qt signal
        A mask was changed; with its result.
    failed : Qt signal
        With an error.
    """

    cut = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        session: Session,
        current: Callable[[], Result | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._session = session
        self._current = current
        self.job = Background()
        self._pending: tuple[Result, Mask | None] | None = None
        self.setRange(0.0, 1.0)
        self.setDecimals(2)
        self.setSingleStep(0.01)  # type: ignore[arg-type]  # typed as Qt's, which counts in int
        self.setPageStep(0.1)  # type: ignore[arg-type]
        self.setValue(preferences().threshold)
        self.setToolTip(
            "How sure the network must be: lower gives larger masks. Moves the last result at once"
        )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._start)
        self.valueChanged.connect(lambda _value: self._timer.start())
        self.sliderReleased.connect(lambda: self._timer.start())
        self.job.returned.connect(self._on_cut)
        self.job.failed.connect(self._on_failed)

    @property
    def waiting(self) -> bool:
        """Return whether a move of the slider has not been looked at yet."""
        return self._timer.isActive()

    def show_result(self, result: Result | None) -> None:
        """Show at which threshold a result is cut."""
        if result is not None:
            with QSignalBlocker(self):
                self.setValue(result.prediction.settings.threshold)
        self._timer.stop()

    def _start(self) -> None:
        """Start to cut the current result, unless it is cut so already."""
        result = self._current()
        if result is None or self.job.running:
            return  # what runs now looks again at its end
        if abs(result.prediction.settings.threshold - self.value()) < 1e-6:
            return
        accepted = None
        if result.edited(result.region):
            if self.isSliderDown():
                return  # asked when it is let go
            answer = ask_about_edits(self, str(result.mask.name))
            if answer is Edits.CANCEL:
                self.show_result(result)
                return
            if answer is Edits.KEEP:
                self._session.results.set_aside(result)
            accepted = result.mask.data[result.region].copy()
        self._pending = (result, accepted)
        self.job.start(jobs.cut(result.prediction, float(self.value())))

    def _on_cut(self, prediction: Prediction) -> None:
        assert self._pending is not None
        (result, accepted), self._pending = self._pending, None
        same_run = prediction.probabilities is result.prediction.probabilities
        if result is self._current() and same_run and not result.edited(result.region, accepted):
            with self._session.changing_by("network"):
                self._session.results.cut(result, prediction)
            self._session.predicted.emit(result)
            self.cut.emit(result)
        self._timer.start()

    def _on_failed(self, error: Exception) -> None:
        self._pending = None
        self.failed.emit(error)
