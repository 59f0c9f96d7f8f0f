"""Where a tool may change a mask, and what it has to leave as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.components import Window, overlap, window_of
from napari_lgmsnet.core.edit.change import Change, Indices, Labels
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.geometry import Box


@dataclass(frozen=True, eq=False)
class Scope:
    """Where a tool may change a mask, and what it has to leave as it is.

    Region and selection say where labels may change. What a tool looks at is not cut there: an
    organ that crosses the border of a drawn rectangle is still seen as one large object.

    Parameters
    ----------
    region : tuple of int or slice, optional
        One entry for each axis; a number is one plane, such as the slice on screen. Everywhere
        without it.
    selection : bool array of the mask's shape, optional
        Only voxels that are True may change.
    axis : int, optional
        Every plane across this axis is an image of its own (2D): sizes are in mm², distances in
        the plane. Without it a volume is treated in 3D.
    locked_labels : frozenset of int
        Labels (0 is background) that neither lose nor gain a voxel.
    locked : bool array of the mask's shape, optional
        Voxels that are True never change.
    """

    region: Box | None = None
    selection: NDArray[np.bool_] | None = None
    axis: int | None = None
    locked_labels: frozenset[int] = field(default_factory=frozenset)
    locked: NDArray[np.bool_] | None = None

    def check(self, labels: Labels, spacing: tuple[float, ...]) -> None:
        """Refuse what does not suit a mask.

        Raises
        ------
        InputError
            If the mask is no image or volume of whole numbers from 0 on.
        GeometryError
            If region, selection, locked voxels, axis or spacing do not suit the mask.
        """
        shape = labels.shape
        if labels.ndim not in (2, 3) or labels.dtype.kind not in "ui":
            raise InputError(
                f"a mask is an image or a volume of whole numbers, this one has shape {shape} and "
                f"type {labels.dtype}: choose one frame, or convert it"
            )
        if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
            raise InputError(
                f"the mask holds negative numbers (down to {labels.min()}): labels start at 0"
            )
        if len(spacing) != labels.ndim or not all(np.isfinite(s) and s > 0 for s in spacing):
            raise GeometryError(
                f"spacing {spacing} does not suit a mask of shape {shape}: give {labels.ndim} "
                "positive numbers"
            )
        for name, mask in (("selection", self.selection), ("locked region", self.locked)):
            if mask is not None and (mask.shape != shape or mask.dtype != np.bool_):
                raise GeometryError(
                    f"the {name} has shape {mask.shape} and type {mask.dtype}, the mask has shape "
                    f"{shape}: give one boolean for each voxel"
                )
        if self.axis is not None and (labels.ndim != 3 or not 0 <= self.axis < 3):
            raise GeometryError(
                f"a mask of shape {shape} has no planes across axis {self.axis}: only a volume is "
                "treated slice by slice"
            )
        if self.region is not None:
            _check_region(self.region, shape)

    def window(self, shape: tuple[int, ...]) -> Window | None:
        """Return the box of the voxels that may change by region and selection; None if empty."""
        box = tuple(slice(0, size) for size in shape)
        if self.region is not None:
            region = [
                slice(*part.indices(size)[:2]) if isinstance(part, slice) else slice(part, part + 1)
                for part, size in zip(self.region, shape, strict=True)
            ]
            box = overlap(box, tuple(region)) or ()
        if self.selection is not None and box:
            selected = window_of(self.selection)
            box = overlap(box, selected) or () if selected is not None else ()
        return box or None

    def covers(self, indices: Indices, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return which of some voxels lie in region and selection, locked or not."""
        box = self.window(shape)
        inside = np.full(indices[0].shape, box is not None)
        for places, part in zip(indices, box or (), strict=bool(box)):
            inside &= (places >= part.start) & (places < part.stop)
        if self.selection is not None:
            inside &= self.selection[indices]
        return inside

    def permits(
        self, indices: Indices, old: Labels, new: Labels, shape: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        """Return which of some voxels may change from an old label to a new one."""
        allowed = self.covers(indices, shape)
        if self.locked is not None:
            allowed &= ~self.locked[indices]
        if self.locked_labels:
            numbers = np.array(sorted(self.locked_labels))
            allowed &= ~np.isin(old, numbers) & ~np.isin(new, numbers)
        return allowed


EVERYWHERE = Scope()
"""The whole mask, in as many dimensions as it has, and nothing locked."""


def checked(
    labels: Labels, spacing: tuple[float, ...], scope: Scope, label: int | None = None
) -> Labels:
    """Return the mask as an array, if it suits spacing, scope and label.

    Raises
    ------
    InputError, GeometryError
        As :meth:`Scope.check`; if the label is locked, background, or more than the mask holds.
    """
    labels = np.asarray(labels)
    scope.check(labels, spacing)
    if label == 0:
        raise InputError("label 0 is background: choose a class")
    if label is not None:
        check_target(labels, scope, label)
    return labels


def check_target(labels: Labels, scope: Scope, label: int) -> None:
    """Refuse a label that voxels cannot be given.

    Raises
    ------
    InputError
        If it is locked, or not within what the mask's type holds.
    """
    if label in scope.locked_labels:
        raise InputError(f"label {label} is locked: unlock it, or choose another one")
    highest = int(np.iinfo(labels.dtype).max)
    if not 0 <= label <= highest:
        raise InputError(
            f"a mask of type {labels.dtype} holds labels from 0 to {highest}, not {label}: "
            "choose another label, or convert the mask to a larger type"
        )


class Draft:
    """Gathers what a tool changes, as far as the scope permits.

    Parameters
    ----------
    labels : integer array
        The mask; never changed.
    scope : Scope
    """

    def __init__(self, labels: Labels, scope: Scope) -> None:
        self._labels = labels
        self._scope = scope
        self._parts: list[tuple[Indices, Labels, Labels]] = []

    def write(self, box: Box, where: NDArray[np.bool_], value: int | NDArray[Any]) -> None:
        """Note down other labels in a part of the mask.

        Parameters
        ----------
        box : tuple of int or slice
            The part; slices have start and stop.
        where : bool array of the part's shape
            Which voxels. None may be written twice.
        value : int or integer array
            Their new label, or those of the part's voxels.
        """
        inside = np.nonzero(where)
        new = value[inside] if isinstance(value, np.ndarray) else value
        self.write_voxels(box, inside, new)

    def write_voxels(self, box: Box, inside: Indices, value: int | NDArray[Any]) -> None:
        """Note down other labels of single voxels, as counted within a part of the mask."""
        count = inside[0].size
        axes = iter(inside)
        indices = tuple(
            next(axes) + part.start if isinstance(part, slice) else np.full(count, part)
            for part in box
        )
        old = self._labels[indices]
        new = np.broadcast_to(np.asarray(value, dtype=self._labels.dtype), old.shape)
        keep = (old != new) & self._scope.permits(indices, old, new, self._labels.shape)
        if keep.any():
            self._parts.append((tuple(axis[keep] for axis in indices), old[keep], new[keep]))

    def finish(self, *, preserve: bool = False) -> Change:
        """Return everything that was noted down.

        Parameters
        ----------
        preserve : bool
            Leave a label as it is where it would disappear from the mask.
        """
        if not self._parts:
            none = np.zeros(0, dtype=self._labels.dtype)
            axes = tuple(np.zeros(0, dtype=np.intp) for _ in self._labels.shape)
            return Change(axes, none, none)
        indices = tuple(
            np.concatenate(axes) for axes in zip(*(p[0] for p in self._parts), strict=True)
        )
        old = np.concatenate([part[1] for part in self._parts])
        new = np.concatenate([part[2] for part in self._parts])
        change = Change(indices, old, new)
        return _without_vanishing(change, self._labels) if preserve else change


def _without_vanishing(change: Change, labels: Labels) -> Change:
    """Take back what would remove the last voxel of a label."""
    keep = np.ones(change.voxels, dtype=bool)
    candidates = {int(label) for label in np.unique(change.old) if label != 0}
    sizes = {label: int(np.count_nonzero(labels == label)) for label in candidates}
    while True:
        # Giving one label its voxels back can take the last ones from another.
        vanishing = [
            label
            for label in candidates
            if np.count_nonzero(keep & (change.old == label)) == sizes[label]
            and not (keep & (change.new == label)).any()
        ]
        if not vanishing:
            break
        keep &= ~np.isin(change.old, vanishing)
        candidates -= set(vanishing)
    return Change(tuple(axis[keep] for axis in change.indices), change.old[keep], change.new[keep])


def _check_region(region: Box, shape: tuple[int, ...]) -> None:
    if len(region) != len(shape):
        raise GeometryError(
            f"a region with {len(region)} axes does not suit a mask of shape {shape}"
        )
    for part, size in zip(region, shape, strict=True):
        if isinstance(part, slice) and part.step not in (None, 1):
            raise GeometryError(f"the region {region} leaves out voxels: give it no step")
        if not isinstance(part, slice) and not 0 <= part < size:
            raise GeometryError(f"a mask of shape {shape} has no plane {part}")
