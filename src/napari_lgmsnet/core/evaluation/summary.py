"""Means over cases, with intervals that say how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.agreement import NONE
from napari_lgmsnet.core.evaluation.scores import CaseScore
from napari_lgmsnet.core.tables import Cell

SHARES = {"dice": "Dice", "iou": "IoU", "precision": "precision", "recall": "recall"}
DISTANCES = {"hd95": "HD95", "surface_distance": "average surface distance"}
ALARMS = "false alarms"
ALL = "all classes"

RESAMPLINGS = 2000
LEVEL = 95.0


@dataclass(frozen=True)
class Summary:
    """A figure over all cases.

    Parameters
    ----------
    class_name : str
        "all classes": of each case the mean over its classes.
    metric : str
    unit : str
        Of distances, otherwise empty.
    cases : int
        That have this figure. Those whose reference does not show the class have none, except
        for "false alarms", which has them only: the share of them in which the mask shows it.
    mean, median : float
    low, high : float
        Ends of the 95 % interval of the mean: percentiles of means over cases drawn anew (the
        bootstrap). NaN for fewer than two cases.
    pooled : float
        The figure with the voxels of all cases put together, where that makes sense.
    """

    class_name: str
    metric: str
    unit: str
    cases: int
    mean: float
    low: float
    high: float
    median: float
    pooled: float


def summarise(scores: Sequence[CaseScore], cases: Sequence[str], seed: int = 0) -> list[Summary]:
    """Summarise the scores of all cases.

    Parameters
    ----------
    scores : sequence of CaseScore
    cases : sequence of str
        All that were evaluated; one without a score for a class does not show it.
    seed : int
        Of the drawing; the same seed gives the same intervals.
    """
    labels = sorted({one.label for one in scores})
    units = {one.unit for one in scores}
    unit = units.pop() if len(units) == 1 else ""
    rows = []
    for label in labels:
        own = [one for one in scores if one.label == label]
        name, pooled = own[0].class_name, _pooled(own)
        for key, title in (SHARES | DISTANCES).items():
            values = np.array([getattr(one, key) for one in own])
            distance = key in DISTANCES
            if distance and not unit:  # mm and pixels have no mean
                values = values[:0]
            rows.append(
                _row(name, title, unit if distance else "", values, pooled.get(key, NONE), seed)
            )
        shown = {one.case for one in own if one.expected}
        alarmed = {one.case for one in own if one.found and not one.expected}
        alarms = np.array([float(case in alarmed) for case in cases if case not in shown])
        rows.append(_row(name, ALARMS, "", alarms, NONE, seed))
    if len(labels) > 1:
        for key, title in (SHARES | DISTANCES).items():
            distance = key in DISTANCES
            values = np.array(list(case_means(scores, key).values()))
            if distance and not unit:
                values = values[:0]
            rows.append(_row(ALL, title, unit if distance else "", values, NONE, seed))
    return rows


def case_means(scores: Sequence[CaseScore], key: str) -> dict[str, float]:
    """Return the mean of a figure over the classes of each case that has it."""
    values: dict[str, list[float]] = {}
    for one in scores:
        value = getattr(one, key)
        if not np.isnan(value):
            values.setdefault(one.case, []).append(value)
    return {case: float(np.mean(ones)) for case, ones in values.items()}


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean; NaN for fewer than two values."""
    if len(values) < 2:
        return NONE, NONE
    generator = np.random.default_rng(seed)
    means = [
        values[generator.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLINGS)
    ]
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(means, (tail, 100 - tail))
    return float(low), float(high)


def summary_columns(rows: Sequence[Summary]) -> dict[str, list[Cell]]:
    """Return summaries as columns, for a table or a file."""
    return {
        "class": [row.class_name for row in rows],
        "metric": [row.metric for row in rows],
        "unit": [row.unit for row in rows],
        "cases": [row.cases for row in rows],
        "mean": [row.mean for row in rows],
        "95 % from": [row.low for row in rows],
        "95 % to": [row.high for row in rows],
        "median": [row.median for row in rows],
        "all cases as one": [row.pooled for row in rows],
    }


def _row(
    name: str, title: str, unit: str, values: NDArray[np.float64], pooled: float, seed: int
) -> Summary:
    known = values[~np.isnan(values)]
    mean, median = (float(known.mean()), float(np.median(known))) if len(known) else (NONE, NONE)
    return Summary(name, title, unit, len(known), mean, *interval(known, seed), median, pooled)


def _pooled(scores: Sequence[CaseScore]) -> dict[str, float]:
    both, found, expected = (
        sum(getattr(one, key) for one in scores) for key in ("both", "found", "expected")
    )
    return {
        "dice": _share(2 * both, found + expected),
        "iou": _share(both, found + expected - both),
        "precision": _share(both, found),
        "recall": _share(both, expected),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NONE
