"""A picture of the worst, the median and the best case."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.evaluation.evaluate import Evaluation, answer_of
from napari_lgmsnet.core.evaluation.pairs import Pair
from napari_lgmsnet.core.inspect.figures import save_figure
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.preprocess import turn
from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIAL = "SPL"
OF_REFERENCE, OF_MASK = "#2ca02c", "#ff7f0e"


def extremes(evaluation: Evaluation) -> list[tuple[str, str, float]]:
    """Return which case is the worst, the median and the best: (word, case, Dice)."""
    ranking = evaluation.ranking()
    if not ranking:
        return []
    places = {"worst": 0, "median": len(ranking) // 2, "best": len(ranking) - 1}
    return [(word, *ranking[place]) for word, place in places.items()]


def write_picture(
    path: Path,
    evaluation: Evaluation,
    model: Model | None,
    pairs: Sequence[Pair],
    settings: PredictSettings,
    *,
    foreground_above: int | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, list[tuple[str, str, float]]]:
    """Draw the worst, the median and the best case by Dice: image, outlines, differences.

    The three cases are segmented once more: keeping all of them would take too much memory. Of a
    volume the axial slice with most of the reference is shown.

    Returns
    -------
    list of (word, case, Dice)
        What was drawn; if no reference shows any class, nothing is drawn.
    """
    from matplotlib.figure import Figure

    chosen = extremes(evaluation)
    if not chosen:
        return []
    by_name = {pair.name: pair for pair in pairs}
    figure = Figure(figsize=(9, 3.1 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), 3, squeeze=False)
    for row, (word, case, dice) in enumerate(chosen):
        here = Progress(row, len(chosen), f"drawing {case}")
        job = answer_of(model, by_name[case], settings, foreground_above)
        volumes = yield from progress.within(job, here)
        _draw(grid[row], *volumes, f"{word}: {case}", f"Dice {dice:.3f}")
    save_figure(path, figure, overwrite=overwrite, dpi=120)
    return chosen


def _draw(
    axes: NDArray[Any],
    image: Volume | None,
    mask: Volume,
    reference: Volume,
    title: str,
    words: str,
) -> None:
    own, expected = (_plane(one, reference) for one in (mask, reference))
    picture = np.zeros(own.shape) if image is None else _plane(image, reference)
    steps = _steps(reference)
    for place in axes:
        _show(place, picture, steps)
    for label in sorted({*np.unique(own).tolist(), *np.unique(expected).tolist()} - {0}):
        for plane, colour in ((expected, OF_REFERENCE), (own, OF_MASK)):
            shape = np.pad(plane == label, 1).astype(float)
            if shape.any():
                ends = np.arange(shape.shape[1]) - 1, np.arange(shape.shape[0]) - 1
                axes[1].contour(*ends, shape, levels=[0.5], colors=colour, linewidths=1.2)
    axes[1].set(xlim=(-0.5, own.shape[1] - 0.5), ylim=(own.shape[0] - 0.5, -0.5))
    both, colours = (own != 0) | (expected != 0), np.zeros((*own.shape, 4))
    colours[both & (own == expected)] = (0.2, 0.7, 0.2, 0.45)
    colours[(own == 0) & (expected != 0)] = (0.2, 0.4, 1.0, 0.7)
    colours[(own != 0) & (own != expected)] = (1.0, 0.2, 0.1, 0.7)
    axes[2].imshow(colours, aspect=steps[0] / steps[1], interpolation="nearest")
    axes[0].set_title(title, fontsize=8)
    axes[1].set_title(f"{words}; green: reference, orange: mask", fontsize=8)
    axes[2].set_title("green: agreed, blue: missed, red: wrong", fontsize=8)


def _show(axes: Axes, picture: NDArray[Any], steps: tuple[float, float]) -> None:
    if picture.ndim == 2:
        low, high = np.percentile(picture, (0.5, 99.5))
        picture = np.clip((picture - low) / max(high - low, 1e-12), 0, 1)
    elif picture.dtype != np.uint8:
        picture = np.clip(picture / max(float(picture.max()), 1e-12), 0, 1)
    axes.imshow(picture, cmap="gray", aspect=steps[0] / steps[1], interpolation="nearest")
    axes.set_axis_off()


def _plane(volume: Volume, reference: Volume) -> NDArray[Any]:
    """Return an image as it is, or a volume's axial slice with most of the reference."""
    data = np.asarray(_turned(volume).data)
    if volume.has_channels:
        data = data[..., :3] if data.shape[-1] >= 3 else data[..., 0]
    if volume.ndim_spatial == 2:
        return data
    plane: NDArray[Any] = data[_fullest(np.asarray(_turned(reference).data))]
    return plane


def _fullest(labels: NDArray[Any]) -> int:
    return int(np.count_nonzero(labels, axis=(1, 2)).argmax())


def _turned(volume: Volume) -> Volume:
    return turn(volume, AXIAL)[0] if volume.units == "mm" else volume


def _steps(reference: Volume) -> tuple[float, float]:
    first, second = _turned(reference).spacing[-2:]
    return first, second
