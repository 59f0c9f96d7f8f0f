"""A list of a viewer's layers to choose from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QWidget

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer


class LayerCombo(QComboBox):
    """Lists the layers that pass a test, and follows the viewer.

    A layer that passes and is selected in the viewer's own list gets chosen here as well.

    Parameters
    ----------
    viewer : napari Viewer
    accept : callable
        Says of a layer whether it belongs here.
    none : str
        What the choice of no layer is called; empty where a layer has to be chosen.
    parent : QWidget, optional

    Attributes
    ----------
    changed : Qt signal
        Another layer, or none, is chosen, or the chosen one was renamed.
    listed : Qt signal
        The viewer's layers changed, and the choice is what it was.
    """

    changed = Signal()
    listed = Signal()

    def __init__(
        self,
        viewer: Viewer,
        accept: Callable[[Layer], bool],
        none: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._accept = accept
        self._none = none
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())
        events = viewer.layers.events
        self._connected = [
            (events.inserted, self._refill),
            (events.removed, self._refill),
            (events.renamed, self._refill),
            (viewer.layers.selection.events.active, self._follow),
        ]
        for event, slot in self._connected:
            event.connect(slot)
        self.setPlaceholderText("no image open")
        self._refill()
        self._follow()

    def layer(self) -> Any:
        """Return the chosen layer, or None."""
        wanted = self.currentData(Qt.ItemDataRole.UserRole)
        return next((layer for layer in self._viewer.layers if layer.unique_id == wanted), None)

    def choose(self, layer: Layer) -> None:
        """Choose a layer, if it is in the list."""
        index = self._index_of(layer.unique_id)
        if index >= 0:
            self.setCurrentIndex(index)

    def leave(self) -> None:
        """Stop following the viewer. May be called when Qt has deleted this already."""
        for event, slot in self._connected:
            event.disconnect(slot)

    def _index_of(self, wanted: Any) -> int:
        return next((i for i in range(self.count()) if self.itemData(i) == wanted), -1)

    def _refill(self, _event: Any = None) -> None:
        before, name = self.currentData(Qt.ItemDataRole.UserRole), self.currentText()
        with QSignalBlocker(self):
            self.clear()
            if self._none:
                self.addItem(self._none, None)
            # The newest first, as in the viewer's own list.
            for layer in reversed(self._viewer.layers):
                if self._accept(layer):
                    self.addItem(str(layer.name), layer.unique_id)
            if self.count():
                self.setCurrentIndex(max(0, self._index_of(before)))
        self.setEnabled(self.count() > 0)
        same = (self.currentData(Qt.ItemDataRole.UserRole), self.currentText()) == (before, name)
        (self.listed if same else self.changed).emit()

    def _follow(self, _event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and self._accept(active):
            self.choose(active)
