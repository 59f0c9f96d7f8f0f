"""DICOM files made for tests, each as a scanner would write it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import DSfloat

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
ULTRASOUND_FILM = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
PRESENTATION = "1.2.840.10008.5.1.4.1.1.11.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"

NAME, FIRST_NAME, NUMBER, BIRTH_DATE = "Zyxwv", "Qponm", "MRN-7788123", "19480229"
SECRETS = (NAME, FIRST_NAME, NUMBER, BIRTH_DATE)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def header(kind: str = CT, **elements: Any) -> Dataset:
    """Return what every file has, with a named patient."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, generate_uid()
    dataset.PatientName, dataset.PatientID = f"{NAME}^{FIRST_NAME}", NUMBER
    dataset.PatientBirthDate, dataset.PatientSex = BIRTH_DATE, "O"
    dataset.PatientComments = f"{NAME} lives next door"
    dataset.PatientAddress = f"1 {NAME} Street"
    dataset.OtherPatientIDs = f"old {NUMBER}"
    dataset.InstitutionName, dataset.OperatorsName = "Hospital", f"{NAME}^Operator"
    dataset.StudyInstanceUID, dataset.StudyID = "1.2.3.4", "17"
    dataset.StudyDate, dataset.StudyTime = "20260102", "101112"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "A-1", ""
    dataset.SeriesInstanceUID, dataset.SeriesNumber = "1.2.3.4.5", 3
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = "1.2.3.4.9", ""
    dataset.Modality = "CT"
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def put_pixels(dataset: Dataset, pixels: np.ndarray, bits: int = 0, frames: int = 0) -> Dataset:
    """Put pixels into a dataset; with ``frames`` the first axis counts frames."""
    colours = pixels.ndim == (4 if frames else 3)
    dataset.Rows, dataset.Columns = pixels.shape[1:3] if frames else pixels.shape[:2]
    if frames:
        dataset.NumberOfFrames = frames
    dataset.SamplesPerPixel = 3 if colours else 1
    if "PhotometricInterpretation" not in dataset:
        dataset.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
    if colours:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"
    return dataset


def numbers(values: Iterable[float]) -> list[DSfloat]:
    """Return decimal strings of at most 16 characters."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def save(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a dataset as a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def slice_of(
    pixels: np.ndarray,
    position: Sequence[float],
    orientation: Sequence[float] = AXIAL,
    spacing: Sequence[float] = (0.5, 0.25),
    kind: str = CT,
    **elements: Any,
) -> Dataset:
    """Return one slice with its place."""
    dataset = header(kind, **elements)
    dataset.ImagePositionPatient = numbers(position)
    dataset.ImageOrientationPatient = numbers(orientation)
    dataset.PixelSpacing = numbers(spacing)
    dataset.SliceThickness = "5"
    return put_pixels(dataset, pixels)


def volume_numbers(shape: tuple[int, ...], dtype: str = "int16") -> np.ndarray:
    """Return numbers that are all different."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def series(
    folder: Path,
    pixels: np.ndarray,
    step: Sequence[float] = (0.0, 0.0, 2.0),
    origin: Sequence[float] = (-10.0, 20.0, 30.5),
    shuffle: int = 0,
    syntax: str = ExplicitVRLittleEndian,
    **elements: Any,
) -> list[Path]:
    """Write the slices of a volume (z, y, x) under names that tell nothing of their order.

    Returns the files in the order of the slices. Numbers of images tell nothing either.
    """
    count = len(pixels)
    order = list(range(count))
    random.Random(shuffle).shuffle(order)
    files = []
    for place in range(count):
        position = np.array(origin) + place * np.array(step)
        dataset = slice_of(pixels[place], position, InstanceNumber=order[place] + 1, **elements)
        files.append(save(folder / f"image {order[-place]:03}{order[place]:03}", dataset, syntax))
    return files


def enhanced(
    pixels: np.ndarray,
    positions: Sequence[Sequence[float]],
    orientation: Sequence[float] = AXIAL,
    times: Sequence[int] | None = None,
) -> Dataset:
    """Return an enhanced MR with its frames as given; the slope of each is its number."""
    dataset = header(ENHANCED_MR, Modality="MR", InstanceNumber=1)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = numbers((0.5, 0.25)), "2"
    plane.ImageOrientationPatient = numbers(orientation)
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for number, position in enumerate(positions):
        frame, place, rescale, content = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = numbers(position)
        rescale.RescaleSlope, rescale.RescaleIntercept = str(number + 1), "0"
        rescale.RescaleType = "US"
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [rescale]
        if times is not None:
            content.TemporalPositionIndex = times[number]
            frame.FrameContentSequence = [content]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    return put_pixels(dataset, pixels, frames=len(pixels))
