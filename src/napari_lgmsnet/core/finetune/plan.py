"""Adapt gently or learn anew: what the data decide, where the person did not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_lgmsnet.core.finetune.settings import (
    Adapt,
    FineTuneSettings,
    Guard,
    Plan,
    Variation,
    What,
)
from napari_lgmsnet.core.recipes import Recipe

USELESS, USELESS_ON_SCRIBBLES = 0.35, 0.6
"""Mean IoU before training below which a network is taught anew, for masks and for scribbles.

Strokes lie inside objects and off them, where a network is right more often than at borders, and
miss most of what it marks besides.
"""

SHARES = (0.7, 0.5, 0.3)
"""Of the new weights; the rest is the parent's."""

_RATES: dict[Adapt, float] = {"gently": 3e-4, "anew": 3e-3}
_BATCH = {2: 4, 3: 2}

_SMALLER = 2 / 3
_SMALLEST = 96
_FEWEST_VOXELS = 25


def way(settings: FineTuneSettings, before_iou: float, labelled: float) -> Adapt:
    """Decide between adapting gently and learning anew, if the person did not.

    Parameters
    ----------
    settings : FineTuneSettings
    before_iou : float
        Mean IoU of the parent on what is labelled.
    labelled : float
        Share of the voxels that are labelled, 0 to 1.
    """
    if settings.adapt != "auto":
        return settings.adapt
    useless = USELESS_ON_SCRIBBLES + labelled * (USELESS - USELESS_ON_SCRIBBLES)
    return "gently" if before_iou >= useless else "anew"


def smaller_size(recipe: Recipe) -> tuple[int, ...] | None:
    """Return the size at which a new task is learnt, if it is smaller than the recipe's.

    A network that is taught anew has more to learn than there is time for, and sees twice as many
    images of two thirds of the size. Below 96 that no longer pays: details are missing.
    """
    if recipe.size is None:
        return None
    size = tuple(max(_SMALLEST, round(n * _SMALLER / 32) * 32) for n in recipe.size)
    size = tuple(min(new, old) for new, old in zip(size, recipe.size, strict=True))
    return None if size == recipe.size else size


def large_enough(foreground: Sequence[int]) -> bool:
    """Return whether objects can still be seen, by the voxels that they have in each input."""
    shown = [count for count in foreground if count]
    return bool(shown) and float(np.median(shown)) >= _FEWEST_VOXELS


def make_plan(
    settings: FineTuneSettings,
    adapt: Adapt,
    before_iou: float,
    *,
    same_classes: bool,
    references: int,
    samples: int,
    parent: Recipe,
) -> Plan:
    """Decide what was left to the data.

    Parameters
    ----------
    settings : FineTuneSettings
    adapt : "gently" or "anew"
        As :func:`way` decides it.
    before_iou : float
        Mean IoU of the parent on the cases, before training.
    same_classes : bool
        Whether the labels have the parent's classes.
    references : int
        How many reference images there are.
    samples : int
        Images, slices or parts to train on.
    parent : Recipe
        The parent's.
    """
    gently = adapt == "gently"
    what: What = settings.train if settings.train != "auto" else "all"
    strength: Variation = "light" if gently else "strong"
    if settings.augmentation != "auto":
        strength = settings.augmentation
    fallback: Guard = "average" if gently else "none"
    guard: Guard = "replay" if references > 1 else fallback
    if settings.guard != "auto":
        guard = settings.guard
    if guard == "replay" and (references < 2 or not same_classes):
        guard = fallback
    score = f"the network scored IoU {before_iou:.2f} on these cases before training"
    if settings.adapt != "auto":
        score = "as you chose"
    words = "it was adapted gently" if gently else "it was taught anew"
    reason = f"{score}, so {words}" if settings.adapt == "auto" else f"{words}, {score}"
    return Plan(
        adapt=adapt,
        train=what,
        learning_rate=settings.learning_rate or _RATES[adapt],
        batch_size=settings.batch_size or min(_BATCH[parent.dimensions], max(2, samples)),
        augmentation=strength,
        guard=guard,
        frozen_statistics=gently,
        # A network of another task is no nearer to what is learnt half of the way.
        shares=SHARES if guard == "average" or (gently and guard == "replay") else (1.0,),
        parent_window=parent.window,
        reason=reason,
    )
