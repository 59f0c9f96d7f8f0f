"""Large changes of a mask, written piece by piece, so that the window stays alive meanwhile.

Until the last piece is in, the mask is neither as it was nor as it shall be. Nobody gets hold of
it in this state: whatever a person presses, the rest is written first, and what was pressed takes
effect afterwards. It is one undo step, whether written in pieces or at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from app_model.types import KeyCode, KeyMod
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication

from napari_lgmsnet.adapters.gradual_work import Around, Done, Undoing, Work, Writing
from napari_lgmsnet.adapters.history import next_step, stroke_under_way, voxels_of

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Labels

    from napari_lgmsnet.core.edit import Change
    from napari_lgmsnet.core.geometry import Box

AT_ONCE = 2**16
"""Voxels that are written in one piece: about 10 ms."""
UNDO_AT_ONCE = 2**20
"""Voxels that are undone in one piece: as long, since they are looked up already."""
BUDGET = 0.02
"""Seconds after which the window has its turn. The piece under way is still finished."""
_STROKE_WAIT = 30  # milliseconds
_UNDO = KeyMod.CtrlCmd | KeyCode.KeyZ
_REDO = KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ

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


class Writer:
    """Changes the masks of a viewer, one after the other; a large change piece by piece.

    Parameters
    ----------
    layers : napari LayerList
        The viewer's. A mask that is removed from it gets the rest first.
    """

    def __init__(self, layers: LayerList) -> None:
        self._layers = layers
        self._work: Work | None = None
        self._gradual = False
        self._at_work = False
        self._watch = Watch(self.finish)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_turn)

    @property
    def busy(self) -> bool:
        """Return whether a change is on its way."""
        return self._work is not None

    def write(self, mask: Labels, change: Change, box: Box, around: Around, done: Done) -> None:
        """Write a change: at once if it is small, otherwise from now on.

        Parameters
        ----------
        mask, change, box, around, done
            As for :class:`~napari_lgmsnet.adapters.gradual_work.Writing`.
        """
        work = Writing(mask, change, box, AT_ONCE, around, done)
        self.start(work, gradual=change.voxels > AT_ONCE)

    def undo(self, mask: Labels) -> None:
        """Take the last step in a mask back: at once if it is small, otherwise from now on."""
        self._step(mask, undoing=True)

    def redo(self, mask: Labels) -> None:
        """Carry the step that was undone last out again, in the same way."""
        self._step(mask, undoing=False)

    def start(self, work: Work, *, gradual: bool) -> None:
        """Do some work after what is on its way: piece by piece from now on, or at once.

        Parameters
        ----------
        work : Work
        gradual : bool
        """
        self.finish()
        self._work = work
        if not gradual:
            self.finish()
            return
        self._gradual = True
        self.take_keys(work.mask)
        self._layers.events.removing.connect(self._on_removing)
        work.mask.events.paint.connect(self._on_paint)
        self._watch.start()
        self._timer.start(0)

    def take_keys(self, mask: Labels) -> None:
        """Let the keys for undo and redo of a mask take large steps piece by piece."""
        mask.bind_key(_UNDO, self.undo, overwrite=True)
        mask.bind_key(_REDO, self.redo, overwrite=True)

    def finish(self) -> None:
        """Do the rest now. Whatever reads or changes a mask otherwise calls this first."""
        if self._at_work:
            return  # somebody who is told of a piece asks
        while self._work is not None:
            self._go_on()

    def _step(self, mask: Labels, *, undoing: bool) -> None:
        self.finish()
        step = next_step(mask, undoing=undoing)
        large = step is not None and sum(map(voxels_of, step)) > UNDO_AT_ONCE
        # In the middle of a stroke the viewer alone knows what an undo means.
        in_pieces = large and mask in self._layers and not stroke_under_way(mask)
        if in_pieces and isinstance(mask.data, np.ndarray):
            self.start(Undoing(mask, undoing=undoing, at_once=AT_ONCE), gradual=True)
        elif undoing:
            mask.undo()
        else:
            mask.redo()

    def _on_turn(self) -> None:
        work = self._work
        if work is None:
            return
        # The viewer keeps one stroke at a time: it must not become a part of this step.
        if not work.begun and stroke_under_way(work.mask):
            work.look_again()
            self._timer.start(_STROKE_WAIT)
            return
        end = time.monotonic() + BUDGET
        self._go_on()
        while self._work is not None and time.monotonic() < end:
            self._go_on()
        if self._work is not None:
            self._timer.start(0)

    def _go_on(self) -> None:
        work = self._work
        assert work is not None
        outcome: bool | None = False
        self._at_work = True
        try:
            outcome = work.go_on()
        finally:
            if outcome is not None:
                self._end(work)
            self._at_work = False
        if outcome is not None:
            work.done(outcome)

    def _end(self, work: Work) -> None:
        self._work = None
        self._timer.stop()
        self._watch.stop()
        if self._gradual:
            self._gradual = False
            self._layers.events.removing.disconnect(self._on_removing)
            work.mask.events.paint.disconnect(self._on_paint)
        work.close()

    def _on_paint(self, _event: Any = None) -> None:
        """Look again whether the change still fits: a program has painted."""
        if self._work is not None and not self._work.begun:
            self._work.look_again()

    def _on_removing(self, _event: Any = None) -> None:
        self.finish()
