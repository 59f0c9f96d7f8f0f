"""What of a mask must not change: classes, and regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMenu, QPushButton, QToolButton

from napari_lgmsnet.adapters import correct_jobs
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.correct_jobs import Where
from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.core.errors import InputError

LOCK = "lock"


class LockSection(QObject):
    """A menu of classes, and buttons that lock and unlock a region.

    Parameters
    ----------
    bench : Bench
    where : callable
        Returns for a target which region is chosen.
    parent : QObject

    Attributes
    ----------
    classes : QToolButton
    lock, unlock : QPushButton
    """

    def __init__(self, bench: Bench, where: Callable[[Target], Where], parent: QObject) -> None:
        super().__init__(parent)
        self._bench = bench
        self._where = where
        self.classes = QToolButton()
        self.classes.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.classes.setToolTip("Classes that neither brush, clicks nor tools may change")
        self.lock = QPushButton("Lock region")
        self.lock.setToolTip(
            "What Where says (an object, a rectangle, this slice) is not changed any more by "
            "brush, clicks or tools"
        )
        self.unlock = QPushButton("Unlock region")
        self.unlock.setToolTip("What Where says may be changed again")
        self.lock.clicked.connect(lambda: self.change(on=True))
        self.unlock.clicked.connect(lambda: self.change(on=False))

    def change(self, *, on: bool) -> None:
        """Lock or unlock the region that is chosen."""
        try:
            target = self._bench.target()
            where = self._where(target)
        except InputError as error:
            self._bench.failed.emit(error)
            return
        job = correct_jobs.find_region(target, where)
        self._bench.queue.ask(LOCK, job, lambda found: self._on_found(target, *found, on=on))

    def suit(self) -> None:
        """Bring what can be chosen in line with the mask."""
        there = self._bench.mask is not None
        for button in (self.classes, self.lock, self.unlock):
            button.setEnabled(there)
        menu = QMenu(self.classes)
        for label, name in {0: "background", **self._bench.names}.items():
            action = QAction(name, menu)
            action.setCheckable(True)
            action.setChecked(label in self._bench.locked)
            action.toggled.connect(lambda on, label=label: self._on_class(label, on))
            menu.addAction(action)
        before = self.classes.menu()
        self.classes.setMenu(menu)
        if before is not None:
            before.deleteLater()
        self._count()

    def _on_found(self, target: Target, window: Any, inside: Any, *, on: bool) -> None:
        lock = self._bench.lock
        if lock is None or target.mask != self._bench.mask:
            return  # another mask was chosen meanwhile
        axes = iter(window)
        box = tuple(
            _within(part, next(axes)) if isinstance(part, slice) else part for part in target.box
        )
        count = f"{lock.lock_region(box, inside, on=on):,}".replace(",", " ")
        if on:
            self._bench.said.emit(
                f"{count} voxels locked (outlined): neither brush, clicks nor tools change them. "
                "Unlock region lets them change again."
            )
        else:
            self._bench.said.emit(f"{count} voxels unlocked.")

    def _on_class(self, label: int, on: bool) -> None:
        if self._bench.lock is not None:
            self._bench.lock.lock_label(label, on=on)
        self._count()

    def _count(self) -> None:
        count = len(self._bench.locked)
        self.classes.setText(f"{count} locked  " if count else "Lock classes  ")


def _within(whole: slice, part: slice) -> slice:
    """Return a part of a span as counted where the span is."""
    start = whole.start or 0
    return slice(start + part.start, start + part.stop)
