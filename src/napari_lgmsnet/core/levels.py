"""Levels of a pyramid: which one suits a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.arrays import DIRECTIONS
from napari_lgmsnet.core.recipes import Recipe
from napari_lgmsnet.core.types import Units, spacing_from_affine

_ROUNDING = 1.001
"""A level that is coarser by this little counts as one that is not."""


def choose_level(
    shapes: Sequence[tuple[int, ...]],
    affine: NDArray[np.float64],
    units: Units,
    recipe: Recipe,
    *,
    native: bool = False,
    part: tuple[int, ...] | None = None,
) -> int:
    """Return the coarsest level that loses nothing of what a recipe shows to the network.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Spatial shape of each level, the finest first.
    affine : float array (d + 1, d + 1)
        Of the finest level, spatial axes only.
    units : "mm" or "pixel"
    recipe : Recipe
        One that resamples to a spacing gets the coarsest level that is not coarser than that;
        one that resizes the image the coarsest that is not smaller than its size; others the
        finest.
    native : bool
        The image is not resized, whatever the recipe says.
    part : tuple of int, optional
        Size of the part that will be segmented, in voxels of the finest level; all of it
        without.

    Returns
    -------
    int
        0 for the finest.
    """
    suits = _suits(shapes[0], affine, units, recipe, native=native, part=part or shapes[0])
    found = 0
    for level, shape in enumerate(shapes):
        if suits(np.divide(shapes[0], shape)):
            found = level
    return found


def _suits(
    shape: tuple[int, ...],
    affine: NDArray[np.float64],
    units: Units,
    recipe: Recipe,
    *,
    native: bool,
    part: tuple[int, ...],
) -> Any:
    """Return a function that tells of a ratio along each axis whether it loses nothing."""
    axes = _axes(affine, recipe.orientation)
    if recipe.spacing is not None and units == "mm" and len(shape) == 3:
        spacing = np.array(spacing_from_affine(affine))[axes]
        limit = np.array(recipe.spacing) * _ROUNDING
        return lambda ratio: bool((spacing * ratio[axes] <= limit).all())
    if recipe.size is not None and not native:
        plane, size = axes[-2:], np.array(recipe.size)
        return lambda ratio: bool((np.array(part)[plane] / ratio[plane] >= size).all())
    return lambda ratio: bool((ratio == 1).all())


def _axes(affine: NDArray[np.float64], orientation: str | None) -> list[int]:
    """Return the grid's axis that runs closest to each direction of an orientation."""
    count = len(affine) - 1
    if orientation is None or count == 2:
        return list(range(count))
    cosines = np.abs(affine[:-1, :-1] / np.linalg.norm(affine[:-1, :-1], axis=0))
    axes: list[int] = []
    for letter in orientation:
        row = cosines[DIRECTIONS[letter][0]].copy()
        row[axes] = -1
        axes.append(int(row.argmax()))
    return axes
