"""What is changed in a mask on screen, told as edits: each once, none missed.

napari says what a stroke or a tool changes, but of undo and redo only that the mask is drawn anew.
So a copy of the mask is kept; where they may differ they are compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_lgmsnet.adapters.history import (
    Box,
    Indices,
    box_of,
    chunks,
    indices_of,
    labels_of,
    staged,
    voxels_of,
    whole_box,
)
from napari_lgmsnet.adapters.session import Means
from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_lgmsnet.core.project import Edit
    from napari_lgmsnet.core.project.edits import Author

SMALL = 2**20
"""Voxels that are compared on the main thread: about a millisecond."""
CHUNK = 2**21
"""Voxels that are compared in one step in the background."""
DELAY = 300
"""Milliseconds from a redraw to the comparison of a large mask."""
_SPARSE = 16  # one in so many voxels; a box takes less room where more of them change
_WAIT = 0.02  # seconds


@dataclass(eq=False)
class _Due:
    """What is to be compared, and whose the changes in it are."""

    author: Author
    atoms: Sequence[Any] = ()
    """Of undo steps of napari; without any, everything."""
    strokes: int = 0
    clicks: int = 0

    def covered_by(self, other: _Due) -> bool:
        """Tell whether this need not be compared where the other one is."""
        counts = bool(self.atoms or self.strokes or self.clicks)
        return not counts and not other.atoms and self.author == other.author

    def chunks(self, shape: tuple[int, ...]) -> Iterator[Box]:
        """Return boxes that cover it. Takes a while where steps are large."""
        boxes = [box_of(atom, shape) for atom in self.atoms]
        return chunks(_around(boxes) if boxes else whole_box(shape), CHUNK)


class Recorder:
    """Watches a Labels layer.

    Parameters
    ----------
    layer : napari Labels layer
        Its data are a NumPy array in memory.
    report : callable
        Gets every change as an :class:`~napari_lgmsnet.core.project.Edit`, in the order of the
        changes; **also from another thread**, but never twice at once.
    means : callable, optional
        Says by what the mask is being changed at this moment.
    shape_changed : callable, optional
        Called when the layer was given data of another shape, which cannot be told as edits.
    """

    def __init__(
        self,
        layer: Labels,
        report: Callable[[Edit], object],
        means: Callable[[], Means] = lambda: "stroke",
        shape_changed: Callable[[], object] = lambda: None,
    ) -> None:
        self.layer = layer
        self._report = report
        self._means = means
        self._shape_changed = shape_changed
        # Both threads compare and report, one of them at a time.
        self._lock = threading.RLock()
        self._shadow: NDArray[Any] = np.array(layer.data)
        self._stopped = False
        self._hidden = not layer.visible
        self._due: list[_Due] = []
        self._background = Background()
        for signal in (self._background.returned, self._background.stopped):
            signal.connect(self._on_compared)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY)
        self._timer.timeout.connect(self._start)
        self._connected = [
            (layer.events.paint, self._on_paint),
            (layer.events.set_data, self._on_set_data),
            (layer.events.data, self._on_data),
            (layer.events.visible, self._on_visible),
        ]
        for event, slot in self._connected:
            event.connect(slot)

    @property
    def busy(self) -> bool:
        """Return whether something is still to be compared."""
        return bool(self._due) or self._background.running

    def finish(self) -> None:
        """Report now what is still to be compared."""
        with self._lock:
            due, self._due = self._due, []
            if self._hidden:
                # A mask that is not shown is not drawn anew either: undo in it goes unannounced.
                self._hidden = not self.layer.visible
                due.append(_Due("undo"))
            if self._stopped or not self._comparable():
                return
            for one in due:
                for chunk in one.chunks(self._shadow.shape):
                    self._compare(one, chunk)

    def stop(self) -> None:
        """Report everything, then watch no more. Does nothing the second time."""
        self._hidden = True
        self.finish()
        with self._lock:
            self._stopped = True
        self._background.abandon()
        for event, slot in self._connected:
            event.disconnect(slot)
        self._connected = []

    def adopt(self, box: Box, labels: NDArray[Any], *, undoable: bool) -> None:
        """Show other labels in a box, which are stored already: they are no edit.

        Call :meth:`finish` first, and draw the layer anew at the end.

        Parameters
        ----------
        box : tuple of slice
        labels : array of the box's shape
        undoable : bool
            Whether undo shall give back what was there. It is reported, as every undo.
        """
        with self._lock:
            shadow = self._shadow[box]
            if undoable:
                places = np.nonzero(shadow != labels)
                values = labels[places].astype(shadow.dtype)
                shadow[places] = values
                where = tuple(one + part.start for one, part in zip(places, box, strict=True))
                self.layer.data_setitem(where, values, refresh=False)
            else:
                np.copyto(shadow, labels, casting="same_kind")
                np.copyto(self.layer.data[box], labels, casting="same_kind")

    # --- what napari says ------------------------------------------------------------------------

    def _on_paint(self, event: Any) -> None:
        """Take over one undo step; its data may be changed only after this."""
        atoms: Sequence[Any] = event.value
        author, strokes, clicks = self._doer()
        if sum(map(voxels_of, atoms)) > SMALL:
            self._demand(_Due(author, list(atoms), strokes, clicks))
            return
        parts = []
        with self._lock:
            for atom in atoms:
                where, (_, new) = indices_of(atom), labels_of(atom)
                old = self._shadow[where]
                changed = old != new
                if changed.any():
                    new = np.broadcast_to(np.asarray(new, old.dtype), old.shape)[changed]
                    where = tuple(index[changed] for index in where)
                    self._shadow[where] = new
                    parts.append((where, new, old[changed]))
            if parts:
                places, values, before = zip(*parts, strict=True)
                where = tuple(np.concatenate(index) for index in zip(*places, strict=True))
                self._tell(
                    where,
                    np.concatenate(values),
                    np.concatenate(before),
                    (author, strokes, clicks),
                )

    def _on_set_data(self, _event: Any = None) -> None:
        """Compare everything: undo and redo, a new slice, and much else look alike."""
        author: Author = "network" if self._means() == "network" else "undo"
        if not self._comparable():
            return
        with self._lock:
            self._shadow = self._shadow.astype(self.layer.data.dtype, copy=False)
        due = _Due(author)
        if self._shadow.size > SMALL or self._unfinished():
            self._demand(due)
            return
        with self._lock:
            self._due.append(due)  # after what the person did before
        self.finish()

    def _on_data(self, _event: Any = None) -> None:
        if self._comparable():
            self._on_set_data()
        else:
            self._shape_changed()

    def _on_visible(self, _event: Any = None) -> None:
        self._hidden = self._hidden or not self.layer.visible

    def _doer(self) -> tuple[Author, int, int]:
        """Return who is changing the mask, and the strokes and clicks that this counts as."""
        means = self._means()
        if means == "network":
            return "network", 0, 0
        return "person", int(means == "stroke"), int(means == "click")

    def _comparable(self) -> bool:
        return bool(np.shape(self.layer.data) == self._shadow.shape)

    def _unfinished(self) -> bool:
        """Tell whether a stroke is on its way: it is reported as one when it ends."""
        return staged(self.layer)

    # --- comparing -------------------------------------------------------------------------------

    def _demand(self, due: _Due) -> None:
        """Have a part compared a moment later."""
        with self._lock:
            # One that has begun may have passed already what changed now.
            if not any(map(due.covered_by, self._due[1:])):
                self._due.append(due)
        # Not started anew each time: a person who goes on for long must not put it off for ever.
        if not self._timer.isActive():
            self._timer.start()

    def _start(self) -> None:
        if self._stopped or self._background.running:
            return  # in the latter case it goes on when that has ended
        if self._shadow.size > SMALL:
            self._background.start(self._compare_due())
        elif self._unfinished():
            self._timer.start()
        else:
            self.finish()

    def _on_compared(self, _answer: Any = None) -> None:
        if self._due:
            self._timer.start()

    def _compare_due(self) -> Generator[Progress, None, None]:
        """Compare what is due, chunk by chunk, beside the main thread."""
        while True:
            with self._lock:
                if not self._due:
                    return
                due = self._due[0]
            for chunk in due.chunks(self._shadow.shape):
                while self._unfinished():
                    time.sleep(_WAIT)
                    yield Progress(0, 0)
                with self._lock:
                    if self._stopped or due not in self._due or not self._comparable():
                        return
                    self._compare(due, chunk)
                yield Progress(0, 0)
            with self._lock:
                if due in self._due:
                    self._due.remove(due)

    def _compare(self, due: _Due, box: Box) -> None:
        """Report where layer and copy differ in a box."""
        shadow = self._shadow[box]
        if np.array_equal(self.layer.data[box], shadow):
            return
        # Of a copy, since the person may be painting on.
        new = np.array(self.layer.data[box])
        changed = new != shadow
        count = np.count_nonzero(changed)
        if count == 0:
            return
        about = (due.author, due.strokes, due.clicks)
        due.strokes = due.clicks = 0
        if count * _SPARSE > changed.size > 256:
            old = shadow.copy()
            shadow[...] = new
            self._tell(box, new, old, about)
            return
        inside = np.nonzero(changed)
        values, old = new[inside], shadow[inside]
        shadow[inside] = values
        where = tuple(index + part.start for index, part in zip(inside, box, strict=True))
        self._tell(where, values, old, about)

    def _tell(
        self,
        where: Indices | Box,
        new: NDArray[Any],
        old: NDArray[Any],
        about: tuple[Author, int, int],
    ) -> None:
        # It loads what reads and writes files, which a window need not wait for.
        from napari_lgmsnet.core.project import Edit

        author, strokes, clicks = about
        self._report(Edit(where, new, old, author=author, strokes=strokes, clicks=clicks))


def _around(boxes: list[Box]) -> Box:
    """Return the smallest box around some boxes."""
    return tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*boxes, strict=True)
    )
