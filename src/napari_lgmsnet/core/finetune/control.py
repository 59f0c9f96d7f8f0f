"""How a window steers a fine-tuning that runs in another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from napari_lgmsnet.core.errors import Cancelled
from napari_lgmsnet.core.types import Progress

_PAUSE = 0.05


@dataclass(frozen=True)
class TuneProgress(Progress):
    """One step of a fine-tuning, with what a live curve shows.

    Parameters
    ----------
    step, total, message
        As for :class:`~napari_lgmsnet.core.types.Progress`. While training with a time budget
        they count seconds, otherwise steps.
    phase : "prepare", "train" or "compare"
    loss : float or None
        Of this training step.
    images_per_second : float or None
    seconds_left : float or None
        Of training.
    held_out_dice : float or None
        Of the state that would be kept now, where it was measured in this step.
    trained : int
        Training steps so far.
    """

    phase: str = "prepare"
    loss: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    held_out_dice: float | None = None
    trained: int = 0


class Control:
    """Pause, go on, stop and keep the best, cancel and discard; from any thread.

    Parameters
    ----------
    clock : callable
        Returns seconds; the time budget is counted with it.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._changed = threading.Condition()
        self._paused = self._stopped = self._cancelled = False

    def pause(self) -> None:
        """Wait before the next step; this time does not count."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on."""
        self._set(paused=False)

    def stop(self) -> None:
        """End training early, keep what was best so far and compare it."""
        self._set(paused=False, stopped=True)

    def cancel(self) -> None:
        """Discard everything: the job raises :class:`~napari_lgmsnet.core.errors.Cancelled`."""
        self._set(paused=False, cancelled=True)

    @property
    def paused(self) -> bool:
        """Return whether the job waits."""
        return self._paused

    @property
    def stopped(self) -> bool:
        """Return whether training shall end early."""
        return self._stopped

    @property
    def cancelled(self) -> bool:
        """Return whether everything shall be discarded."""
        return self._cancelled

    def check(self) -> None:
        """Raise Cancelled if the person cancelled."""
        if self._cancelled:
            raise Cancelled("the training was cancelled: nothing of it was kept")

    def waiting(self, step: TuneProgress) -> Generator[TuneProgress, None, None]:
        """Yield while the job is paused; raise Cancelled if it was cancelled."""
        while self._paused:
            yield replace(step, message="paused")
            with self._changed:
                if self._paused:
                    self._changed.wait(_PAUSE)
        self.check()

    def _set(
        self, paused: bool | None = None, stopped: bool = False, cancelled: bool = False
    ) -> None:
        with self._changed:
            self._paused = self._paused if paused is None else paused
            self._stopped |= stopped
            self._cancelled |= cancelled
            self._changed.notify_all()
