"""Fill the planes between painted ones."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lgmsnet.core.components import Window, window_of, windows_of
from napari_lgmsnet.core.edit.change import Change, Labels
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Draft, Scope, checked
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.types import Progress

Floats = NDArray[np.float32]


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
    vessel survives. Half way between shapes that are far apart nothing may be left. Planes that
    show the class already, and those outside the first and the last, are left alone.

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
    planes = np.moveaxis(labels, axis, 0)
    in_plane = tuple(step for other, step in enumerate(spacing) if other != axis)
    tie = np.float32(1e-4 * min(in_plane))
    between = _gaps(planes, label, scope)
    wanted = [plane for plane in sorted(between) if window[axis].start <= plane < window[axis].stop]
    for done, plane in enumerate(wanted):
        yield Progress(done, len(wanted), f"plane {plane}")
        # What lies exactly on the outline is outside, whatever rounding makes of it.
        deepest = np.full(planes.shape[1:], tie, dtype=np.float32)
        values = np.zeros(planes.shape[1:], dtype=labels.dtype)
        for value, below, above in between[plane]:
            part = (plane - below) / (above - below)
            depth = _between(planes[below] == value, planes[above] == value, part, in_plane)
            better = depth > deepest + tie * (values > 0)
            deepest[better] = depth[better]
            values[better] = value
        where = values > 0
        if not overwrite:
            where &= planes[plane] == 0
        box = tuple(
            plane if other == axis else slice(0, size) for other, size in enumerate(labels.shape)
        )
        draft.write(box, where, values)
    return draft.finish()


def _gaps(planes: Labels, label: int | None, scope: Scope) -> dict[int, list[tuple[int, int, int]]]:
    """Return for each plane to paint the labels, and the planes below and above that show them."""
    shown: dict[int, list[int]] = {}
    for value, window in windows_of(planes).items():
        if value in scope.locked_labels or label not in (None, value):
            continue
        painted = (planes[window] == value).any(axis=(1, 2))
        shown[value] = [int(number) + window[0].start for number in np.flatnonzero(painted)]
    gaps: dict[int, list[tuple[int, int, int]]] = {}
    for value, numbers in shown.items():
        for below, above in pairwise(numbers):
            for plane in range(below + 1, above):
                gaps.setdefault(plane, []).append((value, below, above))
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
