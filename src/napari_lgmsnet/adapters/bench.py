"""What the sections of the Correct widget work on together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from psygnal import Signal

from napari_lgmsnet.adapters.edit_target import Target, class_names, target_of
from napari_lgmsnet.adapters.locks import Lock
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.adapters.session import Means, session_of
from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.edit import Change

CHANGED = (
    "the mask was changed while this was worked out, and stays as it is now: do it again if you "
    "still want it"
)


class Bench:
    """The mask that is corrected, its image, and one queue for what is worked out.

    Parameters
    ----------
    viewer : napari Viewer

    Attributes
    ----------
    session : Session
    queue : Queue
    mask : napari Labels layer or None
    image : napari Image layer or None
    chosen : psygnal signal
        Another mask, image or class is worked on.
    edited : psygnal signal
        Voxels of the mask changed, or may have changed.
    said : psygnal signal
        A message for the person.
    failed : psygnal signal
        An error for the person.
    """

    chosen = Signal()
    edited = Signal()
    said = Signal(str)
    failed = Signal(Exception)

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.session = session_of(viewer)
        self.queue = Queue()
        self.mask: Labels | None = None
        self.image: Image | None = None
        self._locks: dict[Any, Lock] = {}
        viewer.layers.events.removed.connect(self._on_removed)
        self.queue.failed.connect(self._on_failed)

    @property
    def label(self) -> int:
        """Return the label that is corrected: the one the mask paints with, 0 without a mask."""
        return 0 if self.mask is None else int(self.mask.selected_label)

    @property
    def names(self) -> dict[int, str]:
        """Return the names of the mask's classes by label."""
        return {} if self.mask is None else class_names(self.mask)

    def name_of(self, label: int) -> str:
        """Return what a label is called."""
        return self.names.get(label, f"label {label}")

    @property
    def lock(self) -> Lock | None:
        """Return what is locked in the mask; None without a mask."""
        if self.mask is None:
            return None
        known = self._locks.get(self.mask.unique_id)
        if known is None:
            known = Lock(self.mask, self.viewer.layers, self.session, self._on_refused)
            self._locks[self.mask.unique_id] = known
        return known

    @property
    def locked(self) -> frozenset[int]:
        """Return the labels of the mask that must not change."""
        return frozenset() if self.lock is None else frozenset(self.lock.labels)

    def work_on(self, mask: Labels | None, image: Image | None) -> None:
        """Choose another mask, and the image that it lies on."""
        if mask == self.mask and image == self.image:
            return
        self._listen(on=False)
        self.mask, self.image = mask, image
        self._listen(on=True)
        self.chosen.emit()

    def target(self) -> Target:
        """Return the frame on screen.

        Raises
        ------
        InputError
            If there is no mask, or it cannot be edited.
        """
        if self.mask is None:
            raise InputError("choose a mask first: run Segment, or add a Labels layer")
        self.session.writer.finish()
        return target_of(self.mask, self.image, self.viewer.dims, self._part())

    def target_of(self, mask: Labels) -> Target:
        """Return the frame on screen of another mask on the same image.

        Raises
        ------
        InputError
            If it does not lie there.
        """
        return target_of(mask, self.image, self.viewer.dims, self._part())

    def write(
        self,
        target: Target,
        change: Change,
        means: Means,
        done: Callable[[bool], object] = lambda _written: None,
    ) -> None:
        """Change the mask, as one step that can be undone; a large change piece by piece.

        Parameters
        ----------
        target : Target
        change : Change
        means : "stroke", "click", "tool" or "network"
        done : callable
            Gets whether it was possible, at the end.
        """
        if target.mask not in self.viewer.layers:
            self.said.emit("The mask was closed in the meantime: nothing was changed.")
            done(False)
            return

        def end(written: bool) -> None:
            if not written:
                self.failed.emit(InputError(CHANGED))
            done(written)

        around = partial(self.session.changing_by, means)
        self.session.writer.write(target.mask, change, target.box, around, end)

    def leave(self) -> None:
        """Stop everything and listen to nothing any more."""
        self.session.writer.finish()
        self.queue.abandon()
        self._listen(on=False)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        for lock in self._locks.values():
            lock.leave()
        self._locks.clear()
        self.mask = self.image = None

    def _part(self) -> Any:
        """Return what is known of how the mask was made, where the image is that of the result."""
        if self.mask is None:
            return None
        result = self.session.results.behind(self.mask)
        return result.part if result is not None and result.image == self.image else None

    def _listen(self, *, on: bool) -> None:
        if self.mask is None:
            return
        events = self.mask.events
        pairs = (
            (events.paint, self._on_edited),
            (events.set_data, self._on_edited),
            (events.selected_label, self._on_label),
        )
        for event, slot in pairs:
            (event.connect if on else event.disconnect)(slot)

    def _on_edited(self, _event: Any = None) -> None:
        self.edited.emit()

    def _on_removed(self, event: Any) -> None:
        lock = self._locks.pop(getattr(event.value, "unique_id", None), None)
        if lock is not None:
            lock.leave()

    def _on_refused(self, voxels: int) -> None:
        count = f"{voxels:,}".replace(",", " ")
        self.said.emit(f"Locked: {count} voxels of your stroke were left as they were.")

    def _on_label(self, _event: Any = None) -> None:
        self.chosen.emit()

    def _on_failed(self, _kind: str, error: Exception) -> None:
        self.failed.emit(error)
