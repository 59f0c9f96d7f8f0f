"""How the numbers in a file become intensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_lgmsnet.core.errors import FileFormatError

if TYPE_CHECKING:
    from pydicom import Dataset

Kind = Literal["grey", "table", "colour", "palette"]

_GREY = {"MONOCHROME1", "MONOCHROME2"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
_INTEGERS = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64)
_EXACT_IN_FLOAT32 = 24  # bits
_UNSPECIFIED = "US"
_FLOAT = 32  # bits from which a file without BitsStored holds floating-point numbers


@dataclass(frozen=True)
class Encoding:
    """What the pixels of a file are.

    Parameters
    ----------
    kind : "grey", "table", "colour" or "palette"
        Grey numbers that a slope and intercept make intensities of, or that a table does; or
        colours, as such or as indices of a palette.
    bits : int
        Significant bits of a stored number; 32 or 64 also for floating point.
    signed : bool
    inverted : bool
        Whether the lowest stored number is meant as white, and the numbers have no unit.
    floating : bool
        Whether floating-point numbers are stored.
    """

    kind: Kind
    bits: int
    signed: bool
    inverted: bool
    floating: bool

    @property
    def colour(self) -> bool:
        """Return whether a pixel is red, green and blue."""
        return self.kind in ("colour", "palette")

    @property
    def stored_range(self) -> tuple[int, int]:
        """Return the lowest and highest number that can be stored."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


def encoding_of(path: Path, header: Dataset) -> Encoding:
    """Return how a file's pixels are stored.

    Raises
    ------
    FileFormatError
        If its colours are of a kind that cannot be read.
    """
    photometric = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    samples = int(header.get("SamplesPerPixel") or 1)
    allocated = int(header.BitsAllocated)
    kind: Kind
    if photometric == "PALETTE COLOR" and samples == 1:
        kind = "palette"
    elif photometric in _COLOUR and samples == 3:
        kind = "colour"
    elif photometric in _GREY and samples == 1:
        kind = "table" if header.get("ModalityLUTSequence") else "grey"
    else:
        raise FileFormatError(
            f'"{path}" has pixels of the kind {photometric} with {samples} numbers each: grey, '
            "RGB, YBR and palette images can be read. Export it as RGB"
        )
    # A header that names a unit fixes what the numbers mean: white is then only a way to show low.
    unit = header.get("RescaleType") or _UNSPECIFIED
    bits = int(header.get("BitsStored") or allocated)
    floating = kind == "grey" and not header.get("BitsStored") and allocated >= _FLOAT
    return Encoding(
        kind=kind,
        bits=bits if 0 < bits <= allocated else allocated,
        signed=header.get("PixelRepresentation") == 1,
        inverted=photometric == "MONOCHROME1" and unit == _UNSPECIFIED and not floating,
        floating=floating,
    )


def intensity_type(
    encodings: Sequence[Encoding], scalings: Sequence[tuple[float, float]]
) -> np.dtype[Any]:
    """Return the type that holds the intensities of several frames.

    Parameters
    ----------
    encodings : sequence of Encoding
    scalings : sequence of tuple of float
        Slope and intercept of each frame.

    Returns
    -------
    numpy dtype
        uint8 for colours; the smallest integer type that holds every possible intensity where
        slopes and intercepts are whole numbers; otherwise float32, or float64 where numbers of
        more than 24 bits are scaled.
    """
    if encodings[0].colour:
        return np.dtype(np.uint8)
    if any(one.floating for one in encodings):
        return np.dtype(np.float64 if max(one.bits for one in encodings) > _FLOAT else np.float32)
    if any(one.kind == "table" for one in encodings):
        return np.dtype(np.uint16)
    ends: list[float] = []
    for encoding, (slope, intercept) in set(zip(encodings, scalings, strict=True)):
        ends += [slope * end + intercept for end in encoding.stored_range]
        if not (slope.is_integer() and intercept.is_integer()):
            wide = max(one.bits for one in encodings) > _EXACT_IN_FLOAT32
            return np.dtype(np.float64 if wide else np.float32)
    for kind in _INTEGERS:
        if np.iinfo(kind).min <= min(ends) and max(ends) <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float64)
