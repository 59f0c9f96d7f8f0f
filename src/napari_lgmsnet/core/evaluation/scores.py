"""The figures of one case and class."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from napari_lgmsnet.core.agreement import NONE, compare
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.io.labels import as_labels
from napari_lgmsnet.core.tables import Cell
from napari_lgmsnet.core.types import Progress, Volume

WHITE = 255
MIDDLE = 127


@dataclass(frozen=True)
class CaseScore:
    """How well one class of one case agrees with the reference.

    Parameters
    ----------
    case : str
    label : int
    class_name : str
    dice, iou, precision, recall : float
        0 to 1. NaN where the reference does not show the class; precision also where the mask
        does not.
    hd95, surface_distance : float
        The 95th percentile of the Hausdorff distance and the average symmetric surface distance;
        NaN unless both show the class.
    unit : str
        Of distances: "mm" or "px".
    both, found, expected : int
        Voxels of the class in both, in the mask and in the reference.
    reason : str
        Why figures are missing; empty if none is.
    """

    case: str
    label: int
    class_name: str
    dice: float
    iou: float
    precision: float
    recall: float
    hd95: float
    surface_distance: float
    unit: str
    both: int
    found: int
    expected: int
    reason: str


def score(
    case: str, mask: Volume, reference: Volume, names: Mapping[int, str]
) -> Generator[Progress, None, list[CaseScore]]:
    """Compare a mask with its reference, class by class.

    Raises
    ------
    InputError, GeometryError
        As :func:`~napari_lgmsnet.core.agreement.compare`.
    """
    comparison = yield from compare(mask, reference, names)
    scores = []
    for row in comparison.rows:
        figures = asdict(row)
        if not row.expected:
            figures |= dict.fromkeys(("dice", "iou", "precision"), NONE)
        scores.append(
            CaseScore(case, class_name=figures.pop("name"), unit=comparison.unit, **figures)
        )
    return scores


def case_columns(scores: Sequence[CaseScore]) -> dict[str, list[Cell]]:
    """Return scores as columns, for a table or a file."""
    return {
        "case": [one.case for one in scores],
        "label": [one.label for one in scores],
        "class": [one.class_name for one in scores],
        "Dice": [one.dice for one in scores],
        "IoU": [one.iou for one in scores],
        "precision": [one.precision for one in scores],
        "recall": [one.recall for one in scores],
        "HD95": [one.hd95 for one in scores],
        "average surface distance": [one.surface_distance for one in scores],
        "unit of distances": [one.unit for one in scores],
        "voxels in both": [one.both for one in scores],
        "voxels in mask": [one.found for one in scores],
        "voxels in reference": [one.expected for one in scores],
        "why figures are missing": [one.reason for one in scores],
    }


def read_reference(
    source: Path | Volume, classes: int | None, foreground_above: int | None = None
) -> Volume:
    """Read a mask as class numbers.

    Parameters
    ----------
    source : Path or Volume
    classes : int, optional
        How many there are, background included; unknown without.
    foreground_above : int, optional
        Values above it are class 1. Without it values are class numbers, but where these can
        only be grey levels they are cut in the middle: numbers above 127 where one class is
        expected, or nothing but 0 and 255 where the number of classes is not known.

    Raises
    ------
    InputError
        If it is no mask, or holds unknown classes.
    """
    if foreground_above is not None:
        return _cut(read(source) if isinstance(source, Path) else source, foreground_above)
    labels = read_labels(source) if isinstance(source, Path) else as_labels(source)
    values = np.unique(labels.data)
    highest = int(values.max(initial=0))
    grey = MIDDLE < highest <= WHITE
    if grey and (classes == 2 or (classes is None and set(values.tolist()) <= {0, WHITE})):
        return _cut(labels, MIDDLE)
    if classes is not None and highest >= classes:
        raise InputError(
            f'the mask "{labels.name}" holds the label {highest}; known are 0 to {classes - 1}: '
            "choose the checkpoint for these classes, or say above which value is foreground"
        )
    return labels


def _cut(volume: Volume, above: int) -> Volume:
    levels = np.asarray(volume.data)
    if volume.has_channels:
        levels = levels[..., :3].max(axis=-1)
    return volume.with_data((levels > above).astype(np.uint8), volume.axes.removesuffix("C"))
