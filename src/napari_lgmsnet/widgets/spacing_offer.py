"""A button that opens an image again with the voxel size that its file gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_lgmsnet.adapters.pixel_layers import Known, ask_file, open_again, opened_in_pixels
from napari_lgmsnet.adapters.queue import Queue

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.adapters.layers import LayerData

ASK, OPEN = "ask", "open"


class SpacingOffer(QPushButton):
    """Shown for an image that counts in pixels although its file knows millimetres.

    napari opens TIFF files itself, without their voxel size. The person's layer stays as it is.

    Parameters
    ----------
    viewer : napari Viewer
    parent : QWidget, optional

    Attributes
    ----------
    failed : Qt signal
        With an error.
    """

    failed = Signal(Exception)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._path: Path | None = None
        self._known: dict[Path, Known] = {}
        self._queue = Queue()
        self._queue.failed.connect(lambda _kind, error: self.failed.emit(error))
        self.setToolTip(
            "napari opened this file in pixels. It is opened once more as a layer of its own, "
            "with its voxel size; the one that is open is not changed"
        )
        self.clicked.connect(self._on_clicked)
        self.leave = self._queue.abandon
        self.hide()

    @property
    def busy(self) -> bool:
        """Return whether a file is being asked or opened."""
        return self._queue.busy

    def suit(self, layer: Any) -> None:
        """Offer what suits a layer, as soon as its file has been asked."""
        self._path = None if layer is None else opened_in_pixels(layer)
        if self._path is not None and self._path not in self._known:
            self._queue.ask(ASK, ask_file(self._path), self._on_known)
        self._show()

    def _on_known(self, known: Known) -> None:
        self._known[known.path] = known
        self._show()

    def _show(self) -> None:
        known = None if self._path is None else self._known.get(self._path)
        offered = known is not None and bool(known.spacing)
        if known is not None and offered:
            self.setText(f"Open with its voxel size, {known.words}")
        self.setVisible(offered)

    def _on_clicked(self) -> None:
        if self._path is not None:
            self._queue.ask(OPEN, open_again(self._path), self._on_opened)

    def _on_opened(self, layers: list[LayerData]) -> None:
        for layer in layers:
            self._viewer.add_layer(Layer.create(*layer))
