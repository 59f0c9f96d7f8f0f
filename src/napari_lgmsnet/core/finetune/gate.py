"""The gate: whether the candidate is better, by how much, and whether that can be chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.finetune.compare import Comparison
from napari_lgmsnet.core.finetune.evidence import Floats
from napari_lgmsnet.core.finetune.result import Verdict
from napari_lgmsnet.core.finetune.scoring import dice_of, mean_dice
from napari_lgmsnet.core.finetune.settings import FineTuneSettings

ABOVE_CONSTANT = 0.05
"""By how much Dice must exceed that of a mask that is the same for all images."""

_CHANCE, _CHANCE_OF_FEW, _MANY = 0.05, 0.1, 6
_BEYOND_DOUBT = 0.01
"""Chance at which masks certainly belong to their images: a constant mask says nothing then."""

_RESAMPLED = 2000
_ENOUGH_TO_RESAMPLE = 4


def judge(
    comparison: Comparison,
    class_names: Sequence[str],
    settings: FineTuneSettings,
    *,
    foreground_dice: float,
    constant_dice: float | None,
    chance: float | None,
    cases: int,
) -> Verdict:
    """Decide whether the candidate may be offered.

    Parameters
    ----------
    comparison : Comparison
    class_names : sequence of str
    settings : FineTuneSettings
    foreground_dice : float
        Of the candidate, all classes taken together, mean over held-out cases.
    constant_dice : float or None
        Of a mask that is the same for all images; None where there is no such thing.
    chance : float or None
        How likely exchanged masks would look as good (:mod:`evidence`); None for few cases.
    cases : int
        How many cases there are.
    """
    order = sorted(comparison.before)
    before = mean_dice([comparison.before[case] for case in order])
    after = mean_dice([comparison.after[case] for case in order])
    figures = f"Dice on what was held out went from {before:.3f} to {after:.3f}"

    def refuse(reason: str) -> Verdict:
        return Verdict(False, f"{figures}; {reason}", before, after)

    if after - before < settings.margin:
        return refuse(f"a rise of {settings.margin:.3g} was asked for")
    for name, fall in zip(class_names, _falls(comparison, order), strict=True):
        if fall > settings.class_margin:
            return refuse(f'but "{name}" fell by {fall:.3f}')
    steps = np.array([_of_case(comparison, case) for case in order])
    if np.count_nonzero(steps < 0) > len(steps) / 2:
        return refuse("but most held-out cases became worse")
    if len(steps) >= _ENOUGH_TO_RESAMPLE and _low_end(steps) <= 0:
        return refuse("but the cases differ too much to tell that from chance")
    doubtful = chance is None or chance > _BEYOND_DOUBT
    if constant_dice is not None and doubtful and foreground_dice < constant_dice + ABOVE_CONSTANT:
        return refuse(
            f"but all classes together reached {foreground_dice:.3f}, and one and the same mask "
            f"for every image {constant_dice:.3f}: that does not show that the network looks at "
            "the images. Check that the masks belong to them, or correct more images"
        )
    if chance is not None and chance > (_CHANCE if cases >= _MANY else _CHANCE_OF_FEW):
        return refuse(
            "but the masks fit their own images hardly better than other images (exchanged masks "
            f"would look as good in {100 * chance:.0f} of 100 tries). Check that they belong to "
            "them, or correct more images"
        )
    return Verdict(True, figures, before, after)


def constant_dice(
    train: Sequence[tuple[Floats, Floats]], held_out: Sequence[tuple[Floats, Floats]]
) -> float:
    """Return the mean Dice of a constant mask on held-out cases.

    It is where the average of the masks that are trained on exceeds a level; the level is the
    one at which such averages of the others fit each of these masks best.

    Parameters
    ----------
    train, held_out : sequences of pairs of arrays (cells,)
        How much of each cell is foreground, and how much of it counts.
    """
    masks, known = (np.array(part) for part in zip(*train, strict=True))
    total, weights = (masks * known).sum(axis=0), known.sum(axis=0)

    def fit(share: float) -> float:
        if len(masks) == 1:
            return _soft_dice(_at_least(total, weights, share), masks[0], known[0])
        return float(
            np.mean(
                [
                    _soft_dice(_at_least(total - mask * own, weights - own, share), mask, own)
                    for mask, own in zip(masks, known, strict=True)
                ]
            )
        )

    best = max(np.linspace(0.05, 1.0, 20), key=fit)
    answer = _at_least(total, weights, best)
    return float(np.mean([_soft_dice(answer, *one) for one in held_out]))


def _at_least(total: Floats, weights: Floats, share: float) -> NDArray[np.bool_]:
    """Return where an average is at least a share of its maximum."""
    average = np.divide(total, weights, out=np.zeros_like(total), where=weights > 1e-9)
    level = share * average.max()
    cells: NDArray[np.bool_] = (average >= level) & (average > 0)
    return cells


def _soft_dice(answer: NDArray[np.bool_], mask: Floats, known: Floats) -> float:
    both = float((answer * mask * known).sum())
    size = float((answer * known).sum() + (mask * known).sum())
    return 2 * both / size if size else 1.0


def _falls(comparison: Comparison, order: Sequence[int]) -> NDArray[np.float64]:
    """Return by how much the mean Dice of each class fell over cases that show it."""
    means = [
        np.stack([dice_of(tables[case]) for case in order])
        for tables in (comparison.before, comparison.after)
    ]
    both = ~np.isnan(means[0]) & ~np.isnan(means[1])
    count = both.sum(axis=0)
    falls: NDArray[np.float64] = np.where(both, means[0] - means[1], 0.0).sum(axis=0)
    falls /= np.maximum(count, 1)
    return falls


def _of_case(comparison: Comparison, case: int) -> float:
    return mean_dice([comparison.after[case]]) - mean_dice([comparison.before[case]])


def _low_end(steps: NDArray[np.float64]) -> float:
    """Return the lower end of the interval in which the mean lies, 90 of 100 times, from above."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(steps, (_RESAMPLED, len(steps)))
    return float(np.percentile(drawn.mean(axis=1), 10))
