"""TIFF files, plain, ImageJ's and OME, to and from Volume."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.axes import take_axes
from napari_lgmsnet.core.io.damage import check_real, damaged
from napari_lgmsnet.core.types import Units, Volume, affine_from_spacing

if TYPE_CHECKING:
    import tifffile

NAME = "a TIFF file"
ENDINGS = (".tif", ".tiff")

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What tifffile says of its own is a ValueError.
READ_ERRORS = (
    OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, EOFError,
    struct.error, zlib.error,
)  # fmt: skip
_MILLIMETRES = {
    "m": 1000.0, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3,
    "micrometre": 1e-3, "nm": 1e-6, "inch": 25.4, "in": 25.4,
}  # fmt: skip
_MISSING = ("invalid page offset", "corrupted file", "failed to reshape", "not match")
_PAGES = "ZIQ"  # letters under which tifffile reports a stack of pages
_STORED_AS = {np.dtype(np.bool_): np.uint8, np.dtype(np.float16): np.float32}
_OME_TYPES = {"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"}


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins so is TIFF or BigTIFF, of either byte order."""
    return start.startswith(_SIGNATURES)


def read(path: Path) -> Volume:
    """Read the first series of a TIFF file, at full resolution.

    Returns
    -------
    Volume
        ``YX`` or ``ZYX``, ``T`` first and ``C`` last where there are such axes. Pages that the
        file does not name are a stack along z. The voxel size is in mm if OME or ImageJ
        metadata give it with a unit; otherwise the world is counted in pixels, as the resolution
        of a plain TIFF tells how large to print it.

    Raises
    ------
    FileFormatError
        If it is cut short, damaged, compressed in a way that needs another package, or has
        axes that cannot be told apart.
    """
    try:
        with opened(path) as file:
            series = file.series[0]
            data = numbers(series.asarray(), file)
            order, axes = axes_in(tuple(data.shape), series.axes, path)
            return volume_of(path, take_axes(data, order), axes, file)
    except READ_ERRORS as error:
        raise failed(path, error) from error


def stored_spacing(path: Path) -> dict[str, float]:
    """Return the voxel size in mm that a file gives with a unit, by axis (Z, Y, X); else nothing.

    Raises
    ------
    FileFormatError
        If it is no TIFF file, or is damaged.
    """
    try:
        with opened(path) as file:
            return {axis: step for axis, step in _spacing(file).items() if step > 0}
    except READ_ERRORS as error:
        raise failed(path, error) from error


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file, and do not take what is left of a damaged one for all of it.

    Raises
    ------
    tifffile.TiffFileError
        When it is closed, if pages turned out to be missing, of which tifffile only writes a log.
    """
    import tifffile

    complaints = _Complaints()
    logger = logging.getLogger("tifffile")
    logger.addHandler(complaints)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    finally:
        logger.removeHandler(complaints)
    if complaints.heard:
        raise tifffile.TiffFileError(complaints.heard[0])


class _Complaints(logging.Handler):
    """Remembers what tifffile says of missing pages in the thread that listens."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []
        self._thread = get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.thread == self._thread and any(words in message for words in _MISSING):
            self.heard.append(message)


def failed(path: Path, error: BaseException) -> FileFormatError:
    """Return the error for a file that cannot be decoded."""
    if "imagecodecs" in str(error):
        return FileFormatError(
            f'"{path}" is compressed in a way that needs another package: install it by '
            "`pip install imagecodecs`, or save the file without compression"
        )
    return damaged(path, NAME, error)


def volume_of(path: Path, data: Any, axes: str, file: tifffile.TiffFile) -> Volume:
    """Return the volume that a file holds.

    Parameters
    ----------
    path : pathlib.Path
    data : array of shape ``axes``
        Lazy or not.
    axes : str
    file : tifffile.TiffFile
        Opened.

    Raises
    ------
    FileFormatError
        If the numbers are not real ones.
    """
    check_real(path, data.dtype)
    spacing = _spacing(file)
    spatial = [letter for letter in axes if letter in "ZYX"]
    known = all(spacing.get(letter, 0) > 0 for letter in spatial)
    steps = tuple(spacing[letter] if known else 1.0 for letter in spatial)
    source = MappingProxyType({"format": "tiff", "path": path})
    name = path.name.removesuffix(path.suffix).removesuffix(".ome")
    units: Units = "mm" if known else "pixel"
    return Volume(data, axes, affine_from_spacing(steps), units, name, source)


def numbers(stored: NDArray[Any], file: tifffile.TiffFile) -> NDArray[Any]:
    """Return numbers in native byte order, high ones bright, without booleans.

    Parameters
    ----------
    stored : array
        A whole image or a part of it.
    file : tifffile.TiffFile
        Says whether it counts from white to black.
    """
    from tifffile import PHOTOMETRIC

    data = stored
    if file.pages.first.photometric == PHOTOMETRIC.MINISWHITE:
        if data.dtype == np.bool_:
            data = ~data
        elif data.dtype.kind == "u":
            data = np.iinfo(data.dtype).max - data
    if data.dtype == np.bool_:
        return data.astype(np.uint8)
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def axes_in(shape: tuple[int, ...], named: str, path: Path) -> tuple[tuple[int, ...], str]:
    """Return which axes of a file a volume has, and in which order.

    Parameters
    ----------
    shape : tuple of int
        Of the file's data.
    named : str
        Letters that tifffile gives to these axes.
    path : pathlib.Path
        For messages.

    Returns
    -------
    order : tuple of int
        The file's axis for each of the volume's; those without extent are dropped.
    axes : str
        As for :class:`~napari_lgmsnet.core.types.Volume`.

    Raises
    ------
    FileFormatError
        If they cannot be told apart.
    """
    keep = [i for i, letter in enumerate(named) if letter in "YX" or shape[i] > 1]
    letters = "".join(named[i] for i in keep)
    for alias in _PAGES:
        letters = letters if "Z" in letters else letters.replace(alias, "Z", 1)
    letters = letters if "C" in letters else letters.replace("S", "C")
    axes = "".join(letter for letter in "TZYXC" if letter in letters)
    if sorted(axes) != sorted(letters) or "YX" not in axes:
        raise FileFormatError(
            f'"{path}" has the axes "{named}" of the lengths {shape}: time, z, y, x and one '
            "axis of channels can be read. Split the file"
        )
    return tuple(keep[letters.index(letter)] for letter in axes), axes


def write(path: Path, volume: Volume) -> Volume:
    """Write OME-TIFF; see :func:`napari_lgmsnet.core.io.write`.

    Of the affine the voxel size is kept; TIFF has no place for directions and origin. The name
    is left out: it comes from a file's name, which may be a patient's.

    Returns
    -------
    Volume
        What the file holds now.
    """
    from tifffile import imwrite

    data = np.asarray(volume.data)
    data = data.astype(_STORED_AS.get(data.dtype, data.dtype), copy=False)
    if data.dtype.name not in _OME_TYPES:
        raise InputError(
            f'OME-TIFF cannot hold {data.dtype} ("{volume.name}"): convert it, for example to '
            "float32"
        )
    kept, axes = data, volume.axes
    colours = volume.has_channels and data.dtype == np.uint8 and data.shape[-1] in (3, 4)
    if colours:
        axes = axes.replace("C", "S")
    elif volume.has_channels:  # whole pages for each channel, as microscopes do
        place = axes.index("Y")
        data, axes = np.moveaxis(data, -1, place), axes[:place] + "C" + axes[place:-1]
    metadata: dict[str, Any] = {"axes": axes}
    if volume.units == "mm":
        for letter, step in zip(volume.spatial_axes, volume.spacing, strict=True):
            metadata |= {f"PhysicalSize{letter}": step, f"PhysicalSize{letter}Unit": "mm"}
    imwrite(
        path,
        np.ascontiguousarray(data),
        ome=True,
        photometric="rgb" if colours else "minisblack",
        compression="zlib",
        metadata=metadata,
    )
    steps = volume.spacing if volume.units == "mm" else (1.0,) * volume.ndim_spatial
    return replace(volume, data=kept, affine=affine_from_spacing(steps))


def _spacing(file: tifffile.TiffFile) -> dict[str, float]:
    """Return the voxel size in mm along the axes for which the file gives it with a unit."""
    if file.is_ome and file.ome_metadata:
        return _ome_spacing(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return _imagej_spacing(file)
    return {}


def _ome_spacing(metadata: str) -> dict[str, float]:
    from tifffile import xml2dict

    images = xml2dict(metadata).get("OME", {}).get("Image", {})
    first = images[0] if isinstance(images, list) else images
    pixels = first.get("Pixels", {})
    spacing = {}
    for letter in "ZYX":
        size = pixels.get(f"PhysicalSize{letter}")
        scale = _MILLIMETRES.get(pixels.get(f"PhysicalSize{letter}Unit", "µm"))
        if size is not None and scale is not None:
            spacing[letter] = float(size) * scale
    return spacing


def _imagej_spacing(file: tifffile.TiffFile) -> dict[str, float]:
    metadata = file.imagej_metadata or {}
    unit = str(metadata.get("unit", "")).lower().replace("\\u00b5", "µ")
    scale = _MILLIMETRES.get(unit)
    if scale is None:
        return {}
    spacing = {"Z": float(metadata.get("spacing", 0)) * scale}
    tags = file.pages.first.tags
    for letter in "YX":
        tag = tags.get(f"{letter}Resolution")
        if tag is not None and tag.value[0] > 0:
            spacing[letter] = tag.value[1] / tag.value[0] * scale  # stored as pixels per unit
    return spacing
