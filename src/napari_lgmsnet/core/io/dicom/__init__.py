"""DICOM: series of slices, enhanced and other multi-frame files, pictures, and DICOM SEG.

pydicom and highdicom are imported when they are needed first: importing this costs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.dicom.folder import Contents, SeriesInfo, holds_dicom, survey
from napari_lgmsnet.core.io.dicom.headers import (
    NAME,
    SEGMENTATIONS,
    check_complete,
    read_header,
    recognises,
    why_no_image,
)
from napari_lgmsnet.core.io.dicom.lazy import lazy_volume
from napari_lgmsnet.core.io.dicom.segmentation import write_segmentation
from napari_lgmsnet.core.io.dicom.segmentation_reader import read_segmentation
from napari_lgmsnet.core.io.dicom.series import DicomSeries, series_of
from napari_lgmsnet.core.io.labels import MadeBy
from napari_lgmsnet.core.io.lazy import LAZY_ABOVE
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

    from napari_lgmsnet.core.info import ClassInfo

__all__ = [
    "ENDINGS",
    "NAME",
    "Contents",
    "DicomSeries",
    "SeriesInfo",
    "holds_dicom",
    "list_series",
    "open_series",
    "read",
    "read_series",
    "recognises",
    "survey",
    "write",
    "write_labels",
]

Lazy = bool | Literal["auto"]

ENDINGS = (".dcm", ".dicom")


def list_series(folder: str | Path) -> tuple[SeriesInfo, ...]:
    """Say which series a folder and its sub-folders hold; no pixels are read.

    Raises
    ------
    FileFormatError
        If there is no such folder.
    """
    return survey(Path(folder)).series


def open_series(path: Path, series: str | int | None = None) -> DicomSeries:
    """Read the headers of a file, or of a series in a folder, and put its slices in order.

    Parameters
    ----------
    path : pathlib.Path
        A file is taken by itself, whatever lies beside it.
    series : str or int, optional
        Which one of a folder's series: its ``key`` or ``uid``, as :func:`list_series` tells.

    Raises
    ------
    FileFormatError
        If a file is damaged or cut short, or no image, or slices are missing, unevenly spaced or
        of different sizes or orientations.
    InputError
        If a folder holds several series and ``series`` names none of them.
    """
    if path.is_dir():
        return _opened(survey(path), series)
    if series is not None:
        raise InputError(f'"{path}" is one file: a series is chosen in a folder')
    return series_of(path, [(path, _header(path))])


def read(path: Path, series: str | int | None = None, *, lazy: Lazy = False) -> Volume:
    """Read a file, or a series in a folder; of a DICOM SEG the labels.

    Parameters
    ----------
    path, series
        As for :func:`open_series`.
    lazy : bool or "auto"
        As for :func:`napari_lgmsnet.core.io.read`; a DICOM SEG is always read at once.

    Returns
    -------
    Volume
        Axes as :func:`~napari_lgmsnet.core.io.dicom.arrange.arrange` says, slices in order along
        their normal. Intensities are the rescaled ones (Hounsfield units for CT): whole numbers
        where slope and intercept are, otherwise float32. MONOCHROME1 is inverted unless its
        numbers have a unit. Colours of any kind are red, green and blue of 8 bits.

    Raises
    ------
    FileFormatError, InputError
        As :func:`open_series`, and if the pixels cannot be decoded.
    """
    if path.is_file() and series is None:
        header = _header(path)
        if header.SOPClassUID in SEGMENTATIONS:
            return read_segmentation(path, header)
        opened = series_of(path, [(path, header)])
    else:
        opened = open_series(path, series)
    return _volume(opened, lazy)


def read_series(
    contents: Contents, series: str | int | None = None, *, lazy: Lazy = False
) -> Volume:
    """Read a series of a folder that was surveyed before.

    Parameters
    ----------
    contents : Contents
        As :func:`survey` returns it.
    series, lazy
        As for :func:`read`.

    Raises
    ------
    FileFormatError, InputError
        As :func:`read`.
    """
    return _volume(_opened(contents, series), lazy)


def write(_path: Path, volume: Volume) -> Volume:
    """Refuse: images have more to a DICOM file than pixels.

    Raises
    ------
    InputError
    """
    raise InputError(
        f'"{volume.name}" cannot be written as DICOM, only a mask can (as DICOM SEG): write '
        ".nii.gz or .tif instead"
    )


def write_labels(
    path: Path,
    volume: Volume,
    classes: tuple[ClassInfo, ...] | None = None,
    made_by: MadeBy | None = None,
) -> Volume:
    """Write a mask as DICOM SEG.

    See :func:`~napari_lgmsnet.core.io.dicom.segmentation.write_segmentation`.
    """
    return write_segmentation(path, volume, classes, made_by)


def _opened(contents: Contents, series: str | int | None) -> DicomSeries:
    chosen = contents.choose(series)
    if contents.broken:  # it may be a slice of the very series
        raise FileFormatError(
            f"{contents.broken[0]}; if it does not belong to the series, move it elsewhere"
        ) from contents.broken[0]
    return series_of(contents.folder, contents.files[chosen.uid])


def _volume(opened: DicomSeries, lazy: Lazy) -> Volume:
    if lazy is True or (lazy == "auto" and opened.nbytes > LAZY_ABOVE):
        return lazy_volume(opened)
    return opened.read()


def _header(path: Path) -> Dataset:
    header = read_header(path)
    reason = why_no_image(path, header)
    if reason:
        raise FileFormatError(reason)
    check_complete(path, header)
    return header
