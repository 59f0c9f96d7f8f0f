"""Plots of numbers: per stage, over cases, and singular values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.numbers import MEASURES, Row
from napari_lgmsnet.core.inspect.redundancy import Spectrum
from napari_lgmsnet.core.inspect.stages import IN_ORDER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "energy": "share of energy on the foreground",
    "pointing": "peak on the foreground",
    "auc": "area under the ROC curve",
    "dice": "best Dice over thresholds",
    "iou": "best IoU over thresholds",
}
"""What a person calls each measure."""


def stage_figure(rows: Sequence[Row], measure: str = "energy") -> Figure:
    """Draw a measure per stage, one line a class and checkpoint; of several cases the mean.

    For energy, a dotted line shows what an even map would have.

    Raises
    ------
    InputError
        If there is no such measure, or nothing was scored.
    """
    check_measure(measure)
    scored, stages = _scored(rows)
    figure, axes = _axes()
    for checkpoint, name in dict.fromkeys((row.checkpoint, row.class_name) for row in scored):
        mine = [row for row in scored if (row.checkpoint, row.class_name) == (checkpoint, name)]
        (line,) = axes.plot(
            stages, _means(mine, stages, measure), "o-", label=f"{name}, {checkpoint}"
        )
        if measure == "energy":
            even = _means(mine, stages, "foreground")
            axes.plot(stages, even, ":", color=line.get_color(), label=f"{name}, even map")
    axes.set(ylabel=LABELS[measure], ylim=(0, 1.02))
    axes.tick_params(axis="x", rotation=45)
    axes.legend(fontsize=7)
    return figure


def share_figure(rows: Sequence[Row], measure: str = "energy", class_name: str = "") -> Figure:
    """Draw how a measure spreads over cases, per stage, as the paper's figure 1a does.

    Parameters
    ----------
    rows : sequence of Row
        Checkpoints stand side by side.
    measure : str
    class_name : str
        The first one in the rows without it.

    Raises
    ------
    InputError
        If there is no such measure, or nothing was scored.
    """
    check_measure(measure)
    scored, stages = _scored(row for row in rows if class_name in ("", row.class_name))
    shown = [row for row in scored if row.class_name == scored[0].class_name]
    checkpoints = list(dict.fromkeys(row.checkpoint for row in shown))
    figure, axes = _axes()
    width = 0.8 / len(checkpoints)
    for number, checkpoint in enumerate(checkpoints):
        mine = [row for row in shown if row.checkpoint == checkpoint]
        colour = f"C{number}"
        axes.boxplot(
            [_values(mine, stage, measure) for stage in stages],
            positions=[at + (number + 0.5) * width - 0.4 for at in range(len(stages))],
            widths=0.8 * width,
            boxprops={"color": colour},
            medianprops={"color": colour},
            label=checkpoint,
        )
    axes.set_xticks(range(len(stages)), stages, rotation=45)
    axes.set(ylabel=f"{LABELS[measure]}\n({shown[0].class_name})", ylim=(0, 1.02))
    axes.legend(fontsize=7)
    return figure


def spectrum_figure(spectra: Mapping[str, Spectrum]) -> Figure:
    """Draw the singular values of stages (name -> spectrum), as the paper's figure 1c does."""
    figure, axes = _axes()
    for name, one in spectra.items():
        # On a logarithmic axis there is no place for zeros.
        shown = one.values[one.values > 0]
        label = f"{name}: effective rank {one.effective_rank:.1f} of {one.channels}"
        axes.semilogy(np.arange(1, len(shown) + 1), shown / one.values[:1], label=label)
    axes.set(xlabel="singular value", ylabel="size, of the largest")
    axes.legend(fontsize=7)
    return figure


def check_measure(measure: str) -> None:
    """Refuse what is no measure.

    Raises
    ------
    InputError
    """
    if measure not in MEASURES:
        raise InputError(f'no measure is called "{measure}": choose one of {", ".join(MEASURES)}')


def _axes() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    return figure, figure.add_subplot()


def _scored(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with foreground, and their stages in the order of the network."""
    scored = [row for row in rows if np.isfinite(row.energy)]
    if not scored:
        raise InputError("no case was compared with a mask: choose a mask with some foreground")
    names = dict.fromkeys(row.stage for row in scored)
    return scored, [*filter(names.__contains__, IN_ORDER), *(n for n in names if n not in IN_ORDER)]


def _values(rows: Iterable[Row], stage: str, measure: str) -> list[float]:
    values = (getattr(row, measure) for row in rows if row.stage == stage)
    return [value for value in values if np.isfinite(value)]


def _means(rows: Sequence[Row], stages: Iterable[str], measure: str) -> list[float]:
    found = (_values(rows, stage, measure) for stage in stages)
    return [float(np.mean(values)) if values else float("nan") for values in found]
