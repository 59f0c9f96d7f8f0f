"""A button that saves the mask beside its image, and a line that says where it went."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.widgets.save_beside import SaveBeside

if TYPE_CHECKING:
    from napari import Viewer

TOOLTIP = (
    "Save the mask in the folder of its image, in the same format: image.nii.gz gets "
    "image_mask.nii.gz. A file that exists is never replaced without asking"
)
NOTHING = "Run, or select a mask in the list of layers first"


class SaveBar(QWidget):
    """Saves one mask.

    Parameters
    ----------
    viewer : napari Viewer
    mask : callable, optional
        Returns the mask to save, or None; without it the one that is selected in the viewer.
    edited : callable, optional
        Says of a mask whether it was edited since a network made it; without it, it may.
    parent : QWidget, optional

    Attributes
    ----------
    button : QPushButton
    line : QLabel
    saver : SaveBeside
    """

    def __init__(
        self,
        viewer: Viewer,
        mask: Callable[[], Labels | None] | None = None,
        edited: Callable[[Labels], bool] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._mask = mask or self._selected
        self._edited = edited
        self.button = QPushButton("&Save mask")
        self.button.clicked.connect(lambda: self.save())
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.line)
        layout.addStretch(1)
        self.setFocusProxy(self.button)
        self.saver = SaveBeside(self, self)
        self.saver.said.connect(self._say)
        self.saver.failed.connect(self._complain)
        self.saver.changed.connect(self.refresh)
        self._event = viewer.layers.selection.events.active
        self._event.connect(self._on_selected)
        self.refresh()

    def save(self) -> None:
        """Save the mask as it is now."""
        mask = self._mask()
        if mask is not None:
            edited = self._edited(mask) if self._edited is not None else True
            self.saver.start(mask, list(self._viewer.layers), edited=edited)

    def refresh(self) -> None:
        """Offer the button if there is a mask and nothing is being saved."""
        mask = self._mask()
        self.button.setEnabled(mask is not None and not self.saver.busy)
        self.button.setToolTip(TOOLTIP if mask is not None else NOTHING)

    def leave(self) -> None:
        """Stop following the viewer. May be called when Qt has deleted this already."""
        self._event.disconnect(self._on_selected)

    def _selected(self) -> Labels | None:
        active = self._viewer.layers.selection.active
        return active if isinstance(active, Labels) else None

    def _on_selected(self, _event: object = None) -> None:
        self.refresh()

    def _say(self, text: str) -> None:
        self.line.setStyleSheet("")
        self.line.setText(text)
        self.line.setToolTip(text)

    def _complain(self, error: Exception) -> None:
        text = str(error)
        if not isinstance(error, LGMSNetError):
            logging.getLogger(__name__).error("a mask could not be saved", exc_info=error)
            text = f"Not saved ({type(error).__name__}: {error}). Try another format, or report it."
        self.line.setStyleSheet("color: #ff8a73;")
        self.line.setText(text)
