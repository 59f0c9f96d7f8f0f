"""Where the frames of a DICOM SEG lie: it may hold several, or none, of a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.dicom.arrange import arrange
from napari_lgmsnet.core.io.dicom.folder import survey
from napari_lgmsnet.core.io.dicom.frames import Frame, frames_of
from napari_lgmsnet.core.io.dicom.grid import affine_of_planes
from napari_lgmsnet.core.types import Units

_SAME_PLACE = 1e-2  # mm
_WHOLE = 0.1
_CLOSE = 1e-3


@dataclass(frozen=True)
class Grid:
    """The grid of a mask, and the plane of each frame.

    Parameters
    ----------
    planes : tuple of int
        For each frame, the index of its plane.
    depth : int
        Number of planes.
    axes : str
        ``YX`` or ``ZYX``.
    affine : float64 array
        As for :class:`~napari_lgmsnet.core.types.Volume`.
    units : "mm" or "pixel"
    """

    planes: tuple[int, ...]
    depth: int
    axes: str
    affine: NDArray[np.float64]
    units: Units


def grid_of(frames: Sequence[Frame], between: float | None, references: Sequence[str]) -> Grid:
    """Return the grid that the frames of a mask lie on.

    Parameters
    ----------
    frames : sequence of Frame
    between : float, optional
        Distance of neighbouring slices in mm, where the file gives it.
    references : sequence of str
        UIDs of the images that the mask belongs to.

    Raises
    ------
    FileFormatError
        If they lie on none.
    """
    first = frames[0]
    if first.position is None:
        one = arrange(frames[:1])
        return Grid((0,) * len(frames), 1, one.axes, one.affine, one.units)
    if first.orientation is None or first.spacing is None:
        raise FileFormatError(
            f'"{first.path}" does not say how its frames lie: export it again with plane '
            "orientation and pixel spacing"
        )
    positions = np.array([frame.position for frame in frames])
    heights = positions @ np.cross(first.orientation[:3], first.orientation[3:])
    order = np.argsort(heights, kind="stable")
    new = np.diff(heights[order], prepend=-np.inf) > _SAME_PLACE
    known = positions[order][new]  # one for each slice that is there
    rank = np.empty(len(frames), dtype=int)
    rank[order] = np.cumsum(new) - 1
    index = _indices(heights[order][new], between)
    depth = int(index[-1]) + 1
    every = known[0] + np.arange(depth)[:, None] * (known[-1] - known[0]) / max(1, depth - 1)
    every[index] = known
    affine = affine_of_planes(
        every, first.orientation, first.spacing, between or first.thickness or 1.0,
        [first.path] * depth,
    )  # fmt: skip
    grid = Grid(tuple(index[rank].tolist()), depth, "ZYX", affine, "mm")
    if len(known) < len(references):
        return _among_images(grid, first, references)
    return grid


def _indices(heights: NDArray[np.float64], between: float | None) -> NDArray[np.intp]:
    """Return the places of slices in a stack that some slices were left out of."""
    gaps = np.diff(heights)
    if not len(gaps):
        return np.zeros(1, dtype=np.intp)
    for step in (between, float(gaps.min())):
        if step is not None:
            steps = (heights - heights[0]) / step
            if np.abs(steps - steps.round()).max() < _WHOLE:
                places: NDArray[np.intp] = steps.round().astype(np.intp)
                return places
    return np.arange(len(heights))


def _among_images(grid: Grid, first: Frame, references: Sequence[str]) -> Grid:
    """Return the grid of the images that the mask belongs to, if they lie in its folder."""
    for files in survey(first.path.parent).files.values():
        frames = [
            frame
            for path, header in files
            if header.SOPInstanceUID in set(references)
            for frame in frames_of(path, header)
        ]
        if not frames or frames[0].shape != first.shape:
            continue
        try:
            images = arrange(frames)
        except FileFormatError:
            continue
        if images.axes != grid.axes:
            continue
        place = np.linalg.solve(images.affine, grid.affine[:, -1])
        offset = round(float(place[0]))
        last = offset + grid.depth - 1
        corners = np.array([[0, 0, 0, 1], [grid.depth - 1, *first.shape, 1]]).T
        here = images.affine @ (corners + np.array([[offset], [0], [0], [0]]))
        if 0 <= offset <= last < len(images.frames) and np.allclose(
            here, grid.affine @ corners, rtol=0, atol=_CLOSE
        ):
            planes = tuple(plane + offset for plane in grid.planes)
            return replace(grid, planes=planes, depth=len(images.frames), affine=images.affine)
    return grid
