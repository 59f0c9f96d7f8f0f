"""How well a mask agrees with a reference: figures for each class, and where they differ."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.components import around, windows_of
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.grids import labels_of, on_same_grid
from napari_lgmsnet.core.metrics import surface_distances
from napari_lgmsnet.core.tables import Cell
from napari_lgmsnet.core.types import Progress, Volume

DIFFERENCES = ("same", "missed", "extra", "other class")
"""What the numbers of a difference mean, from 0 on."""

NONE = float("nan")


@dataclass(frozen=True)
class Agreement:
    """How well one class agrees.

    Parameters
    ----------
    label : int
    name : str
    dice, iou : float
        0 to 1. NaN if neither shows the class, 0 if only one of both does.
    precision : float
        The share of the mask that the reference confirms; NaN if the mask does not show the
        class.
    recall : float
        The share of the reference that the mask found; NaN if the reference does not show it.
    hd95, surface_distance : float
        The 95th percentile of the Hausdorff distance and the average symmetric surface distance,
        in world units; NaN unless both show the class.
    both, found, expected : int
        Voxels of the class in both, in the mask and in the reference.
    reason : str
        Why figures are missing; empty if none is.
    """

    label: int
    name: str
    dice: float
    iou: float
    precision: float
    recall: float
    hd95: float
    surface_distance: float
    both: int
    found: int
    expected: int
    reason: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """A mask compared with a reference.

    Parameters
    ----------
    rows : tuple of Agreement
        By label.
    difference : uint8 array of the mask's shape
        What :data:`DIFFERENCES` names: 0 both say the same, 1 the reference has a class where the
        mask has background (missed), 2 the other way round (extra), 3 both have a class, and not
        the same one.
    unit : str
        Of distances: "mm" or "px".
    """

    rows: tuple[Agreement, ...]
    difference: NDArray[np.uint8]
    unit: str

    def columns(self) -> dict[str, list[Cell]]:
        """Return the rows as columns with units in their headers, for a table or a file."""
        rows = self.rows
        return {
            "label": [row.label for row in rows],
            "class": [row.name for row in rows],
            "Dice": [row.dice for row in rows],
            "IoU": [row.iou for row in rows],
            "precision": [row.precision for row in rows],
            "recall": [row.recall for row in rows],
            f"HD95 ({self.unit})": [row.hd95 for row in rows],
            f"average surface distance ({self.unit})": [row.surface_distance for row in rows],
            "why figures are missing": [row.reason for row in rows],
        }


def compare(
    mask: Volume, reference: Volume, names: Mapping[int, str] | None = None
) -> Generator[Progress, None, Comparison]:
    """Compare a mask with a reference.

    Parameters
    ----------
    mask, reference : Volume
        Labels on ``YX`` or ``ZYX``, on the same grid.
    names : mapping of int to str, optional
        Names of the classes. A class that is named and nowhere shown gets a row without figures.

    Yields
    ------
    Progress
        One a class.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError, GeometryError
        If one of both holds no labels, or they do not lie on the same grid.
    """
    own, other = labels_of(mask), labels_of(reference)
    if not on_same_grid(mask, reference):
        raise GeometryError(
            f'the mask "{mask.name}" {mask.spatial_shape} and the reference "{reference.name}" '
            f"{reference.spatial_shape} do not lie on the same grid: choose the reference of this "
            "image"
        )
    names = {} if names is None else names
    windows = windows_of(own), windows_of(other)
    wanted = sorted((set(windows[0]) | set(windows[1]) | set(names)) - {0})
    rows = []
    for done, label in enumerate(wanted):
        name = names.get(label, f"label {label}")
        yield Progress(done, len(wanted), f"comparing {name}")
        box = around([found[label] for found in windows if label in found])
        if box is None:
            reason = "neither the mask nor the reference shows this class"
            rows.append(Agreement(label, name, *6 * (NONE,), *3 * (0,), reason))
        else:
            steps = mask.affine[:-1, :-1]
            rows.append(_agreement(label, name, own[box] == label, other[box] == label, steps))
    difference = np.zeros(own.shape, dtype=np.uint8)
    difference[own != other] = DIFFERENCES.index("other class")
    difference[(own == 0) & (other > 0)] = DIFFERENCES.index("missed")
    difference[(own > 0) & (other == 0)] = DIFFERENCES.index("extra")
    return Comparison(tuple(rows), difference, "mm" if mask.units == "mm" else "px")


def _agreement(
    label: int,
    name: str,
    own: NDArray[np.bool_],
    other: NDArray[np.bool_],
    steps: NDArray[np.float64],
) -> Agreement:
    """Return the figures of a class that at least one of both shows."""
    both = int(np.count_nonzero(own & other))
    found, expected = int(np.count_nonzero(own)), int(np.count_nonzero(other))
    if found and expected:
        hd95, average = surface_distances(own, other, steps)
        reason = ""
    else:
        hd95 = average = NONE
        reason = f"the {'reference' if found else 'mask'} does not show this class"
    return Agreement(
        label=label,
        name=name,
        dice=2 * both / (found + expected),
        iou=both / (found + expected - both),
        precision=both / found if found else NONE,
        recall=both / expected if expected else NONE,
        hd95=hd95,
        surface_distance=average,
        both=both,
        found=found,
        expected=expected,
        reason=reason,
    )
