"""Saving a mask beside its image: the question, the work in the background, and what is said."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.layers import Labels
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.questions import Existing, ask_about_file
from napari_lgmsnet.widgets.windows import main_window

if TYPE_CHECKING:
    from napari.layers import Layer


class SaveBeside(QObject):
    """Saves one mask at a time.

    Parameters
    ----------
    window : QWidget or None
        Where questions are asked.
    parent : QObject, optional

    Attributes
    ----------
    said : Qt signal
        With words for a person.
    failed : Qt signal
        With an error.
    changed : Qt signal
        It began, or ended in whatever way.
    """

    said = Signal(str)
    failed = Signal(object)
    changed = Signal()

    def __init__(self, window: QWidget | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self._job = Background()
        self._job.returned.connect(self._on_saved)
        self._job.failed.connect(self._on_failed)
        # The job is not stopped: what a person asked to be saved is saved, though nobody listens.
        forget = self._job.forget_listeners
        self.destroyed.connect(lambda: forget())

    @property
    def busy(self) -> bool:
        """Return whether a mask is being saved."""
        return self._job.running

    def start(self, mask: Labels, others: Iterable[Layer], *, edited: bool = True) -> None:
        """Save a mask as it is now; ask first if the file exists.

        Parameters
        ----------
        mask : napari Labels layer
        others : iterable of napari layers
            Among which its image may be found, if the mask does not know it.
        edited : bool
            Whether it may have been edited since a network made it.
        """
        if self.busy:
            return
        # What reads and writes files takes a moment to load: not when the widget opens.
        from napari_lgmsnet.adapters import saving
        from napari_lgmsnet.core.io.atomic import check_folder
        from napari_lgmsnet.core.io.beside import free_name

        try:
            content = saving.snapshot(mask, others, edited=edited)
            target = saving.target_of(mask, content)
            check_folder(target)
        except InputError as error:
            self._on_failed(error)
            return
        replace = False
        if target.exists():
            other = free_name(target)
            answer = ask_about_file(self._window, target, other)
            if answer is Existing.CANCEL:
                self.said.emit("Not saved.")
                self.changed.emit()
                return
            replace = answer is Existing.REPLACE
            target = target if replace else other
        self.said.emit(f'Saving "{target.name}" …')
        self._job.start(saving.save(content, target, overwrite=replace))
        self.changed.emit()

    def _on_saved(self, path: Path) -> None:
        self.said.emit(f'Saved and checked: "{path.name}" in the folder "{path.parent}".')
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(error)
        self.changed.emit()


def save_selected_mask() -> None:
    """Save the selected mask beside its image; the command in napari's menu of layers."""
    viewer = napari.current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if viewer is None or not isinstance(layer, Labels):
        show_info("Select a mask in the list of layers first.")
        return
    window = main_window()
    job = SaveBeside(window, window)
    job.said.connect(show_info)
    job.failed.connect(lambda error: show_error(str(error)))
    job.changed.connect(lambda: None if job.busy else job.deleteLater())
    job.start(layer, list(viewer.layers))
