"""Masks read from DICOM SEG, of this and of other programs."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.dicom.frames import frames_of
from napari_lgmsnet.core.io.dicom.headers import quietly
from napari_lgmsnet.core.io.dicom.pixels import check_can_be_decoded, decode
from napari_lgmsnet.core.io.dicom.segmentation_grid import grid_of
from napari_lgmsnet.core.io.dicom.segments import classes_of
from napari_lgmsnet.core.io.dicom.series import name_of
from napari_lgmsnet.core.io.labels import as_labels
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_LABELS = np.dtype(np.uint16)
_WRONG_VALUES = (AttributeError, LookupError, TypeError, ValueError)


def read_segmentation(path: Path, header: Dataset) -> Volume:
    """Read a DICOM SEG.

    Empty slices may have been left out of it. They are filled in between those that are there;
    before the first and after the last one only if the images that it refers to lie in the same
    folder.

    Parameters
    ----------
    path : pathlib.Path
    header : pydicom.Dataset

    Returns
    -------
    Volume
        Numbers of the segments, ``ZYX`` or ``YX``, in the smallest unsigned type. Its source
        holds names and colours of the segments as "classes".

    Raises
    ------
    FileFormatError
        If segments overlap, frames do not lie on a grid, or the file is damaged.
    """
    check_can_be_decoded(path, header)
    frames = frames_of(path, header)
    try:
        with quietly():
            segments = [_segment(header, frame.number) for frame in frames]
            references = _references(header)
            classes = classes_of(header.get("SegmentSequence") or ())
            between, least = _between(header), _least(header)
    except _WRONG_VALUES as error:
        raise FileFormatError(
            f'"{path}" does not say what its frames are ({error}): export it again'
        ) from error
    grid = grid_of(frames, between, references)
    data = np.zeros((grid.depth, *frames[0].shape), _LABELS)
    seen: set[tuple[int, int]] = set()
    for plane, segment, pixels in zip(grid.planes, segments, decode(frames, _LABELS), strict=True):
        if (plane, segment) in seen:
            raise FileFormatError(
                f'"{path}" holds segment {segment} twice for one slice: a mask has one label a '
                "pixel. Export it again, one time point by itself"
            )
        seen.add((plane, segment))
        _add(path, data[plane], segment, pixels, least)
    source = {"format": "dicom-seg", "path": path, "classes": classes, "references": references}
    shape = data.shape if grid.axes == "ZYX" else data.shape[1:]
    volume = Volume(
        data.reshape(shape), grid.axes, grid.affine, grid.units, name_of(header),
        MappingProxyType(source),
    )  # fmt: skip
    return as_labels(volume)


def _add(path: Path, plane: NDArray[Any], segment: int, pixels: NDArray[Any], least: float) -> None:
    """Put one frame into a plane of labels."""
    if not segment:  # a map of labels
        plane[...] = pixels
        return
    inside = pixels >= least
    if plane[inside].any():
        other = int(plane[inside].max())
        raise FileFormatError(
            f'segments {other} and {segment} of "{path}" overlap: a mask has one label a voxel. '
            "Export the segments into files of their own"
        )
    plane[inside] = segment


def _segment(header: Dataset, number: int) -> int:
    """Return the segment that a frame shows; 0 for a map of all of them."""
    if header.get("SegmentationType") == "LABELMAP":
        return 0
    for item in (
        header.PerFrameFunctionalGroupsSequence[number],
        header.SharedFunctionalGroupsSequence[0],
    ):
        if found := item.get("SegmentIdentificationSequence"):
            return int(found[0].ReferencedSegmentNumber)
    raise ValueError(f"frame {number + 1} belongs to no segment")


def _least(header: Dataset) -> float:
    """Return from which number on a pixel belongs to the segment."""
    if header.get("SegmentationType") == "FRACTIONAL":
        return float(header.MaximumFractionalValue) / 2
    return 1


def _between(header: Dataset) -> float | None:
    """Return the distance of neighbouring slices in mm, if the file gives it."""
    measures = header.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
    value = measures[0].get("SpacingBetweenSlices") if measures else None
    return float(value) if value and float(value) > 0 else None


def _references(header: Dataset) -> tuple[str, ...]:
    """Return the UIDs of the images that the mask belongs to."""
    return tuple(
        str(item.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence") or ()
        for item in series.get("ReferencedInstanceSequence") or ()
    )
