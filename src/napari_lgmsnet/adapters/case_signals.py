"""What a desk tells those who show it."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import QObject
from qtpy.QtCore import Signal as QtSignal

from napari_lgmsnet.core.types import Progress


class DeskSignals:
    """Signals of a :class:`~napari_lgmsnet.adapters.case_desk.Desk`, all on the main thread.

    Attributes
    ----------
    project_changed : psygnal signal
        Another project is open, or none.
    case_changed : psygnal signal
        Another case is on screen, or none.
    cases_changed : psygnal signal
        Cases, their states or notes changed, or which one is predicted.
    saved : psygnal signal
        With a SaveState.
    said, failed : psygnal signals
        With words, or an error, for the person.
    done : psygnal signal
        With the result of an action, such as Added or Exported.
    missing : psygnal signal
        With an ImageMissing: a case's image has to be looked for.
    progressed : psygnal signal
        With a Progress of what a person waits for.
    idle : psygnal signal
        Something ended.
    """

    project_changed = Signal()
    case_changed = Signal()
    cases_changed = Signal()
    saved = Signal(object)
    said = Signal(str)
    failed = Signal(Exception)
    done = Signal(object)
    missing = Signal(Exception)
    progressed = Signal(Progress)
    idle = Signal()

    def forget_listeners(self) -> None:
        """Tell nobody anything any more."""
        happened = (self.project_changed, self.case_changed, self.cases_changed, self.saved)
        told = (self.said, self.failed, self.done, self.missing, self.progressed, self.idle)
        for signal in (*happened, *told):
            signal.disconnect()


class Relay(QObject):
    """Brings what other threads say to the main thread.

    Attributes
    ----------
    saved, failed : Qt signals
        With a SaveState, or an error.
    """

    saved = QtSignal(object)
    failed = QtSignal(object)
