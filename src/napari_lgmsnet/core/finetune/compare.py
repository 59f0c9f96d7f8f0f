"""Before and after, on the images' own grids."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.finetune.pieces import Piece
from napari_lgmsnet.core.finetune.result import CaseChange, CaseScore
from napari_lgmsnet.core.finetune.scoring import Overlaps, dice_of, overlaps, region
from napari_lgmsnet.core.finetune.split import Part
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.inspect.inspection import inspect
from napari_lgmsnet.core.inspect.maps import stage_map
from napari_lgmsnet.core.inspect.scores import score_map
from napari_lgmsnet.core.inspect.stages import FIRST
from napari_lgmsnet.core.metrics import surface_distances
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Progress

Mask = NDArray[np.uint8]
Ask = Callable[[Piece], Generator[Progress, None, Mask]]
"""Gives class numbers of a piece on its own grid."""

_MOST_LOOKED_INTO = 4
"""Held-out pieces whose foreground attention is measured: it takes two more runs for each."""


def masks_of(model: Model, device: str, rename: Callable[[Mask], Mask]) -> Ask:
    """Return what predicts a piece as a person would; ``rename`` gives the classes' new numbers."""
    settings = PredictSettings(device=device)

    def ask(piece: Piece) -> Generator[Progress, None, Mask]:
        prediction = yield from iterate(model, piece.volume, settings)
        return rename(prediction.labels)

    return ask


@dataclass(frozen=True, eq=False)
class Comparison:
    """Held-out parts before and after.

    Parameters
    ----------
    before, after : dict of int to array (classes - 1, 3)
        Overlaps of each case.
    scores : tuple of CaseScore
    changes : tuple of CaseChange
    """

    before: dict[int, Overlaps]
    after: dict[int, Overlaps]
    scores: tuple[CaseScore, ...]
    changes: tuple[CaseChange, ...]


def compare(
    before: Mapping[int, Mask],
    after: Ask,
    models: tuple[Model, Model],
    pieces: Sequence[Piece],
    parts: Sequence[Part],
    names: Sequence[str],
    class_names: Sequence[str],
    device: str,
) -> Generator[Progress, None, Comparison]:
    """Compare two networks on held-out parts.

    Parameters
    ----------
    before : mapping of int to uint8 array
        What the parent answers, by piece.
    after : Ask
        The candidate.
    models : pair of Model
        Parent and candidate, to look into.
    pieces : sequence of Piece
    parts : sequence of Part
    names : sequence of str
        Of the cases.
    class_names : sequence of str
        Of the classes but background.
    device : str
    """
    classes = len(class_names) + 1
    tables: tuple[dict[int, Overlaps], dict[int, Overlaps]] = ({}, {})
    distances: dict[tuple[int, int], list[tuple[float, float]]] = {}
    attention: dict[tuple[int, str], list[tuple[float, float]]] = {}
    moved: dict[int, NDArray[np.int64]] = {}
    changes = []
    for done, part in enumerate(parts):
        piece = pieces[part.piece]
        yield Progress(done, len(parts), f"comparing {piece.name}")
        old, new = before[part.piece], (yield from after(piece))
        counts = region(piece, part.box)
        for table, answer in zip(tables, (old, new), strict=True):
            table[piece.case] = table.get(piece.case, 0.0) + overlaps(
                answer, piece.labels, counts, classes
            )
        change = change_of(old, new, piece.labels, counts)
        changes.append(CaseChange(piece.name, piece.volume, old, new, change))
        moved[piece.case] = moved.get(piece.case, 0) + _moved(change, old, new, piece, classes)
        if counts.all() or piece.known.all():
            for label in range(1, classes):
                pair = _distances(piece, counts, old == label, new == label, label)
                distances.setdefault((piece.case, label), []).append(pair)
        if done < _MOST_LOOKED_INTO and piece.known.all() and part.box == piece.whole:
            yield from _look(models, piece, class_names, device, attention)
    scores = []
    unit = "mm" if all(p.volume.units == "mm" for p in pieces) else "px"
    for case in sorted(tables[0]):
        dice = [dice_of(table[case]) for table in tables]
        for label, class_name in enumerate(class_names, start=1):
            pairs = np.array(distances.get((case, label), [(np.nan, np.nan)]))
            energy = np.array(attention.get((case, class_name), [(np.nan, np.nan)]))
            old_dice, new_dice = (float(one[label - 1]) for one in dice)
            hd95, energy_share = _means(pairs), _means(energy)
            scores.append(
                CaseScore(
                    case=names[case],
                    class_name=class_name,
                    dice_before=old_dice,
                    dice_after=new_dice,
                    iou_before=old_dice / (2 - old_dice),
                    iou_after=new_dice / (2 - new_dice),
                    hd95_before=hd95[0],
                    hd95_after=hd95[1],
                    unit=unit,
                    attention_before=energy_share[0],
                    attention_after=energy_share[1],
                    gained=int(moved[case][label - 1, 0]),
                    lost=int(moved[case][label - 1, 1]),
                )
            )
    return Comparison(*tables, tuple(scores), tuple(changes))


def change_of(
    before: Mask, after: Mask, labels: NDArray[np.integer], counts: NDArray[np.bool_]
) -> Mask:
    """Return where answers became right or wrong; see :class:`CaseChange`."""
    change = np.zeros(before.shape, dtype=np.uint8)
    moved = (before != after) & counts
    change[moved] = 3
    change[moved & (after == labels)] = 1
    change[moved & (before == labels)] = 2
    return change


def _moved(change: Mask, old: Mask, new: Mask, piece: Piece, classes: int) -> NDArray[np.int64]:
    """Return voxels gained and lost for each class: those where it is answered or expected."""
    rows = []
    for label in range(1, classes):
        about = (old == label) | (new == label) | (piece.labels == label)
        rows.append([np.count_nonzero(about & (change == kind)) for kind in (1, 2)])
    return np.array(rows, dtype=np.int64)


def _distances(
    piece: Piece,
    counts: NDArray[np.bool_],
    old: NDArray[np.bool_],
    new: NDArray[np.bool_],
    label: int,
) -> tuple[float, float]:
    steps = piece.volume.affine[:-1, :-1]
    expected = (piece.labels == label) & counts
    found = []
    for answer in (old & counts, new & counts):
        both = answer.any() and expected.any()
        found.append(surface_distances(answer, expected, steps)[0] if both else float("nan"))
    return found[0], found[1]


def _look(
    models: tuple[Model, Model],
    piece: Piece,
    class_names: Sequence[str],
    device: str,
    attention: dict[tuple[int, str], list[tuple[float, float]]],
) -> Generator[Progress, None, None]:
    """Add the share of the features' energy that lies on each class, before and after."""
    found: list[list[float]] = []
    for model in models:
        inspection = yield from inspect(
            model, piece.volume, [FIRST], PredictSettings(device=device)
        )
        energy = stage_map(inspection, FIRST, "norm")
        numbers = range(1, len(class_names) + 1)
        found.append([score_map(energy, piece.labels == label).energy for label in numbers])
    for name, before, after in zip(class_names, *found, strict=True):
        attention.setdefault((piece.case, name), []).append((before, after))


def _means(pairs: NDArray[np.float64]) -> tuple[float, float]:
    """Return the means of both columns over the rows without NaN."""
    whole = pairs[~np.isnan(pairs).any(axis=1)]
    if not len(whole):
        return float("nan"), float("nan")
    first, second = whole.mean(axis=0)
    return float(first), float(second)
