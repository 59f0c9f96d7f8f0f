"""One series as a volume, and its planes one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.dicom.arrange import Arrangement, arrange
from napari_lgmsnet.core.io.dicom.encoding import intensity_type
from napari_lgmsnet.core.io.dicom.frames import frames_of
from napari_lgmsnet.core.io.dicom.headers import quietly
from napari_lgmsnet.core.io.dicom.pixels import check_can_be_decoded, decode
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_UNFIT = re.compile(r'[\s\x00-\x1f\x7f/\\:*?"<>|]+')


@dataclass(frozen=True)
class DicomSeries:
    """A series whose headers were read and whose pixels were not.

    Parameters
    ----------
    name : str
        From the series' description; never a person's.
    path : pathlib.Path
        The file or folder that was opened.
    arrangement : Arrangement
        The frames in order.
    dtype : numpy dtype
        Of the intensities.
    """

    name: str
    path: Path
    arrangement: Arrangement
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the volume, along the arrangement's axes."""
        frames, axes = self.arrangement.frames, self.arrangement.axes
        sizes = dict(zip("YXC", (*frames[0].shape, 3), strict=True))
        sizes["T"] = self.arrangement.times
        sizes["Z"] = len(frames) // self.arrangement.times
        return tuple(sizes[letter] for letter in axes)

    @property
    def nbytes(self) -> int:
        """Return the size of the decoded volume in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def plane(self, index: int) -> NDArray[Any]:
        """Decode one plane.

        Parameters
        ----------
        index : int
            Along z; where there are time points, all planes of the first come first.

        Returns
        -------
        array (rows, columns), or (rows, columns, 3) for colours

        Raises
        ------
        FileFormatError
            If the file is cut short or damaged, or no decoder is installed for it.
        """
        return next(decode([self.arrangement.frames[index]], self.dtype))

    def read(self) -> Volume:
        """Decode all planes.

        Raises
        ------
        FileFormatError
            As :meth:`plane`.
        """
        frames = self.arrangement.frames
        try:
            data = np.empty(self.shape, self.dtype)
        except MemoryError as error:
            raise FileFormatError(
                f'the series in "{self.path}" does not fit into memory: open a part of its files'
            ) from error
        planes = data.reshape(len(frames), *frames[0].shape, -1)
        places: dict[Path, list[int]] = {}
        for place, frame in enumerate(frames):
            places.setdefault(frame.path, []).append(place)
        for inside in places.values():
            decoded = decode([frames[place] for place in inside], self.dtype)
            for place, plane in zip(inside, decoded, strict=True):
                planes[place] = plane.reshape(planes[place].shape)
        return self.volume(data)

    def volume(self, data: NDArray[Any]) -> Volume:
        """Return data of this series' shape, lying where the series lies."""
        frames = self.arrangement.frames
        source = {
            "format": "dicom",
            "path": self.path,
            "paths": tuple(frame.path for frame in frames),
            "frames": tuple(frame.number for frame in frames),
        }
        a = self.arrangement
        return Volume(data, a.axes, a.affine, a.units, self.name, MappingProxyType(source))


def series_of(path: Path, files: Sequence[tuple[Path, Dataset]]) -> DicomSeries:
    """Return the series that files make up.

    Parameters
    ----------
    path : pathlib.Path
        What was opened.
    files : sequence of (pathlib.Path, pydicom.Dataset)
        Files with their headers, in any order.

    Raises
    ------
    FileFormatError
        If they make up no volume; see :func:`~napari_lgmsnet.core.io.dicom.arrange.arrange`.
    """
    for _syntax, group in groupby(files, lambda entry: entry[1].file_meta.get("TransferSyntaxUID")):
        check_can_be_decoded(*next(group))
    frames = [frame for file, header in files for frame in frames_of(file, header)]
    arrangement = arrange(frames)
    dtype = intensity_type(
        [frame.encoding for frame in frames], [(frame.slope, frame.intercept) for frame in frames]
    )
    return DicomSeries(name_of(files[0][1]), path, arrangement, dtype)


def name_of(header: Dataset) -> str:
    """Return what a person calls a series: its description, or its kind and number."""
    with quietly():
        description = _UNFIT.sub(" ", str(header.get("SeriesDescription") or "")).strip()
        number = header.get("SeriesNumber")
        words = [str(header.get("Modality") or "DICOM"), "series"]
    return description or " ".join(words + ([str(number)] if number is not None else []))
