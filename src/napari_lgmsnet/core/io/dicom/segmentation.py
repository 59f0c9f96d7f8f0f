"""Masks written as DICOM SEG, which refer to the images they were made for.

DICOM PS3.3 A.51 (Segmentation IOD) and C.8.20. One binary frame is stored for each slice and
segment, empty ones as well, so that the file by itself gives the grid of the images back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_lgmsnet import __version__
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.dicom.arrange import Arrangement
from napari_lgmsnet.core.io.dicom.headers import SUBJECT, quietly
from napari_lgmsnet.core.io.dicom.segments import MOST_SEGMENTS, describe_segments
from napari_lgmsnet.core.io.dicom.sources import Source, sources_of
from napari_lgmsnet.core.io.labels import MadeBy
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from pydicom import Dataset

    from napari_lgmsnet.core.info import ClassInfo

_WRONG_VALUES = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
_COPIED = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Modality"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "LossyImageCompression"),
    *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_FILED_UNDER = SUBJECT[: SUBJECT.index("ReferringPhysicianName") + 1]
_NAME = "napari-lgmsnet"
_NUMBER_OFFSET = 1000
_HIGHEST_NUMBER = 2**31 - 1


def write_segmentation(
    path: Path,
    labels: Volume,
    classes: tuple[ClassInfo, ...] | None,
    made_by: MadeBy | None,
) -> Volume:
    """Write a mask as DICOM SEG.

    Parameters
    ----------
    path : pathlib.Path
    labels : Volume
        Of an unsigned type, on the grid of images that were read from DICOM. With a time axis,
        only one time point may hold labels.
    classes : tuple of ClassInfo, optional
        Names and colours of the segments, background first.
    made_by : MadeBy, optional
        Without it, the mask counts as drawn by hand.

    Returns
    -------
    Volume
        What the file holds: one time point.

    Raises
    ------
    InputError
        If the mask was not made for DICOM images, these are gone, or a DICOM SEG cannot hold it.
    """
    labels = _one_time_point(labels)
    sources, arrangement = sources_of(labels)
    highest = max(int(labels.data.max(initial=0)), len(classes or ()) - 1, 1)
    if highest > MOST_SEGMENTS:
        raise InputError(
            f'"{labels.name}" holds the label {highest}, a DICOM SEG at most {MOST_SEGMENTS}: '
            "renumber the labels, or write .nii.gz instead"
        )
    data = labels.data.reshape(len(sources), *labels.data.shape[-2:])
    try:
        with quietly():
            segmentation = _build(data, sources, arrangement, highest, classes, made_by)
            _file_with(segmentation, sources[0].header)
            segmentation.save_as(path)
    except _WRONG_VALUES as error:
        raise InputError(
            f'"{labels.name}" cannot be written as DICOM SEG, as the images it belongs to lack '
            f"what that needs ({error}): write .nii.gz instead"
        ) from error
    return replace(labels, units=arrangement.units)


def _one_time_point(labels: Volume) -> Volume:
    """Return the only time point that holds labels."""
    if not labels.axes.startswith("T"):
        return labels
    used = np.flatnonzero(labels.data.reshape(len(labels.data), -1).any(axis=1))
    if len(used) > 1:
        raise InputError(
            f'"{labels.name}" holds labels at {len(used)} time points, a DICOM SEG has room for '
            "one: save one time point by itself, or write .nii.gz instead"
        )
    return labels.frame(int(used[0]) if len(used) else 0)


def _build(
    data: Any,
    sources: list[Source],
    arrangement: Arrangement,
    highest: int,
    classes: tuple[ClassInfo, ...] | None,
    made_by: MadeBy | None,
) -> Segmentation:
    from highdicom.seg import Segmentation
    from pydicom.uid import UID, SecondaryCaptureImageStorage, generate_uid

    first = sources[0].header
    kind = UID(first.SOPClassUID).name
    # Kinds of files that may hold several frames, whether they do or not.
    together = "Enhanced" in kind or "Multi-frame" in kind or "NumberOfFrames" in first
    placed = arrangement.frames[0].position is not None
    if together and placed:
        images = _together(sources, arrangement)
    else:
        images = _one_by_one(sources, arrangement)
    if not placed:
        images[0].SOPClassUID = SecondaryCaptureImageStorage  # for now: it asks for no place
    number = (int(first.get("SeriesNumber") or 0) + _NUMBER_OFFSET) % _HIGHEST_NUMBER
    segmentation = Segmentation(
        source_images=images,
        pixel_array=np.ascontiguousarray(data),
        segmentation_type="BINARY",
        segment_descriptions=describe_segments(highest, classes, made_by),
        series_instance_uid=generate_uid(prefix=None),
        series_number=max(1, number),
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer=_NAME,
        manufacturer_model_name=_NAME,
        software_versions=__version__,
        device_serial_number=__version__,
        omit_empty_frames=False,
        content_label="SEGMENTATION",
        content_description="Segmentation",
        series_description="Segmentation",
        specific_character_set="ISO_IR 192",
    )
    if together or not placed:
        _refer_to(segmentation, sources)
    return segmentation


def _one_by_one(sources: list[Source], arrangement: Arrangement) -> list[Dataset]:
    """Return what highdicom needs to know of single-frame images."""
    images = []
    for place, source in enumerate(sources):
        image = _about(source.header)
        for item in _plane(arrangement, place).values():
            image.update(item)
        images.append(image)
    return images


def _together(sources: list[Source], arrangement: Arrangement) -> list[Dataset]:
    """Return the same as one multi-frame image, whichever files the frames are in."""
    from pydicom import Dataset

    image = _about(sources[0].header)
    image.NumberOfFrames = len(sources)
    planes = [_plane(arrangement, place) for place in range(len(sources))]
    shared = Dataset()
    shared.PixelMeasuresSequence = [planes[0]["measures"]] if planes[0]["measures"] else []
    shared.PlaneOrientationSequence = [planes[0]["orientation"]]
    image.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for plane in planes:
        frame = Dataset()
        frame.PlanePositionSequence = [plane["position"]]
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = frames
    return [image]


def _about(header: Dataset) -> Dataset:
    """Return the parts of a header that concern all frames; nothing of the patient."""
    from pydicom import Dataset

    image = Dataset()
    for name in _COPIED:
        if name in header:
            image[name] = header[name]
    for name in _FILED_UNDER:
        if name not in image:
            setattr(image, name, "")
    image.Rows, image.Columns = header.Rows, header.Columns
    return image


def _plane(arrangement: Arrangement, place: int) -> dict[str, Dataset]:
    """Return where a plane lies, as DICOM says it."""
    from pydicom import Dataset
    from pydicom.valuerep import DSfloat

    def numbers(values: tuple[float, ...]) -> list[DSfloat]:
        return [DSfloat(value, auto_format=True) for value in values]

    frame, first = arrangement.frames[place], arrangement.frames[0]
    plane = {name: Dataset() for name in ("position", "orientation", "measures")}
    if first.spacing is not None:
        plane["measures"].PixelSpacing = numbers(first.spacing)
    if frame.position is not None and first.orientation is not None:
        plane["position"].ImagePositionPatient = numbers(frame.position)
        plane["orientation"].ImageOrientationPatient = numbers(first.orientation)
        thickness = first.thickness or float(np.linalg.norm(arrangement.affine[:3, 0]))
        [plane["measures"].SliceThickness] = numbers((thickness,))
    return plane


def _refer_to(segmentation: Segmentation, sources: list[Source]) -> None:
    """Name the files that the frames come from, and the frames in them."""
    references = {  # several segments share one
        id(reference): reference
        for frame in segmentation.PerFrameFunctionalGroupsSequence
        for reference in frame.DerivationImageSequence[0].SourceImageSequence
    }
    for reference in references.values():
        source = sources[int(reference.get("ReferencedFrameNumber", 1)) - 1]
        reference.update(_reference(source.header))
        if "NumberOfFrames" in source.header:
            reference.ReferencedFrameNumber = source.number + 1
    headers = {source.header.SOPInstanceUID: source.header for source in sources}
    images = [_reference(header) for header in headers.values()]
    segmentation.SourceImageSequence = images
    segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence = images


def _reference(header: Dataset) -> Dataset:
    from pydicom import Dataset

    reference = Dataset()
    reference.ReferencedSOPClassUID = header.SOPClassUID
    reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return reference


def _file_with(segmentation: Segmentation, header: Dataset) -> None:
    """Repeat of study and patient what the standard requires, and leave out the rest.

    highdicom never sees these values: it would copy more, and names into its log.
    """
    for name in _FILED_UNDER:
        if name in header:
            segmentation[name] = header[name]
