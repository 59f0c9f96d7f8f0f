"""Noticing that a mask was changed, by whatever means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Labels


class MaskWatch:
    """Follows one Labels layer at a time.

    Parameters
    ----------
    dims : napari Dims
        The viewer's.

    Attributes
    ----------
    edited : psygnal signal
        The mask may hold something else now: painted, undone, or replaced.
    """

    edited = Signal()

    def __init__(self, dims: Dims) -> None:
        self._dims = dims
        self._view: Any = None
        self.mask: Labels | None = None

    def follow(self, mask: Labels | None) -> None:
        """Listen to another mask, or to none."""
        if mask is self.mask:
            return
        self.leave()
        self.mask, self._view = mask, self._shown()
        for event, slot in self._pairs():
            event.connect(slot)

    def leave(self) -> None:
        """Listen no more."""
        for event, slot in self._pairs():
            event.disconnect(slot)
        self.mask = None

    def _pairs(self) -> list[tuple[Any, Any]]:
        if self.mask is None:
            return []
        events = self.mask.events
        return [(events.paint, self._on_paint), (events.set_data, self._on_set_data)]

    def _on_paint(self, _event: Any = None) -> None:
        self.edited.emit()

    def _on_set_data(self, _event: Any = None) -> None:
        # Undo says no more than this. So does another slice on screen, which changes nothing.
        before, self._view = self._view, self._shown()
        if self._view == before:
            self.edited.emit()

    def _shown(self) -> Any:
        dims = self._dims
        return dims.point, dims.order, dims.ndisplay
