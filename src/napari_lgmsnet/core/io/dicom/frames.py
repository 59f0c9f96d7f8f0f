"""The planes of pixels in a file, and what its header says of each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.dicom.encoding import Encoding, encoding_of
from napari_lgmsnet.core.io.dicom.headers import quietly

if TYPE_CHECKING:
    from pydicom import Dataset

_CENTIMETRES = 3  # code of a unit in regions of ultrasound pictures
_TWO_DIMENSIONAL = 1  # code of a region's format
_MOVING = {"US", "IVUS", "XA", "RF", "ES", "XC", "IVOCT"}
_MOVING_ATTRIBUTES = ("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate")
_WRONG_VALUES = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)

# What may tell time points, echoes or weightings at one place apart: the name that is shown, the
# element of a single frame, and the group and element of a frame of an enhanced file.
_KEYS = (
    ("time point", "TemporalPositionIdentifier", "FrameContentSequence", "TemporalPositionIndex"),
    ("b-value", "DiffusionBValue", "MRDiffusionSequence", "DiffusionBValue"),
    ("echo time", "EchoTime", "MREchoSequence", "EffectiveEchoTime"),
    ("trigger time", "TriggerTime", "CardiacSynchronizationSequence",
     "NominalCardiacTriggerDelayTime"),
    ("reference time", "FrameReferenceTime", "FrameContentSequence", "FrameReferenceDateTime"),
    ("acquisition", "AcquisitionNumber", "FrameContentSequence", "FrameAcquisitionNumber"),
    ("acquisition time", "AcquisitionTime", "FrameContentSequence", "FrameAcquisitionDateTime"),
    ("image type", "ImageType", "MRImageFrameTypeSequence", "FrameType"),
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One plane of pixels, not decoded yet.

    Parameters
    ----------
    path : pathlib.Path
    number : int
        Its place in the file, from 0.
    uid : str
        Of the image that the file holds.
    shape : tuple of int
        Rows and columns.
    encoding : Encoding
    slope, intercept : float
        What makes intensities of stored numbers.
    position : tuple of 3 float, optional
        Centre of the first pixel, x, y, z in mm (LPS+); None where the file does not place it.
    orientation : tuple of 6 float, optional
        Directions in which columns and rows count up, x, y, z each.
    spacing : tuple of 2 float, optional
        Distance of rows and of columns in mm.
    thickness : float, optional
        Distance to the next slice in mm, or the slice's own thickness.
    order : int
        The number that the scanner gave the image: an order where there are no positions.
    keys : mapping of str to object
        What may tell it apart from others at the same place.
    moving : bool
        Whether the file's frames follow each other in time.
    in_parts : bool
        Whether its pixels can be read without the rest of the file.
    """

    path: Path
    number: int
    uid: str
    shape: tuple[int, int]
    encoding: Encoding
    slope: float
    intercept: float
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    thickness: float | None
    order: int
    keys: Mapping[str, Any]
    moving: bool
    in_parts: bool


def frames_of(path: Path, header: Dataset) -> list[Frame]:
    """Return the frames of a file.

    Raises
    ------
    FileFormatError
        If the header contradicts itself.
    """
    try:
        with quietly():
            return list(_frames_of(path, header))
    except _WRONG_VALUES as error:
        raise FileFormatError(
            f'"{path}" has a header that contradicts itself ({error}): export it again'
        ) from error


def _frames_of(path: Path, header: Dataset) -> Iterator[Frame]:
    count = int(header.get("NumberOfFrames") or 1)
    enhanced = len(header.get("PerFrameFunctionalGroupsSequence") or ()) == count
    encoding = encoding_of(path, header)
    moving = header.get("Modality") in _MOVING or any(
        header.get(name) is not None for name in _MOVING_ATTRIBUTES
    )
    syntax = header.file_meta.get("TransferSyntaxUID")
    in_parts = bool(syntax) and not syntax.is_deflated
    for number in range(count):
        groups = _Groups(header, number if enhanced else None)
        measures = groups.of("PixelMeasuresSequence")
        rescale = groups.of("PixelValueTransformationSequence")
        placed = enhanced or count == 1
        position = _numbers(groups.of("PlanePositionSequence"), "ImagePositionPatient", 3)
        orientation = _numbers(groups.of("PlaneOrientationSequence"), "ImageOrientationPatient", 6)
        _check_directions(orientation)
        yield Frame(
            path=path,
            number=number,
            uid=str(header.SOPInstanceUID),
            shape=(int(header.Rows), int(header.Columns)),
            encoding=encoding,
            slope=float(_first(rescale.get("RescaleSlope"), 1)),
            intercept=float(_first(rescale.get("RescaleIntercept"), 0)),
            position=position if placed and orientation is not None else None,
            orientation=orientation if placed and position is not None else None,
            spacing=_pixel_spacing(header, measures),
            thickness=_thickness(measures),
            order=int(header.get("InstanceNumber") or 0),
            keys=_keys(header, groups) if placed else MappingProxyType({}),
            moving=moving,
            in_parts=in_parts,
        )


class _Groups:
    """The functional groups of one frame, or of all, or the header itself of a plain file."""

    def __init__(self, header: Dataset, number: int | None) -> None:
        self._header = header
        shared = header.get("SharedFunctionalGroupsSequence") or [{}]
        self._items: list[Any] = []
        if number is not None:
            self._items = [header.PerFrameFunctionalGroupsSequence[number], shared[0]]

    def of(self, name: str) -> Any:
        for item in self._items:
            if found := item.get(name):
                return found[0]
        return self._header

    @property
    def enhanced(self) -> bool:
        return bool(self._items)


def _keys(header: Dataset, groups: _Groups) -> Mapping[str, Any]:
    """Return what may tell this frame apart from others at the same place."""
    keys: dict[str, Any] = {}
    for shown, plain, group, inner in _KEYS:
        item = groups.of(group) if groups.enhanced else header
        value = item.get(inner if groups.enhanced else plain)
        if value is not None and value != "":
            keys[shown] = _plain(value)
    direction = groups.of("MRDiffusionSequence").get("DiffusionGradientOrientation")
    if direction is not None and "b-value" in keys:
        keys["b-value and direction"] = (keys["b-value"], *_plain(direction))
    return MappingProxyType(keys)


def _plain(value: Any) -> Any:
    """Return a value of the header as something that can be compared and sorted."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float) or hasattr(value, "real"):
        return float(value)
    if hasattr(value, "__iter__"):
        return tuple(_plain(part) for part in value)
    return str(value)


def _numbers(item: Any, name: str, count: int) -> tuple[float, ...] | None:
    """Return several numbers of an element, or None where it is missing or empty."""
    value = item.get(name)
    if value is None or value == "":
        return None
    numbers = tuple(float(part) for part in np.atleast_1d(value))
    if not numbers:
        return None
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{name} is {list(numbers)}, {count} numbers are expected")
    return numbers


def _first(value: Any, default: float) -> Any:
    return default if value is None or value == "" else value


def _check_directions(orientation: tuple[float, ...] | None) -> None:
    """Refuse directions that are none: not of length 1, or not at right angles."""
    if orientation is None:
        return
    columns, rows = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm([columns, rows], axis=1)
    if np.abs(lengths - 1).max() > 1e-2 or abs(columns @ rows) > 1e-2:
        raise ValueError(
            f"ImageOrientationPatient is {list(orientation)}, two directions at right angles are "
            "expected"
        )


def _thickness(measures: Any) -> float | None:
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        value = measures.get(name)
        if value is not None and value != "" and float(value) > 0:
            return float(value)
    return None


def _pixel_spacing(header: Dataset, measures: Any) -> tuple[float, ...] | None:
    """Return the distance of rows and of columns in mm, where the file gives it."""
    regions = header.get("SequenceOfUltrasoundRegions") or ()
    found = {spacing for spacing in map(_region_spacing, regions) if spacing is not None}
    if len(found) == 1:  # regions of different scales share no pixel size
        return found.pop()
    if found:
        return None
    for item, name in (
        (measures, "PixelSpacing"),
        (header, "ImagerPixelSpacing"),
        (header, "NominalScannedPixelSpacing"),
    ):
        spacing = _numbers(item, name, 2)
        if spacing is not None:
            if min(spacing) <= 0:
                raise ValueError(f"{name} is {list(spacing)}, lengths are expected")
            return spacing
    return None


def _region_spacing(region: Any) -> tuple[float, ...] | None:
    """Return the pixel size in mm of a part of an ultrasound picture that shows tissue."""
    units = {region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")}
    if region.get("RegionSpatialFormat") != _TWO_DIMENSIONAL or units != {_CENTIMETRES}:
        return None
    spacing = tuple(abs(float(region.get(f"PhysicalDelta{axis}"))) * 10 for axis in "YX")
    return spacing if min(spacing) > 0 else None
