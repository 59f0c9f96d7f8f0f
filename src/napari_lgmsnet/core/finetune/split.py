"""Which cases, slices or parts are held out: what training never sees, and the gate asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.finetune.examples import Example
from napari_lgmsnet.core.finetune.pieces import Box, Piece

FEWEST = 4
"""From so many cases on whole cases are held out."""

_SHARE = 0.25
_GAP = 1
"""Voxels of the input between a part for training and a part that is held out."""


@dataclass(frozen=True)
class Part:
    """A box of a piece's input.

    Parameters
    ----------
    piece : int
    box : tuple of slice
    """

    piece: int
    box: Box


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out.

    Parameters
    ----------
    kind : "cases", "slices" or "parts"
        Whole cases; some slices of every case; a part of every image.
    train, held_out : tuple of Part
        No voxel is in both.
    words : str
        What was held out, for a person.
    """

    kind: Literal["cases", "slices", "parts"]
    train: tuple[Part, ...]
    held_out: tuple[Part, ...]
    words: str

    def cases(self, pieces: Sequence[Piece], held_out: bool) -> tuple[int, ...]:
        """Return the numbers of the examples that are trained on, or held out."""
        parts = self.held_out if held_out else self.train
        return tuple(sorted({pieces[part.piece].case for part in parts}))


def split(
    pieces: Sequence[Piece],
    examples: Sequence[Example],
    wanted: Sequence[str] | None,
    seed: int,
    scores: Mapping[int, float],
) -> Split:
    """Choose what is held out.

    From four cases on about a quarter of them, on which the network is about as good as on all:
    one that it can do already, or not at all, would tell nothing. Below, a quarter
    of each case: slices at one end where there are several, otherwise a part of the image that
    holds about a quarter of what is labelled as foreground.

    Parameters
    ----------
    pieces : sequence of Piece
    examples : sequence of Example
    wanted : sequence of str, optional
        Names of cases to hold out instead.
    seed : int
        Decides between equals.
    scores : mapping of int to float
        How good the network is on each case before training.

    Raises
    ------
    InputError
        If a name is unknown, or nothing is left to train on.
    """
    cases = sorted({piece.case for piece in pieces})
    if wanted is not None:
        names = {examples[case].name: case for case in cases}
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise InputError(f'there is no case "{unknown[0]}" to hold out: choose other names')
        return _by_cases(pieces, examples, cases, {names[name] for name in wanted})
    if len(cases) >= FEWEST:
        count = max(1, round(_SHARE * len(cases)))
        return _by_cases(pieces, examples, cases, _typical(pieces, cases, count, seed, scores))
    return _within_cases(pieces, examples, cases)


def _typical(
    pieces: Sequence[Piece], cases: list[int], count: int, seed: int, scores: Mapping[int, float]
) -> set[int]:
    """Return cases evenly spread over the order of scores, from the middle outwards."""
    shown = sorted({piece.case for piece in pieces if piece.shows_class})
    usable = shown if len(shown) > count else cases
    order = [usable[int(n)] for n in np.random.default_rng(seed).permutation(len(usable))]
    order.sort(key=lambda case: scores[case])
    return {order[int((place + 0.5) / count * len(order))] for place in range(count)}


def _by_cases(
    pieces: Sequence[Piece], examples: Sequence[Example], cases: list[int], chosen: set[int]
) -> Split:
    if len(chosen) == len(cases):
        raise InputError("every case is held out: leave at least one to train on")
    parts = [Part(number, piece.whole) for number, piece in enumerate(pieces)]
    names = ", ".join(examples[case].name for case in sorted(chosen))
    verb = "was" if len(chosen) == 1 else "were"
    return Split(
        "cases",
        tuple(part for part in parts if pieces[part.piece].case not in chosen),
        tuple(part for part in parts if pieces[part.piece].case in chosen),
        f"{len(chosen)} of {len(cases)} cases {verb} held out: {names}",
    )


def _within_cases(pieces: Sequence[Piece], examples: Sequence[Example], cases: list[int]) -> Split:
    train: list[Part] = []
    held_out: list[Part] = []
    sliced = False
    for case in cases:
        own = [number for number, piece in enumerate(pieces) if piece.case == case]
        first = _end_of_slices(pieces, own)
        if first is None:
            for number in own:
                kept, left = cut(pieces[number])
                train.append(Part(number, kept))
                held_out.append(Part(number, left))
        else:
            sliced = True
            # Neighbouring slices look alike, so one between both is left out.
            train += [Part(number, pieces[number].whole) for number in own[: first - 1]]
            held_out += [Part(number, pieces[number].whole) for number in own[first:]]
    what = "the last quarter of the slices" if sliced else "a part of the image"
    which = (
        f'of "{examples[cases[0]].name}"' if len(cases) == 1 else f"of each of {len(cases)} cases"
    )
    words = f"{what} {which} was held out, since whole cases are held out from {FEWEST} on"
    return Split("slices" if sliced else "parts", tuple(train), tuple(held_out), words)


def _end_of_slices(pieces: Sequence[Piece], own: list[int]) -> int | None:
    """Return from which slice on a quarter of the foreground remains; None if slices are few."""
    amounts = np.array([float((pieces[number].target > 1).sum()) for number in own])
    if np.count_nonzero(amounts) < 6:
        return None
    later = amounts[::-1].cumsum()[::-1] / amounts.sum()
    first = int(np.flatnonzero(later >= _SHARE)[-1])
    return first if first >= 2 else None


def cut(piece: Piece) -> tuple[Box, Box]:
    """Cut an input in two across one axis: a larger part to train on, a smaller one to hold out.

    Of all cuts that leave about a quarter of the foreground in the smaller part (a quarter of
    the image if there is none), the one that leaves most of the image to train on.

    Returns
    -------
    train, held_out : tuple of slice
        With a gap between them, for a voxel of the input answers for its neighbours in the image.
    """
    target = piece.target[0].numpy()
    shown = target > 1
    best: tuple[float, Box, Box] | None = None
    for axis, size in enumerate(target.shape):
        others = tuple(other for other in range(target.ndim) if other != axis)
        amount = shown.sum(axis=others) if shown.any() else (target > 0).sum(axis=others)
        for last in (True, False):
            line = amount[::-1] if last else amount
            reached = np.flatnonzero(line.cumsum() >= _SHARE * line.sum())
            thick = int(np.clip(int(reached[0]) + 1, 2, max(2, size // 2)))
            gap = min(_GAP, size - thick - 1)
            held, kept = slice(0, thick), slice(thick + gap, size)
            if last:
                held, kept = slice(size - thick, size), slice(0, size - thick - gap)
            share = thick / size
            if best is None or share < best[0]:
                boxes = (_along(piece.whole, axis, kept), _along(piece.whole, axis, held))
                best = (share, *boxes)
    assert best is not None
    return best[1], best[2]


def _along(whole: Box, axis: int, part: slice) -> Box:
    return (*whole[:axis], part, *whole[axis + 1 :])
