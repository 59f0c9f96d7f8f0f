"""What is done to a mask piece by piece: a change, a step back or forth, other labels for a part.

Each goes on by one piece when it is told to, until it says that it was the last one; who tells it
so, and when, is decided elsewhere (:mod:`~napari_lgmsnet.adapters.gradual`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from napari_lgmsnet.adapters.history import pass_on, replay

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_lgmsnet.core.edit import Change
    from napari_lgmsnet.core.geometry import Box

Around = Callable[[], AbstractContextManager[object]]
Done = Callable[[bool], object]


class Work(Protocol):
    """Something that is done to a mask piece by piece.

    Attributes
    ----------
    mask : napari Labels layer
    done : callable
        Gets whether it was done.
    """

    mask: Labels
    done: Done

    @property
    def begun(self) -> bool:
        """Return whether the mask was changed already."""

    def go_on(self) -> bool | None:
        """Do the next piece; return whether all was done, or None before the end."""

    def look_again(self) -> None:
        """Start anew: the mask was painted before anything was written."""

    def close(self) -> None:
        """Leave the mask in order, also after an error."""


class Writing:
    """A change, as one undo step. It is not written where the mask was edited since.

    Parameters
    ----------
    mask : napari Labels layer
    change : Change
    box : tuple of int or slice
        The part of the mask that the change is for.
    at_once : int
        Voxels of a piece.
    around : callable
        Returns what is to be entered around every piece.
    done : callable
        Gets whether it was written.
    """

    def __init__(
        self, mask: Labels, change: Change, box: Box, at_once: int, around: Around, done: Done
    ) -> None:
        self.mask, self.change, self.box, self.around, self.done = mask, change, box, around, done
        self._at_once = at_once
        self._checked = self._written = 0
        self._step: ExitStack | None = None

    @property
    def begun(self) -> bool:
        """Return whether the mask was changed already."""
        return self._step is not None

    def look_again(self) -> None:
        """Check anew whether the change fits."""
        self._checked = 0

    def go_on(self) -> bool | None:
        """Check or write the next piece; return whether it was written, or None before the end."""
        voxels = self.change.voxels
        if self._checked < voxels:
            piece = self._piece(self._checked)
            self._checked += self._at_once
            return None if piece.fits(self.mask.data) else False
        if self._step is None:
            self._step = one_step(self.mask)
        piece = self._piece(self._written)
        self._written += self._at_once
        last = self._written >= voxels
        if not piece.empty:
            with self.around():
                self.mask.data_setitem(piece.indices, piece.new, refresh=last)
        return True if last else None

    def _piece(self, start: int) -> Change:
        """Return a part of the change, in the mask's own indices."""
        change, part = self.change, slice(start, start + self._at_once)
        indices = tuple(index[part] for index in change.indices)
        return replace(change, indices=indices, old=change.old[part], new=change.new[part]).placed(
            self.box
        )

    def close(self) -> None:
        """Make one undo step of what was written."""
        if self._step is not None:
            with self.around():
                self._step.close()
            self._step = None


class Undoing:
    """The next step back or forth in a mask's history, which there has to be.

    Parameters
    ----------
    mask : napari Labels layer
    undoing : bool
        Back, otherwise forth.
    at_once : int
        Voxels of a piece.
    """

    begun = True

    def __init__(self, mask: Labels, *, undoing: bool, at_once: int) -> None:
        self.mask = mask
        self.done: Done = lambda _done: None
        # For napari the step is over from here on, so that what follows comes after it.
        atoms = pass_on(mask, undoing=undoing)
        self._pieces = replay(mask, atoms, undoing=undoing, at_once=at_once)

    def look_again(self) -> None:
        """Do nothing: it has begun."""

    def go_on(self) -> bool | None:
        """Carry out the next piece; return True at the end."""
        for _piece in self._pieces:
            return None
        return True

    def close(self) -> None:
        """Draw the mask anew, by which napari says that there was an undo."""
        self.mask.refresh()


class Laying:
    """Other labels for a part of a mask, whatever is there.

    Parameters
    ----------
    mask : napari Labels layer
    boxes : sequence
        The part, cut into pieces.
    prepare : callable
        Called once, right before the first piece; returns whether undo shall bring back what was
        there.
    lay : callable
        Gets a piece and whether this is so; changes the mask there, without drawing it anew.
    around : callable
        Returns what is to be entered around every piece.
    done : callable
        Gets True at the end.
    """

    def __init__(
        self,
        mask: Labels,
        boxes: Sequence[Box],
        prepare: Callable[[], bool],
        lay: Callable[[Box, bool], object],
        around: Around,
        done: Done,
    ) -> None:
        self.mask, self.around, self.done = mask, around, done
        self._boxes, self._prepare, self._lay = list(boxes), prepare, lay
        self._laid = 0
        self._undoable = False
        self._step: ExitStack | None = None

    @property
    def begun(self) -> bool:
        """Return whether the mask was changed already."""
        return self._step is not None

    def look_again(self) -> None:
        """Do nothing: whether there are edits is looked up when it begins."""

    def go_on(self) -> bool | None:
        """Lay the next piece; return True at the end."""
        with self.around():
            if self._step is None:
                self._undoable = self._prepare()
                self._step = one_step(self.mask) if self._undoable else ExitStack()
                return None
            if self._laid < len(self._boxes):
                self._lay(self._boxes[self._laid], self._undoable)
                self._laid += 1
        return None if self._laid < len(self._boxes) else True

    def close(self) -> None:
        """Make one undo step of it, if it shall be one, and draw the mask anew."""
        if self._step is not None:
            with self.around():
                self._step.close()
                self.mask.refresh()
            self._step = None


def one_step(mask: Labels) -> ExitStack:
    """Begin an undo step, which ends when the result is closed."""
    step = ExitStack()
    step.enter_context(mask.block_history())
    return step
