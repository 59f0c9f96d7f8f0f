"""What a NIfTI header says of axes and places, in Volume's terms and back.

NIfTI counts voxels x first and its world runs to the right, to the front and up (RAS+). Volume
counts z first and its world runs to the left, to the back and up (LPS+), named in the order z, y,
x. Going from one to the other reverses orders and flips signs, which is exact in floating point,
so that the way back gives the same bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.types import Volume, spacing_from_affine

_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_SCANNER = 1  # code of an affine to the scanner's coordinates
_FLIP = np.array([-1.0, -1.0, 1.0, 1.0])
_APART = 5e-5
"""Millimetres by which the two ways to say where a voxel lies may differ."""


def axes_in(header: Any, path: Path) -> tuple[tuple[int, ...], str]:
    """Return which axes of a file a volume has, and in which order.

    Parameters
    ----------
    header : nibabel header
        Colours, which are stored as records of 8-bit numbers, count as one more axis at the end.
    path : pathlib.Path
        For messages.

    Returns
    -------
    order : tuple of int
        The file's axis for each of the volume's; spatial axes are reversed, and those without
        extent dropped.
    axes : str
        As for :class:`~napari_lgmsnet.core.types.Volume`.

    Raises
    ------
    FileFormatError
        If there are more than a volume can have.
    """
    shape = tuple(header.get_data_shape())
    letters, names = "XYZTCUV"[: len(shape)], header.get_data_dtype().names
    if names:
        letters, shape = letters + "S", (*shape, len(names))
    spatial = "".join(letter for letter in letters if letter in "XYZ")
    extended = [letter for i, letter in enumerate(letters) if letter in "TCUVS" and shape[i] > 1]
    kept = spatial + "".join(extended)
    names_of = {("C" if letter == "S" and "C" not in kept else letter): letter for letter in kept}
    axes = "".join(letter for letter in "TZYXC" if letter in names_of)
    if len(axes) != len(kept) or "YX" not in axes:
        lengths = tuple(shape[letters.index(letter)] for letter in kept)
        raise FileFormatError(
            f'"{path}" has {len(kept)} axes of the lengths {lengths}: x, y, z, time and one '
            "axis of channels can be read. Split the file"
        )
    return tuple(letters.index(names_of[letter]) for letter in axes), axes


def affine_in(header: Any) -> NDArray[np.float64]:
    """Return the header's affine as Volume counts: index (z, y, x) to LPS+ (z, y, x) in mm."""
    affine = np.array(header.get_best_affine(), dtype=np.float64)
    scale = _MILLIMETRES[header.get_xyzt_units()[0]]
    affine[:3] *= scale
    return _reverse(_FLIP[:, None] * affine)


def _reverse(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reverse the order of the axes on both sides."""
    order = [2, 1, 0, 3]
    return affine[np.ix_(order, order)]


def of_dimension(affine: NDArray[np.float64], spatial: int) -> NDArray[np.float64]:
    """Return a 4 x 4 affine for a grid of 2 or 3 axes.

    A plane that does not lie along the world's x and y has no affine of two dimensions; its
    pixel size is what remains. The header in the volume's source still knows where it lies.
    """
    if spatial == 3:
        return affine
    if not affine[0, 1:3].any():
        return affine[1:, 1:]
    return np.diag([*spacing_from_affine(affine)[1:], 1.0])


def set_affine(header: Any, volume: Volume) -> None:
    """Put a volume's own affine into a header."""
    affine = volume.affine
    if volume.ndim_spatial == 2:
        affine = np.block([[np.ones((1, 1)), np.zeros((1, 3))], [np.zeros((3, 1)), affine]])
    affine = _FLIP[:, None] * _reverse(affine)
    code = int(header["sform_code"]) or int(header["qform_code"]) or _SCANNER
    header.set_qform(affine, code)
    header.set_sform(affine, code)
    # A quaternion cannot express shears, and turns by almost 180 degrees only roughly. A program
    # that goes by it must not put the last voxel elsewhere.
    apart = np.abs(header.get_qform() - header.get_sform())[:3]
    shape = (*header.get_data_shape(), 1, 1)[:3]
    if (apart @ [*(size - 1 for size in shape), 1]).max() > _APART:
        header["qform_code"] = 0
    header.set_xyzt_units("mm" if volume.units == "mm" else "unknown")
