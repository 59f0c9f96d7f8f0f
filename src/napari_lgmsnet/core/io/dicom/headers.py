"""What a DICOM file says of its pixels and their place; who they belong to is never read.

Only the elements listed here are taken from a file. Names, birth dates and the like are not among
them, so no layer, message, log or file made from a header can hold them.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.damage import damaged

if TYPE_CHECKING:
    from pydicom import Dataset

NAME = "a DICOM file"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of DICOM SEG, with one frame for each segment and as a map of labels."""
DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of the file DICOMDIR."""

_TAGS = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("Modality", "SeriesNumber", "SeriesDescription", "InstanceNumber", "ImageType"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "ModalityLUTSequence"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("SequenceOfUltrasoundRegions", "SharedFunctionalGroupsSequence"),
    "PerFrameFunctionalGroupsSequence",
    *("TemporalPositionIdentifier", "AcquisitionNumber", "DiffusionBValue", "TriggerTime"),
    *("DiffusionGradientOrientation", "EchoTime", "FrameReferenceTime", "AcquisitionTime"),
    *("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate"),
    *("SegmentSequence", "SegmentationType", "MaximumFractionalValue", "ReferencedSeriesSequence"),
]
SUBJECT = [
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"),
    *("PositionReferenceIndicator", "LossyImageCompression", "LossyImageCompressionRatio"),
    "LossyImageCompressionMethod",
]
"""What a file made from others has to repeat for an archive to file it with them; only the writer
of DICOM SEG reads this."""
_READ_ERRORS = (
    AttributeError, EOFError, LookupError, NotImplementedError, OSError, TypeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip
_PREAMBLE = 128
_LONGEST_FIRST_ELEMENT = 256


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins so is DICOM, also without the preamble that it should have.

    Parameters
    ----------
    start : bytes
        The first 132 bytes at least.
    """
    if start[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    # Files from before 1993 begin with their first element: of group 2 or 8, and a short one.
    if start[:2] not in (b"\x02\0", b"\x08\0") or len(start) < _PREAMBLE:
        return False
    if start[4:6].isalpha() and start[4:6].isupper():
        return True
    return int.from_bytes(start[4:8], "little") <= _LONGEST_FIRST_ELEMENT and start[3] == 0


@contextmanager
def quietly() -> Iterator[None]:
    """Keep pydicom from warning of values that break a rule: its warnings quote the value."""
    from pydicom import config

    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, more: list[str] | None = None) -> Dataset:
    """Read what a file says before its pixels, without its patient.

    Parameters
    ----------
    path : pathlib.Path
    more : list of str, optional
        Further elements to read: :data:`SUBJECT`.

    Returns
    -------
    pydicom.Dataset
        With ``file_meta``, and those of the elements listed in this module that the file has.

    Raises
    ------
    FileFormatError
        If the file cannot be opened or decoded, or is cut short.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        with quietly():
            tags = _TAGS + (more or [])
            header = dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
            for _element in header:  # decoded here and kept, or else at first use, with a warning
                pass
    except (InvalidDicomError, *_READ_ERRORS) as error:
        raise damaged(path, NAME, error) from error
    if not header.get("SOPClassUID"):
        raise _incomplete(path, "what kind of DICOM file it is")
    return header


def why_no_image(path: Path, header: Dataset) -> str:
    """Return why a file is no image that can be read, and what to do; nothing if it is one."""
    what = _what(header)
    if header.SOPClassUID == DIRECTORY:
        return f'"{path}" is the table of contents of a folder: open the folder itself'
    if "Whole Slide" in what:
        return (
            f'"{path}" is a whole slide image in tiles, which cannot be read: convert it to '
            "OME-TIFF"
        )
    if "MOSAIC" in header.get("ImageType", ()):
        return (
            f'"{path}" shows all slices of a volume side by side in one picture (a mosaic), where '
            "their places in space are lost: export the series as single slices or as enhanced MR"
        )
    if "RT Dose" in what or ("Rows" not in header and "Image" not in what):
        return f'"{path}" is no image but {what}: open the images that it belongs to'
    return ""


def check_complete(path: Path, header: Dataset) -> None:
    """Refuse an image whose header lacks what every image has.

    Raises
    ------
    FileFormatError
    """
    for needed in ("SeriesInstanceUID", "SOPInstanceUID", "Rows", "Columns", "BitsAllocated"):
        if not header.get(needed):
            raise _incomplete(path, f'"{needed}"')


def _what(header: Dataset) -> str:
    """Return what kind of object a file holds, in the standard's words."""
    from pydicom.uid import UID

    name = UID(header.SOPClassUID).name.removesuffix(" Storage")
    return f"of the kind {name}" if name[:1].isdigit() else f"a DICOM {name}"


def _incomplete(path: Path, missing: str) -> FileFormatError:
    return FileFormatError(
        f'"{path}" does not say {missing}: its header is damaged or cut short. Copy or export it '
        "again"
    )
