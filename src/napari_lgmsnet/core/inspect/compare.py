"""Two checkpoints on one image, or any two maps of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import CellGrid
from napari_lgmsnet.core.inspect.inspection import Inspection
from napari_lgmsnet.core.inspect.maps import CoarseMap, stage_map
from napari_lgmsnet.core.inspect.numbers import Row, number_stages
from napari_lgmsnet.core.types import Volume


@dataclass(frozen=True)
class Comparison:
    """Two maps of one image.

    Parameters
    ----------
    first, second : CoarseMap
    difference : CoarseMap
        Second minus first: on their cells if those are the same, otherwise on the image's grid;
        NaN where either network saw nothing.
    correlation : float
        Of both over all pixels (Pearson); NaN if one is even.
    change : float
        Mean size of the difference.
    rows : tuple of Row
        Scores of both against a mask, of the first one first; two checkpoints of one name are
        told apart.
    """

    first: CoarseMap
    second: CoarseMap
    difference: CoarseMap
    correlation: float
    change: float
    rows: tuple[Row, ...] = ()


def compare(
    first: Inspection,
    second: Inspection,
    stage: str,
    reduce: str = "mean",
    *,
    channel: int | None = None,
    mask: Volume | NDArray[np.integer] | None = None,
) -> Comparison:
    """Compare a stage of two checkpoints, such as before and after fine-tuning.

    Parameters
    ----------
    first, second : Inspection
        Of one image, with the stage loaded.
    stage, reduce, channel
        As for :func:`~napari_lgmsnet.core.inspect.maps.stage_map`; not ``components``, whose
        axes differ between two networks.
    mask : Volume or integer array (*S), optional
        Both are scored against it.

    Raises
    ------
    InputError
        If the maps cannot be made or compared, or the mask is that of another image.
    """
    maps = [stage_map(one, stage, reduce, channel) for one in (first, second)]
    names = [one.model.info.name for one in (first, second)]
    if names[0] == names[1]:
        names[1] = f"{names[1]} (second)"
    rows: list[Row] = []
    for one, name in zip((first, second), names, strict=True):
        numbers = number_stages(one, mask, reduce, channel)[0] if mask is not None else []
        rows += [replace(row, checkpoint=name) for row in numbers if row.stage == stage]
    return compare_maps(*maps, rows=tuple(rows))


def compare_maps(first: CoarseMap, second: CoarseMap, *, rows: tuple[Row, ...] = ()) -> Comparison:
    """Compare two maps of one image, whatever they were made from.

    Raises
    ------
    InputError
        If they are of different images, or hold colours.
    """
    if first.colours or second.colours:
        raise InputError("colours of two networks cannot be compared: choose the mean or the norm")
    same_image = first.volume.spatial_shape == second.volume.spatial_shape and np.allclose(
        first.volume.affine, second.volume.affine
    )
    if not same_image:
        raise InputError(
            f'"{first.volume.name}" and "{second.volume.name}" do not lie on one grid: compare '
            "two checkpoints on the same image"
        )
    before, after, cells = first.data, second.data, first.cells
    if cells != second.cells:
        before, after = first.on_grid().data, second.on_grid().data
        shape = first.volume.spatial_shape
        cells = CellGrid(shape, (0.0,) * len(shape), (1.0,) * len(shape), shape)
    data = after - before
    seen = np.isfinite(data)
    x, y = before[seen].astype(np.float64), after[seen].astype(np.float64)
    even = not x.size or x.min() == x.max() or y.min() == y.max()
    return Comparison(
        first=first,
        second=second,
        difference=CoarseMap(data, cells, first.volume, first.stage, "difference", signed=True),
        correlation=float("nan") if even else float(np.corrcoef(x, y)[0, 1]),
        change=float(np.abs(y - x).mean()) if x.size else float("nan"),
        rows=rows,
    )
