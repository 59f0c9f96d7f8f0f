"""Measures of classes and their objects: number, size, diameter, place, intensity."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.components import Window, objects_in, shifted, windows_of
from napari_lgmsnet.core.diameter import longest_diameter
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.grids import labels_of, on_same_grid
from napari_lgmsnet.core.measures import Measure, Measures
from napari_lgmsnet.core.types import Progress, Volume

_LUMINANCE = np.array([0.299, 0.587, 0.114])
NONE = float("nan")


def measure(
    mask: Volume,
    image: Volume | None = None,
    names: Mapping[int, str] | None = None,
    *,
    only: frozenset[int] | None = None,
) -> Generator[Progress, None, Measures]:
    """Measure every class of a mask and every object of each class.

    Sizes and centroids are exact for any affine, sheared ones included.

    Parameters
    ----------
    mask : Volume
        Labels on ``YX`` or ``ZYX``.
    image : Volume, optional
        On the same grid: what intensities are taken from.
    names : mapping of int to str, optional
        Names of the classes. A class that is named and not there gets a row of zeros.
    only : frozenset of int, optional
        Measure these labels only: enough after an edit that changed no others.

    Yields
    ------
    Progress
        One a class.

    Returns
    -------
    Measures

    Raises
    ------
    InputError, GeometryError
        If the mask holds no labels, or the image does not lie on its grid.
    """
    labels = labels_of(mask)
    pixels = None if image is None else _pixels(image, mask)
    names = {} if names is None else names
    windows = windows_of(labels)
    wanted = sorted((set(windows) | set(names)) - {0} if only is None else only - {0})
    rows: list[Measure] = []
    for done, label in enumerate(wanted):
        name = names.get(label, f"label {label}")
        yield Progress(done, len(wanted), f"measuring {name}")
        window = windows.get(label)
        if window is None:
            rows.append(_absent(label, name, mask.ndim_spatial))
        else:
            rows += _rows(labels, label, name, window, mask.affine, pixels)
    return Measures(tuple(rows), "mm" if mask.units == "mm" else "px", mask.ndim_spatial)


def _rows(
    labels: NDArray[np.integer[Any]],
    label: int,
    name: str,
    window: Window,
    affine: NDArray[np.float64],
    pixels: NDArray[Any] | None,
) -> list[Measure]:
    """Return the row of a class and those of its objects."""
    mask = labels[window] == label
    found = [
        _measure_one(label, name, shifted(inner, window), own, affine, pixels)
        for inner, own in objects_in(mask)
    ]
    found.sort(key=lambda row: -row.voxels)
    if len(found) == 1:
        whole = found[0]
    else:
        longest = max(row.longest_diameter for row in found)
        whole = _measure_one(label, name, window, mask, affine, pixels, longest)
    return [
        replace(whole, part=0, objects=len(found)),
        *(replace(row, part=part) for part, row in enumerate(found, start=1)),
    ]


def _measure_one(
    label: int,
    name: str,
    box: Window,
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    pixels: NDArray[Any] | None,
    longest: float | None = None,
) -> Measure:
    voxels = int(np.count_nonzero(mask))
    steps = affine[:-1, :-1]
    index = []
    for axis, part in enumerate(box):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        here = mask.sum(axis=others)
        index.append(part.start + float(here @ np.arange(here.size)) / voxels)
    centroid = steps @ np.array(index) + affine[:-1, -1]
    mean, sd, low, high = (NONE,) * 4 if pixels is None else _statistics(pixels[box][mask])
    return Measure(
        label=label,
        name=name,
        part=0,
        objects=1,
        voxels=voxels,
        size=voxels * abs(float(np.linalg.det(steps))),
        longest_diameter=longest_diameter(mask, steps) if longest is None else longest,
        box=box,
        centroid=tuple(float(place) for place in centroid),
        mean=mean,
        sd=sd,
        minimum=low,
        maximum=high,
    )


def _absent(label: int, name: str, dimensions: int) -> Measure:
    nowhere = (slice(0, 0),) * dimensions
    return Measure(
        label, name, 0, 0, 0, 0.0, 0.0, nowhere, (NONE,) * dimensions, NONE, NONE, NONE, NONE
    )


def _statistics(values: NDArray[Any]) -> tuple[float, float, float, float]:
    """Return mean, standard deviation, lowest and highest of intensities (n,) or colours (n, C)."""
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else values[:, :3] @ _LUMINANCE
    values = values[np.isfinite(values)]
    if values.size == 0:
        return (NONE,) * 4
    # In double precision, since the mean of many large numbers loses digits in single.
    mean, sd = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return float(mean), float(sd), float(values.min()), float(values.max())


def _pixels(image: Volume, mask: Volume) -> NDArray[Any]:
    if image.axes.startswith("T") or image.data.dtype.kind not in "buif":
        raise InputError(
            f'"{image.name}" is {image.data.dtype} with axes "{image.axes}": choose one frame of '
            "real numbers"
        )
    if image.has_channels and image.data.shape[-1] not in (1, 3, 4):
        raise InputError(
            f'"{image.name}" has {image.data.shape[-1]} channels: choose the one to measure'
        )
    if not on_same_grid(image, mask):
        raise GeometryError(
            f'the mask "{mask.name}" {mask.spatial_shape} does not lie on "{image.name}" '
            f"{image.spatial_shape}: choose the image that it was made for"
        )
    return image.loaded().data
