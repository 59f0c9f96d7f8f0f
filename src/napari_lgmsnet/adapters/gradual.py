"""Large changes of a mask, written piece by piece, so that the window stays alive meanwhile.

Until the last piece is in, the mask is neither as it was nor as it shall be. Nobody gets hold of
it in this state: whatever a person presses, the rest is written first, and what was pressed takes
effect afterwards. It is one undo step, whether written in pieces or at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Labels

    from napari_lgmsnet.core.edit import Change
    from napari_lgmsnet.core.geometry import Box

Around = Callable[[], AbstractContextManager[object]]
Done = Callable[[bool], object]

AT_ONCE = 2**16
"""Voxels that are written in one piece: about 10 ms."""
BUDGET = 0.02
"""Seconds after which the window has its turn. The piece under way is still finished."""
_BUTTON_WAIT = 30  # milliseconds

_PRESSED = {
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseButtonDblClick,
    QEvent.Type.KeyPress,
    QEvent.Type.ShortcutOverride,
    QEvent.Type.Shortcut,
    QEvent.Type.TouchBegin,
    QEvent.Type.TabletPress,
    QEvent.Type.Drop,
    QEvent.Type.Close,
    QEvent.Type.Quit,
}


class Watch(QObject):
    """Calls back before anything that a person presses takes effect.

    Parameters
    ----------
    pressed : callable
    """

    def __init__(self, pressed: Callable[[], object]) -> None:
        super().__init__()
        self._pressed = pressed

    def start(self) -> None:
        """Look at what is pressed in any window of the program."""
        application = QApplication.instance()
        if application is not None:
            application.installEventFilter(self)

    def stop(self) -> None:
        """Look no more."""
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Hold nothing up, but call back first."""
        if event.type() in _PRESSED:
            self._pressed()
        return False


class Writing:
    """One change on its way into a mask.

    Parameters
    ----------
    mask : napari Labels layer
    change : Change
    box : tuple of int or slice
        The part of the mask that the change is for.
    around : callable
        Returns what is to be entered around every piece.
    done : callable
        Gets whether it was written: it is not where the mask was edited since.
    """

    def __init__(self, mask: Labels, change: Change, box: Box, around: Around, done: Done) -> None:
        self.mask, self.change, self.box, self.around, self.done = mask, change, box, around, done
        self.checked = self.written = 0
        self.step: ExitStack | None = None

    @property
    def begun(self) -> bool:
        """Return whether the mask was changed already."""
        return self.step is not None

    def go_on(self) -> bool | None:
        """Check or write the next piece; return whether it was written, or None before the end."""
        voxels = self.change.voxels
        if self.checked < voxels:
            piece = self._piece(self.checked)
            self.checked += AT_ONCE
            return None if piece.fits(self.mask.data) else False
        if self.step is None:
            self.step = ExitStack()
            self.step.enter_context(self.mask.block_history())
        piece = self._piece(self.written)
        self.written += AT_ONCE
        last = self.written >= voxels
        if not piece.empty:
            with self.around():
                self.mask.data_setitem(piece.indices, piece.new, refresh=last)
        return True if last else None

    def _piece(self, start: int) -> Change:
        """Return a part of the change, in the mask's own indices."""
        change, part = self.change, slice(start, start + AT_ONCE)
        indices = tuple(index[part] for index in change.indices)
        return replace(change, indices=indices, old=change.old[part], new=change.new[part]).placed(
            self.box
        )

    def close(self) -> None:
        """Make one undo step of what was written."""
        if self.step is not None:
            with self.around():
                self.step.close()
            self.step = None


class Writer:
    """Writes changes into the masks of a viewer, one change at a time.

    Parameters
    ----------
    layers : napari LayerList
        The viewer's. A mask that is removed from it gets the rest first.
    """

    def __init__(self, layers: LayerList) -> None:
        self._layers = layers
        self._writing: Writing | None = None
        self._at_work = False
        self._watch = Watch(self.finish)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_turn)

    @property
    def busy(self) -> bool:
        """Return whether a change is on its way."""
        return self._writing is not None

    def write(self, mask: Labels, change: Change, box: Box, around: Around, done: Done) -> None:
        """Write a change: at once if it is small, otherwise from now on.

        Parameters
        ----------
        mask, change, box, around, done
            As for :class:`Writing`.
        """
        self.finish()
        self._writing = Writing(mask, change, box, around, done)
        if change.voxels <= AT_ONCE:
            self.finish()
            return
        self._layers.events.removing.connect(self._on_removing)
        mask.events.paint.connect(self._on_paint)
        self._watch.start()
        self._timer.start(0)

    def finish(self) -> None:
        """Write the rest now. Whatever reads or changes a mask otherwise calls this first."""
        if self._at_work:
            return  # somebody who is told of a piece asks
        while self._writing is not None:
            self._go_on()

    def _on_turn(self) -> None:
        writing = self._writing
        if writing is None:
            return
        # The viewer keeps one stroke at a time: it must not become a part of this step.
        if not writing.begun and QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            writing.checked = 0
            self._timer.start(_BUTTON_WAIT)
            return
        end = time.monotonic() + BUDGET
        self._go_on()
        while self._writing is not None and time.monotonic() < end:
            self._go_on()
        if self._writing is not None:
            self._timer.start(0)

    def _go_on(self) -> None:
        writing = self._writing
        assert writing is not None
        outcome: bool | None = False
        self._at_work = True
        try:
            outcome = writing.go_on()
        finally:
            if outcome is not None:
                self._end(writing)
            self._at_work = False
        if outcome is not None:
            writing.done(outcome)

    def _end(self, writing: Writing) -> None:
        self._writing = None
        self._timer.stop()
        self._watch.stop()
        if writing.change.voxels > AT_ONCE:
            self._layers.events.removing.disconnect(self._on_removing)
            writing.mask.events.paint.disconnect(self._on_paint)
        writing.close()

    def _on_paint(self, _event: Any = None) -> None:
        """Look again whether the change still fits: a program has painted."""
        if self._writing is not None and not self._writing.begun:
            self._writing.checked = 0

    def _on_removing(self, _event: Any = None) -> None:
        self.finish()
