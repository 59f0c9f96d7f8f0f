"""From the places of slices to one affine, or what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError

_SHARE, _ROUNDING, _MOST = 0.02, 0.1, 0.2
_WHOLE = 0.1
"""How far a gap may be from a multiple of the usual distance to be taken for missing slices."""


def affine_of_planes(
    positions: NDArray[np.float64],
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
    thickness: float,
    paths: list[Path],
) -> NDArray[np.float64]:
    """Return the affine of parallel slices.

    The step from slice to slice is taken from the first and the last position, so slices that are
    sheared against each other, as with a tilted gantry, keep their exact places.

    Parameters
    ----------
    positions : float array (n, 3)
        Of the first pixel of each slice, x, y, z in mm, in order along the normal.
    orientation : tuple of 6 float
        Directions in which columns and rows count up, x, y, z each.
    spacing : tuple of 2 float
        Distance of rows and of columns in mm.
    thickness : float
        Distance to the next slice in mm, which counts if there is but one.
    paths : list of Path
        Of the slices, to name in errors.

    Returns
    -------
    float64 array (4, 4)
        From index (z, y, x) to LPS+ (z, y, x) in mm.

    Raises
    ------
    FileFormatError
        If a slice lies more than 0.1 mm (of thin slices: a fifth of the step, of thick ones 2 %)
        from where even spacing would put it.
    """
    columns, rows = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(columns, rows)
    if len(positions) == 1:
        step = normal * thickness
    else:
        step = (positions[-1] - positions[0]) / (len(positions) - 1)
        even = positions[0] + np.arange(len(positions))[:, None] * step
        length = float(step @ normal)
        tolerance = max(_SHARE * length, min(_ROUNDING, _MOST * length))
        if length <= 0 or np.linalg.norm(positions - even, axis=1).max() > tolerance:
            raise _not_even(positions, normal, tolerance, paths)
    affine = np.eye(4)
    for axis, vector in enumerate((step, rows * spacing[0], columns * spacing[1], positions[0])):
        affine[:3, axis] = vector[::-1]
    return affine


def _not_even(
    positions: NDArray[np.float64],
    normal: NDArray[np.float64],
    tolerance: float,
    paths: list[Path],
) -> FileFormatError:
    """Return what is wrong with slices that do not lie evenly."""
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    unusual = np.flatnonzero(np.abs(gaps - usual) > tolerance)
    if usual <= tolerance / 2:
        return FileFormatError(
            f'slices lie beside each other, for example "{paths[0]}" and "{paths[1]}": one above '
            "the other is expected. Move the files of each stack to a folder of its own"
        )
    if not len(unusual):
        return FileFormatError(
            f'slices from "{paths[0]}" to "{paths[-1]}" are shifted sideways against each other, '
            f"or {gaps.min():.3f} to {gaps.max():.3f} mm apart: even steps along one line are "
            "expected. Export the series again with even spacing"
        )
    place = int(unusual[0])
    between = (
        f'"{paths[place]}" and "{paths[place + 1]}" are {gaps[place]:.2f} mm apart, '
        f"{usual:.2f} mm are expected"
    )
    multiples = gaps[unusual] / usual
    if (multiples > 1.5).all() and (np.abs(multiples - multiples.round()) < _WHOLE).all():
        count = int((multiples.round() - 1).sum())
        words = "slice is" if count == 1 else "slices are"
        return FileFormatError(
            f"{count} {words} missing: {between}. Copy or export the series again, completely"
        )
    return FileFormatError(
        f"slices are unevenly spaced: {between}. Export the series again with even spacing, or "
        "move the part that is even to a folder of its own"
    )
