"""The steps that napari keeps for undo and redo of a mask: what is in them, carried out in pieces.

napari says of a step only when it is made. That a stroke is on its way, and which step comes next,
nothing public tells; where napari keeps it elsewhere one day, steps go back in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Labels

Indices = tuple[NDArray[np.intp], ...]
Box = tuple[slice, ...]
Step = list[Any]
"""What napari carries out as one step: atoms, each some voxels with their labels before and after.
An atom is either a box with a mask in it, or a tuple of indices, old and new labels."""


def stroke_under_way(mask: Labels) -> bool:
    """Return whether a stroke is being painted, or another step is being put together."""
    return bool(getattr(_own(mask), "_block_history", False) or staged(mask))


def staged(mask: Labels) -> bool:
    """Return whether there are changes in a mask that are no step yet."""
    return bool(getattr(_own(mask), "_staged_history", ()))


def next_step(mask: Labels, *, undoing: bool) -> Step | None:
    """Return what undo, or redo, would carry out; None if that is nothing, or not known."""
    steps = getattr(_own(mask), "_undo_history" if undoing else "_redo_history", None)
    return steps[-1] if steps else None


def pass_on(mask: Labels, *, undoing: bool) -> Step:
    """Have napari take the next step for undone, or for redone, without a voxel being changed.

    Returns
    -------
    list
        The step's atoms in the order in which they are to be carried out.
    """
    stacks: Any = (_own(mask)._undo_history, _own(mask)._redo_history)
    before, after = stacks if undoing else reversed(stacks)
    atoms: Step = list(reversed(before.pop()))
    after.append(atoms)
    return list(atoms)


def drop_step(mask: Labels, step: Step) -> None:
    """Let there be no undo of a step that was just made, and changes nothing."""
    steps = getattr(_own(mask), "_undo_history", None)
    if steps and steps[-1] is step:
        steps.pop()


def _own(mask: Labels) -> Any:
    """Return the layer itself: a widget gets a proxy, which has public parts only."""
    return getattr(mask, "__wrapped__", mask)


def voxels_of(atom: Any) -> int:
    """Return how many voxels an atom is about."""
    if not hasattr(atom, "slice_key"):
        return int(np.size(atom[0][0]))
    return int(np.prod([part.stop - part.start for part in atom.slice_key]))


def indices_of(atom: Any) -> Indices:
    """Return which voxels an atom changes."""
    if not hasattr(atom, "slice_key"):
        return tuple(np.asarray(index).ravel() for index in atom[0])
    extent = [part.stop - part.start for part in atom.slice_key]
    inside = np.nonzero(np.ones(extent, dtype=bool) if atom.mask is None else atom.mask)
    return tuple(index + part.start for index, part in zip(inside, atom.slice_key, strict=True))


def labels_of(atom: Any) -> tuple[Any, Any]:
    """Return the labels before an atom, one for each voxel, and after it; one for all may do."""
    if not hasattr(atom, "slice_key"):
        return np.ravel(atom[1]), atom[2]
    return np.ravel(atom.old_values), atom.new_value


def box_of(atom: Any, shape: tuple[int, ...]) -> Box:
    """Return a box around the voxels of an atom."""
    if not hasattr(atom, "slice_key"):
        return tuple(slice(int(np.min(one)), int(np.max(one)) + 1) for one in atom[0])
    return tuple(
        slice(*part.indices(size)) for part, size in zip(atom.slice_key, shape, strict=True)
    )


def replay(mask: Labels, atoms: Sequence[Any], *, undoing: bool, at_once: int) -> Iterator[None]:
    """Carry out atoms in a mask's data; every turn of this iterator is a piece of one.

    Parameters
    ----------
    mask : napari Labels layer
        Its data are a NumPy array. It is not drawn anew.
    atoms : sequence
        As :func:`pass_on` returns them.
    undoing : bool
    at_once : int
        How many voxels a piece may have.
    """
    for atom in atoms:
        old, new = labels_of(atom)
        labels = old if undoing else new
        if hasattr(atom, "slice_key"):
            yield from _replay_box(mask, atom, labels, at_once)
            continue
        for start in range(0, voxels_of(atom), at_once):
            part = slice(start, start + at_once)
            where = tuple(np.ravel(index)[part] for index in atom[0])
            mask.data[where] = labels[part] if np.ndim(labels) else labels
            yield


def _replay_box(mask: Labels, atom: Any, labels: Any, at_once: int) -> Iterator[None]:
    done = 0
    box = box_of(atom, mask.data.shape)
    for piece in chunks(box, at_once):
        inside = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(piece, box, strict=True)
        )
        data = mask.data[piece]
        where = np.ones(data.shape, dtype=bool) if atom.mask is None else atom.mask[inside]
        count = int(np.count_nonzero(where))
        # Chunks follow each other as the voxels do in memory, and so do the labels.
        data[where] = labels[done : done + count] if np.ndim(labels) else labels
        done += count
        yield


def whole_box(shape: tuple[int, ...]) -> Box:
    """Return the box that is a whole array."""
    return tuple(slice(0, size) for size in shape)


def chunks(box: Box, voxels: int) -> Iterator[Box]:
    """Cut a box along its first axis, and further if one plane is still too large.

    Parameters
    ----------
    box : tuple of slice
        With start and stop.
    voxels : int
        How many a chunk may have.
    """
    first, *rest = box
    plane = int(np.prod([part.stop - part.start for part in rest]))
    step = max(1, voxels // max(1, plane))
    for start in range(first.start, first.stop, step):
        piece = slice(start, min(start + step, first.stop))
        if rest and plane > voxels:
            for inner in chunks(tuple(rest), voxels):
                yield (piece, *inner)
        else:
            yield (piece, *rest)
