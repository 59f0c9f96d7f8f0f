"""Stored numbers decoded, and made intensities or colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.damage import damaged
from napari_lgmsnet.core.io.dicom.frames import Frame
from napari_lgmsnet.core.io.dicom.headers import NAME, quietly

if TYPE_CHECKING:
    from pydicom import Dataset

EXTRA = 'pip install "napari-lgmsnet[dicom]"'

_READ_ERRORS = (
    AssertionError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip
_BYTE = 8


def check_can_be_decoded(path: Path, header: Dataset) -> None:
    """Refuse, before anything is read, what is compressed in a way that nothing here decodes.

    Raises
    ------
    FileFormatError
        Naming the extra that brings more decoders, if it may help.
    """
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    syntax = UID(header.file_meta.get("TransferSyntaxUID") or "1.2.840.10008.1.2")
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise FileFormatError(
            f'"{path}" is stored as {syntax.name}, which cannot be read (a film, or a maker\'s own '
            "format): export it uncompressed, or as JPEG 2000"
        ) from error
    if not available:
        raise _no_decoder(path, syntax.name)


def decode(frames: Sequence[Frame], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Decode frames of one file, one after the other.

    Parameters
    ----------
    frames : sequence of Frame
        All of the same file.
    dtype : numpy dtype
        As :func:`~napari_lgmsnet.core.io.dicom.encoding.intensity_type` returns it for the series.

    Yields
    ------
    array (rows, columns) or uint8 array (rows, columns, 3)

    Raises
    ------
    FileFormatError
        If the file is cut short or damaged, or no decoder is installed for it.
    """
    from pydicom import Dataset
    from pydicom.pixels.utils import iter_pixels

    path, tables = frames[0].path, Dataset()
    indices = [frame.number for frame in frames]
    try:
        if frames[0].in_parts:
            stored = iter_pixels(path, ds_out=tables, indices=indices)
        else:
            tables = _whole(path)
            stored = iter_pixels(tables, indices=indices)
        for frame, plane in zip(frames, stored, strict=True):
            _check_shape(frame, plane)
            yield _intensities(frame, plane, tables, dtype)
    except _READ_ERRORS as error:
        raise _cannot_decode(path, error) from error


def _intensities(
    frame: Frame, plane: NDArray[Any], tables: Dataset, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return what the stored numbers of a frame stand for."""
    encoding = frame.encoding
    if encoding.kind == "palette":
        from pydicom.pixels.processing import apply_color_lut

        return _as_bytes(apply_color_lut(plane, tables), 2 * _BYTE)
    if encoding.kind == "colour":
        return _as_bytes(plane, encoding.bits)
    if encoding.kind == "table":
        return _looked_up(plane, tables, encoding.inverted).astype(dtype, copy=False)
    if encoding.inverted:
        plane = sum(encoding.stored_range) - plane
    slope, intercept = frame.slope, frame.intercept
    if dtype.kind == "f":
        return (plane * np.float64(slope) + intercept).astype(dtype)
    if slope == 1 and intercept == 0:
        return plane.astype(dtype, copy=False)
    return (plane.astype(np.int64) * int(slope) + int(intercept)).astype(dtype)


def _looked_up(plane: NDArray[Any], tables: Dataset, inverted: bool) -> NDArray[Any]:
    """Return what a table of intensities says."""
    table = tables.ModalityLUTSequence[0]
    count, first, bits = (int(part) for part in table.LUTDescriptor)
    count = count or 1 << (2 * _BYTE)
    entries = table.LUTData
    if isinstance(entries, bytes):
        entries = np.frombuffer(entries, np.uint8 if len(entries) < 2 * count else "<u2")
    places = np.clip(plane.astype(np.int64) - first, 0, count - 1)
    values: NDArray[Any] = np.asarray(entries, np.uint16)[places]
    return (1 << bits) - 1 - values if inverted else values


def _whole(path: Path) -> Dataset:
    """Read a file that is compressed as a whole, or from before files said how they are stored."""
    from pydicom import dcmread
    from pydicom.uid import ImplicitVRLittleEndian

    with quietly():
        dataset = dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return dataset


def _as_bytes(colours: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Return colours as 8 bits each."""
    if colours.dtype == np.uint8 or colours.max(initial=0) < 1 << _BYTE:
        return colours.astype(np.uint8, copy=False)
    return (colours >> (bits - _BYTE)).astype(np.uint8)


def _check_shape(frame: Frame, plane: NDArray[Any]) -> None:
    if plane.shape[:2] != frame.shape:
        raise ValueError(f"it holds {plane.shape[:2]} pixels, its header says {frame.shape}")


def _cannot_decode(path: Path, error: BaseException) -> FileFormatError:
    """Tell what a decoder cannot do from what is damaged."""
    from importlib.util import find_spec

    compressed = "decode" in str(error) or "decompress" in str(error)
    if compressed and "plugin" in str(error) and find_spec("gdcm") is None:
        return _no_decoder(path, "a compressed image")
    return damaged(path, NAME, error)


def _no_decoder(path: Path, syntax: str) -> FileFormatError:
    return FileFormatError(
        f'"{path}" is compressed ({syntax}), and no decoder for it is installed: install more by '
        f"`{EXTRA}`, or export the series uncompressed"
    )
