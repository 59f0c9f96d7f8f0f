"""Fill the planes between painted ones."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lgmsnet.core.components import Window, window_of, windows_of
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, checked
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.types import Progress

Floats = NDArray[np.float32]
Planes = dict[int, tuple[NDArray[np.bool_], Labels]]


class Gap(NamedTuple):
    """Planes between two that show a class."""

    value: int
    below: int
    above: int
    planes: range


def interpolate(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope = EVERYWHERE,
    *,
    axis: int = 0,
    label: int | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, Change]:
    """Paint a class in the empty planes between two in which it is painted.

    Between two planes the signed distance to the outline passes linearly from one to the other
    (shape-based interpolation after Raya and Udupa 1990). Where both shapes overlap more with
    their centres of mass laid on each other, these move on a straight line, so that a slanted
    vessel survives. Half way between shapes that are far apart nothing may be left: such a gap is
    left alone, so that no object is half painted. So are planes that show the class already, and
    those outside the first and the last.

    Parameters
    ----------
    labels : integer array (Z, Y, X)
        The mask; not changed.
    spacing : tuple of float
        Voxel size along each axis, in mm.
    scope : Scope
        Its own ``axis`` is of no meaning here.
    axis : int
        The planes are those across this axis.
    label : int, optional
        The class. Without it every class that is not locked; where two meet, the one whose
        outline is farther away wins.
    overwrite : bool
        Whether other labels may be overwritten as well, and not background only. Locked ones
        never are.

    Yields
    ------
    Progress
        One a plane.

    Returns
    -------
    Change

    Raises
    ------
    InputError, GeometryError
        If mask, label, axis and scope do not suit each other, or the label is locked.
    """
    labels = checked(labels, spacing, scope, label)
    if labels.ndim != 3 or not 0 <= axis < 3:
        raise GeometryError(
            f"a mask of shape {labels.shape} has no planes across axis {axis}: only a volume is "
            "interpolated"
        )
    draft = Draft(labels, scope)
    window = scope.window(labels.shape)
    if window is None:
        return draft.finish()
    gaps = _gaps(np.moveaxis(labels, axis, 0), label, scope, window[axis])
    # Painting one gap can make another one paintable: go on until nothing is left to paint, so
    # that doing it again changes nothing.
    now, painted = labels, True
    while gaps and painted:
        planes, gaps = yield from _filled(now, spacing, scope, axis, gaps, overwrite=overwrite)
        painted = bool(planes)
        if painted:
            now = now.copy() if now is labels else now
            for plane, (where, values) in planes.items():
                np.moveaxis(now, axis, 0)[plane][where] = values[where]
    if now is not labels:
        for plane in range(window[axis].start, window[axis].stop):
            box = _box_of(plane, axis, labels.shape)
            draft.write(box, now[box] != labels[box], now[box])
    return draft.finish()


def _filled(
    labels: Labels,
    spacing: tuple[float, ...],
    scope: Scope,
    axis: int,
    gaps: list[Gap],
    *,
    overwrite: bool,
) -> Generator[Progress, None, tuple[Planes, list[Gap]]]:
    """Return what to paint in each plane, and the gaps that were left alone.

    Where a plane of a gap would stay empty none of it is painted.
    """
    planes = np.moveaxis(labels, axis, 0)
    in_plane = tuple(step for other, step in enumerate(spacing) if other != axis)
    tie = np.float32(1e-4 * min(in_plane))
    left: list[Gap] = []
    while True:
        result: Planes = {}
        empty: set[Gap] = set()
        wanted = sorted({plane for gap in gaps for plane in gap.planes})
        for done, plane in enumerate(wanted):
            yield Progress(done, len(wanted), f"plane {plane}")
            here = [gap for gap in gaps if plane in gap.planes]
            # What lies exactly on the outline is outside, whatever rounding makes of it.
            deepest = np.full(planes.shape[1:], tie, dtype=np.float32)
            values = np.zeros(planes.shape[1:], dtype=labels.dtype)
            for gap in here:
                part = (plane - gap.below) / (gap.above - gap.below)
                first, second = planes[gap.below] == gap.value, planes[gap.above] == gap.value
                depth = _between(first, second, part, in_plane)
                better = depth > deepest + tie * (values > 0)
                deepest[better] = depth[better]
                values[better] = gap.value
            where = values > 0
            if not overwrite:
                where &= planes[plane] == 0
            box = _box_of(plane, axis, labels.shape)
            where &= _permitted(labels, scope, box, where, values)
            shown = set(np.unique(values[where]).tolist())
            empty.update(gap for gap in here if gap.value not in shown)
            result[plane] = (where, values)
        if not empty:
            return result, left
        left += [gap for gap in gaps if gap in empty]
        gaps = [gap for gap in gaps if gap not in empty]


def _box_of(plane: int, axis: int, shape: tuple[int, ...]) -> Box:
    return tuple(plane if one == axis else slice(0, size) for one, size in enumerate(shape))


def _permitted(
    labels: Labels, scope: Scope, box: Box, where: NDArray[np.bool_], values: Labels
) -> NDArray[np.bool_]:
    """Return which voxels of a plane the scope permits to change."""
    inside = np.nonzero(where)
    axes = iter(inside)
    count = inside[0].size
    indices = tuple(
        next(axes) if isinstance(part, slice) else np.full(count, part, np.intp) for part in box
    )
    permitted = np.zeros(where.shape, dtype=bool)
    permitted[inside] = scope.permits(indices, labels[indices], values[inside], labels.shape)
    return permitted


def _gaps(planes: Labels, label: int | None, scope: Scope, within: slice) -> list[Gap]:
    """Return where planes are to be painted, as far as they lie within some planes."""
    gaps = []
    for value, window in windows_of(planes).items():
        if value in scope.locked_labels or label not in (None, value):
            continue
        painted = (planes[window] == value).any(axis=(1, 2))
        shown = [int(number) + window[0].start for number in np.flatnonzero(painted)]
        for below, above in pairwise(shown):
            wanted = range(max(below + 1, within.start), min(above, within.stop))
            if wanted:
                gaps.append(Gap(value, below, above, wanted))
    return gaps


def _between(
    below: NDArray[np.bool_], above: NDArray[np.bool_], part: float, spacing: tuple[float, ...]
) -> Floats:
    """Return the signed distance (mm, positive inside) part of the way between two shapes."""
    depth = np.full(below.shape, -1.0, dtype=np.float32)
    window = window_of(below | above)
    assert window is not None, "both planes show the class"
    first, second = below[window], above[window]
    way = _centre(second) - _centre(first)
    # Room for the shift, and a frame of background around a shape that fills its box. At the
    # border of the image shapes are cut off: there they go on.
    room = [(int(np.ceil(abs(step))) + 1,) * 2 for step in way]
    first, second = (_framed(shape, room, window, below.shape) for shape in (first, second))
    moved = np.roll(second, -np.rint(way).astype(int), axis=range(way.size))
    if np.count_nonzero(first & moved) <= np.count_nonzero(first & second):
        way = np.zeros_like(way)
    mixed = (1 - part) * _shifted(_signed(first, spacing), part * way) + part * _shifted(
        _signed(second, spacing), -(1 - part) * way
    )
    # Between two shapes nothing lies outside the box around both.
    depth[window] = mixed[tuple(slice(before, -after) for before, after in room)]
    return depth


def _framed(
    shape: NDArray[np.bool_], room: list[tuple[int, int]], window: Window, image: tuple[int, ...]
) -> NDArray[np.bool_]:
    for axis, (around, part, size) in enumerate(zip(room, window, image, strict=True)):
        cut_off = (part.start == 0, part.stop == size)
        for end, goes_on in enumerate(cut_off):
            widths = [(0, 0)] * shape.ndim
            widths[axis] = (around[0], 0) if end == 0 else (0, around[1])
            shape = np.pad(shape, widths, mode="edge" if goes_on else "constant")
    return shape


def _centre(shape: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array(ndimage.center_of_mass(shape))


def _signed(shape: NDArray[np.bool_], spacing: tuple[float, ...]) -> Floats:
    """Return the distance to the other side of the outline: positive inside, negative outside."""
    outside = ndimage.distance_transform_edt(~shape, sampling=spacing)
    if shape.all():
        # No outline to measure from: as deep as the image is large.
        inside = np.full(shape.shape, np.linalg.norm(np.multiply(shape.shape, spacing)))
    else:
        inside = ndimage.distance_transform_edt(shape, sampling=spacing)
    return np.asarray(inside - outside, dtype=np.float32)


def _shifted(depth: Floats, way: NDArray[np.float64]) -> Floats:
    if not way.any():
        return depth
    return np.asarray(ndimage.shift(depth, way, order=1, mode="nearest"), dtype=np.float32)
