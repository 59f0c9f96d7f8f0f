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
_LONGEST = 24  # letters of a legend's entry, beside which another one fits


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
    several = len({row.checkpoint for row in scored}) > 1
    for checkpoint, name in dict.fromkeys((row.checkpoint, row.class_name) for row in scored):
        mine = [row for row in scored if (row.checkpoint, row.class_name) == (checkpoint, name)]
        label = f"{name}, {checkpoint}" if several else name
        (line,) = axes.plot(stages, _means(mine, stages, measure), "o-", label=label)
        if measure == "energy":
            even = _means(mine, stages, "foreground")
            axes.plot(stages, even, ":", color=line.get_color())
    if measure == "energy":
        axes.plot([], [], ":", color="gray", label="even map")
    axes.set(ylabel=LABELS[measure], ylim=(0, 1.02))
    axes.tick_params(axis="x", rotation=45)
    _legend_above(axes)
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
    _legend_above(axes)
    return figure


def spectrum_figure(spectra: Mapping[str, Spectrum]) -> Figure:
    """Draw how redundant the channels of stages are, as the paper's figure 1c does.

    Above the singular values of each stage; below its effective rank, as a share of its channels
    and in figures. Curves and bars of one stage have one colour.

    Parameters
    ----------
    spectra : mapping of str to Spectrum
        Stage -> its singular values.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    names = _in_order(spectra)
    colours = colormaps["viridis"](np.linspace(0.1, 0.95, len(names)))
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    curves, ranks = figure.subplots(2, 1, height_ratios=(3, 2))
    for place, (name, colour) in enumerate(zip(names, colours, strict=True)):
        one = spectra[name]
        # On a logarithmic axis there is no place for zeros.
        shown = one.values[one.values > 0]
        curves.semilogy(
            np.arange(1, len(shown) + 1), shown / one.values[:1], color=colour, label=name
        )
        share = one.effective_rank / one.channels
        ranks.bar(place, share, color=colour)
        ranks.text(
            place,
            (share if np.isfinite(share) else 0) + 0.03,
            f"{one.effective_rank:.0f}\nof {one.channels}",
            ha="center",
            fontsize=7,
        )
    curves.set(xlabel="singular value", ylabel="size, of the largest")
    ranks.set_xticks(range(len(names)), names, rotation=45)
    ranks.set(ylabel="effective rank", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    ranks.set_yticklabels(["0", "half", "all"])
    return figure


def tinted(figure: Figure, ink: str) -> Figure:
    """Draw lines and letters in a colour and leave out the paper, for a window of any brightness.

    Parameters
    ----------
    figure : matplotlib Figure
        Changed, and returned.
    ink : str
        A colour as matplotlib takes it.
    """
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=ink)
        for side in axes.spines.values():
            side.set_color(ink)
        legend = axes.get_legend()
        texts = [axes.xaxis.label, axes.yaxis.label, axes.title, *axes.texts]
        if legend is not None:
            legend.get_frame().set_alpha(0)
            texts += legend.get_texts()
        for text in texts:
            text.set_color(ink)
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


def _legend_above(axes: Axes) -> None:
    """Say what is what, where it covers nothing."""
    longest = max(len(label) for label in axes.get_legend_handles_labels()[1])
    axes.legend(
        fontsize=7,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2 if longest <= _LONGEST else 1,
        frameon=False,
    )


def _scored(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with foreground, and their stages in the order of the network."""
    scored = [row for row in rows if np.isfinite(row.energy)]
    if not scored:
        raise InputError("no case was compared with a mask: choose a mask with some foreground")
    return scored, _in_order(row.stage for row in scored)


def _in_order(names: Iterable[str]) -> list[str]:
    """Return names of stages without repeats, in the order of the network."""
    found = dict.fromkeys(names)
    return [*filter(found.__contains__, IN_ORDER), *(n for n in found if n not in IN_ORDER)]


def _values(rows: Iterable[Row], stage: str, measure: str) -> list[float]:
    values = (getattr(row, measure) for row in rows if row.stage == stage)
    return [value for value in values if np.isfinite(value)]


def _means(rows: Sequence[Row], stages: Iterable[str], measure: str) -> list[float]:
    found = (_values(rows, stage, measure) for stage in stages)
    return [float(np.mean(values)) if values else float("nan") for values in found]
