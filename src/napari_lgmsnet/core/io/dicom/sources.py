"""The images that a mask was made for: a DICOM SEG refers to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.dicom.arrange import Arrangement, arrange
from napari_lgmsnet.core.io.dicom.folder import survey
from napari_lgmsnet.core.io.dicom.frames import Frame, frames_of
from napari_lgmsnet.core.io.dicom.headers import SUBJECT, read_header
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_CLOSE = 1e-6  # mm
_INSTEAD = "write .nii.gz instead"


@dataclass(frozen=True)
class Source:
    """The image of one plane of a mask.

    Parameters
    ----------
    header : pydicom.Dataset
        Of the file, with the elements about the study that a DICOM SEG has to repeat.
    number : int
        Of the frame in the file, from 0.
    """

    header: Dataset
    number: int


def sources_of(labels: Volume) -> tuple[list[Source], Arrangement]:
    """Return the images that a mask lies on, one for each of its planes.

    Parameters
    ----------
    labels : Volume
        On the grid of a volume that was read from DICOM.

    Returns
    -------
    sources : list of Source
        In the order of the mask's planes.
    arrangement : Arrangement
        Of the images; its affine is the mask's.

    Raises
    ------
    InputError
        If the mask was not made for a DICOM image, if that is gone, or if the mask does not lie
        on its grid.
    """
    planes = _planes(labels)
    headers: dict[Path, Dataset] = {}
    inside: dict[Path, list[Frame]] = {}
    try:
        for path in dict.fromkeys(path for path, _number in planes):
            headers[path] = read_header(path, SUBJECT)
            inside[path] = frames_of(path, headers[path])
        arrangement = arrange([inside[path][number] for path, number in planes])
    except (FileFormatError, IndexError) as error:
        raise InputError(
            f'the images that "{labels.name}" was made for cannot be read again ({error}): put '
            f"them back in their place, or {_INSTEAD}"
        ) from error
    same_shape = labels.spatial_shape == (
        *([len(planes)] if labels.ndim_spatial == 3 else []),
        *arrangement.frames[0].shape,
    )
    one, other = arrangement.affine, labels.affine
    if not same_shape or one.shape != other.shape or np.abs(one - other).max() > _CLOSE:
        raise _lies_elsewhere(labels)
    sources = [Source(headers[frame.path], frame.number) for frame in arrangement.frames]
    return sources, arrangement


def _planes(labels: Volume) -> list[tuple[Path, int]]:
    """Return file and frame of each plane of a mask."""
    source = labels.source
    if source.get("format") == "dicom-seg":
        return _found_again(labels)
    if source.get("format") != "dicom":
        raise InputError(
            f'"{labels.name}" was not made for a DICOM image, which a DICOM SEG has to refer to: '
            f"{_INSTEAD}"
        )
    planes = list(zip(source["paths"], source["frames"], strict=True))
    count = labels.spatial_shape[0] if labels.ndim_spatial == 3 else 1
    start = int(source.get("time_point", 0)) * count
    if len(planes) % count or start >= len(planes):
        raise _lies_elsewhere(labels)
    return planes[start : start + count]


def _found_again(labels: Volume) -> list[tuple[Path, int]]:
    """Look for the images that a DICOM SEG, which was read, refers to."""
    place = Path(labels.source["path"])
    uids = set(labels.source["references"])
    for files in survey(place.parent).files.values():
        frames = [
            frame
            for path, header in files
            if header.SOPInstanceUID in uids
            for frame in frames_of(path, header)
        ]
        if frames:
            return [(frame.path, frame.number) for frame in arrange(frames).frames]
    raise InputError(
        f'the images that "{labels.name}" belongs to are not in "{place.parent}": put '
        f'"{place.name}" into their folder, or {_INSTEAD}'
    )


def _lies_elsewhere(labels: Volume) -> InputError:
    return InputError(
        f'"{labels.name}" does not lie on the grid of the DICOM images it came from: segment the '
        f"images as they are, or {_INSTEAD}"
    )
