"""What a tool wants changed in a mask: only the voxels that change, with both their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box

Labels = NDArray[np.integer[Any]]
Indices = tuple[NDArray[np.intp], ...]


@dataclass(frozen=True, eq=False)
class Change:
    """Voxels that get another label.

    ``indices`` and ``new`` are what napari's ``Labels.data_setitem`` takes.

    Parameters
    ----------
    indices : tuple of intp arrays (n,)
        One for each axis of the mask. No voxel is named twice.
    old, new : integer arrays (n,)
        Labels before and after, in the mask's own type; they differ in every voxel.
    """

    indices: Indices
    old: Labels
    new: Labels

    @property
    def empty(self) -> bool:
        """Return whether nothing changes."""
        return self.new.size == 0

    @property
    def voxels(self) -> int:
        """Return how many voxels change."""
        return int(self.new.size)

    def fits(self, labels: Labels) -> bool:
        """Return whether a mask still is as it was when the change was computed."""
        return bool(np.array_equal(labels[self.indices], self.old))

    def apply(self, labels: Labels) -> None:
        """Write the new labels into a mask.

        Parameters
        ----------
        labels : integer array
            The mask that the change was computed for; changed in place.

        Raises
        ------
        InputError
            If the mask has changed in these voxels since.
        """
        if not self.fits(labels):
            raise InputError(
                "the mask was edited while the tool was at work, and nothing was changed: "
                "start the tool again"
            )
        labels[self.indices] = self.new

    def undo(self, labels: Labels) -> None:
        """Write the old labels back.

        Raises
        ------
        InputError
            If the mask does not hold the new labels any more.
        """
        if not np.array_equal(labels[self.indices], self.new):
            raise InputError(
                "the mask was edited since, and nothing was undone: undo the later edits first"
            )
        labels[self.indices] = self.old

    def placed(self, box: Box) -> Change:
        """Return a change computed for a part of a mask as one of the whole mask.

        Parameters
        ----------
        box : tuple of int or slice
            The part, as the whole was indexed with it (slices with a start and no step): an axis
            given by a number is one that the part does not have.
        """
        inside = iter(self.indices)
        indices = tuple(
            next(inside) + (part.start or 0)
            if isinstance(part, slice)
            else np.full(self.new.size, part, dtype=np.intp)
            for part in box
        )
        return Change(indices, self.old, self.new)
