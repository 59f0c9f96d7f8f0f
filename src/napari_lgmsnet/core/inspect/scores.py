"""How much of a map lies on the foreground, in numbers.

A map is scored as it lies on the image: every pixel has the value of the cell that covers it.
Since all pixels of a cell are alike, it is enough to count how many of them are foreground.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import CellGrid
from napari_lgmsnet.core.inspect.inspection import Inspection
from napari_lgmsnet.core.inspect.maps import CoarseMap
from napari_lgmsnet.core.types import Progress, Volume

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """How a map agrees with a foreground.

    All are NaN without foreground, and ``auc`` without background as well.

    Parameters
    ----------
    foreground : float
        Share of the pixels that are foreground: the energy share of an even map.
    energy : float
        Share of the map's energy, the sum of its squares, on the foreground. For the L2 norm of a
        stage that is the energy of all channels. A map equal to the mask has 1, its complement 0.
    pointing : float
        Pointing game (Zhang et al., IJCV 2018): whether the map's peak lies on the foreground.
        All pixels of the peak's cell are equally high, so this is the share of them that are
        foreground: what a draw among them would reach on average.
    auc : float
        Area under the receiver operating characteristic curve of the map's values. Below 0.5 the
        foreground is darker than the rest.
    dice, iou : float
        Overlap of the foreground with the pixels above a threshold, the best over all thresholds.
    """

    foreground: float
    energy: float
    pointing: float
    auc: float
    dice: float
    iou: float


@dataclass(frozen=True)
class Counts:
    """How many pixels of each cell are foreground, and how many are not.

    Parameters
    ----------
    inside, outside : float64 array (*cells)
    """

    inside: FloatArray
    outside: FloatArray


def count(cells: CellGrid, mask: NDArray[np.bool_]) -> Counts:
    """Count the pixels of a mask in each cell.

    Raises
    ------
    InputError
        If the mask does not lie on the image's grid.
    """
    if mask.shape != cells.volume_shape:
        raise InputError(
            f"the mask has the shape {mask.shape}, the image {cells.volume_shape}: choose the mask "
            "of this image"
        )
    inside = cells.count(mask)
    return Counts(inside, cells.voxels() - inside)


def score(values: NDArray[np.floating], counts: Counts) -> Score:
    """Score a map.

    Parameters
    ----------
    values : float array (*cells)
    counts : Counts
        Of the same cells.
    """
    inside, outside = counts.inside.ravel(), counts.outside.ravel()
    held = (inside + outside) > 0
    inside, outside = inside[held], outside[held]
    flat = np.asarray(values, dtype=np.float64).ravel()[held]
    pixels, foreground = inside.sum() + outside.sum(), inside.sum()
    if not foreground:
        return Score(*(float("nan"),) * 6)
    squares = flat**2
    energy = _ratio(float(squares @ inside), float(squares @ (inside + outside)))
    peak = flat == flat.max()
    pointing = inside[peak].sum() / (inside + outside)[peak].sum()
    hits, alarms = _above(flat, inside, outside)
    # Pixels of equal value count half: trapezoids under the curve.
    wins = np.sum(np.diff(alarms, prepend=0) * (hits + np.r_[0, hits[:-1]]) / 2)
    iou = float(np.max(hits / (foreground + alarms)))
    return Score(
        foreground=float(foreground / pixels),
        energy=energy,
        pointing=float(pointing),
        auc=_ratio(wins, foreground * outside.sum()),
        dice=2 * iou / (1 + iou),
        iou=iou,
    )


def score_map(coarse: CoarseMap, mask: NDArray[np.bool_]) -> Score:
    """Score a map against a mask on the image's grid.

    Raises
    ------
    InputError
        If the map holds colours, or the mask is that of another image.
    """
    if coarse.colours:
        raise InputError("colours have no size: score the mean, the norm or one channel")
    return score(coarse.data, count(coarse.cells, mask))


def rank_channels(
    inspection: Inspection, stage: str, mask: NDArray[np.bool_]
) -> Generator[Progress, None, list[tuple[int, float]]]:
    """Rank a stage's channels by how well they separate a mask.

    Parameters
    ----------
    inspection : Inspection
        With the stage loaded.
    stage : str
    mask : bool array (*S)
        On the image's grid.

    Yields
    ------
    Progress
        One a channel.

    Returns
    -------
    list of (channel, auc)
        The channel whose area under the curve is farthest from 0.5 first: one that is dark on
        the foreground separates as well as one that is bright.

    Raises
    ------
    InputError
        If the mask is empty or full, or that of another image.
    """
    features = inspection.features(stage)
    counts = count(inspection.cells(stage), mask)
    if not counts.inside.any() or not counts.outside.any():
        raise InputError("the mask has no foreground, or nothing else: no channel separates it")
    ranked = []
    for channel, values in enumerate(features):
        yield Progress(channel, len(features), f"channel {channel + 1} of {len(features)}")
        ranked.append((channel, score(values, counts).auc))
    return sorted(ranked, key=lambda one: -abs(one[1] - 0.5))


def classes_in(
    inspection: Inspection, mask: Volume | NDArray[np.integer]
) -> dict[str, NDArray[np.bool_]]:
    """Return the foreground classes of a mask by name, each as a bool array (*S).

    Classes of the checkpoint come in its order, absent ones too; other labels follow. If there
    is more than one, all together come first. A single label stands for a checkpoint's only
    class, whatever its value (pictures use 255).
    """
    array = np.asarray(mask.data if isinstance(mask, Volume) else mask)
    if array.shape != inspection.volume.spatial_shape:
        raise InputError(
            f"the mask has the shape {array.shape}, the image {inspection.volume.spatial_shape}: "
            "choose the mask of this image"
        )
    names = dict(enumerate(one.name for one in inspection.model.info.classes))
    present = [int(value) for value in np.unique(array) if value]
    if len(names) == 2 and len(present) <= 1:
        return {names[1]: array != 0}
    values = [*range(1, len(names)), *(value for value in present if value not in names)]
    found = {names.get(value, f"label {value}"): array == value for value in values}
    return {"all classes": array != 0} | found


def _above(
    flat: FloatArray, inside: FloatArray, outside: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how much foreground and background lies at or above each value, highest first."""
    order = np.argsort(-flat, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(flat[order])), flat.size - 1)
    hits: FloatArray = np.cumsum(inside[order])[ends]
    alarms: FloatArray = np.cumsum(outside[order])[ends]
    return hits, alarms


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
