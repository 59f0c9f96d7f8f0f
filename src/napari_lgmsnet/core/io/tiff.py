"""TIFF files, plain, ImageJ's and OME, to and from Volume."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.io.damage import damaged
from napari_lgmsnet.core.types import Units, Volume, affine_from_spacing

NAME = "a TIFF file"
ENDINGS = (".tif", ".tiff")

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_READ_ERRORS = (
    tifffile.TiffFileError, OSError, ValueError, TypeError, LookupError, RuntimeError,
    AttributeError, EOFError, struct.error, zlib.error,
)  # fmt: skip
_MILLIMETRES = {
    "m": 1000.0, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3,
    "micrometre": 1e-3, "nm": 1e-6, "inch": 25.4, "in": 25.4,
}  # fmt: skip
_PAGES = "ZIQ"  # letters under which tifffile reports a stack of pages
_OME_TYPES = {"bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"}


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
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            data = series.asarray()
            if file.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                data = _inverted(data)
            axes = series.axes
            spacing = _spacing(file)
    except _READ_ERRORS as error:
        if "imagecodecs" in str(error):
            raise FileFormatError(
                f'"{path}" is compressed in a way that needs another package: install it by '
                "`pip install imagecodecs`, or save the file without compression"
            ) from error
        raise damaged(path, NAME, error) from error
    data, axes = _to_volume_order(data, axes, path)
    spatial = [letter for letter in axes if letter in "ZYX"]
    known = all(spacing.get(letter, 0) > 0 for letter in spatial)
    steps = tuple(spacing[letter] if known else 1.0 for letter in spatial)
    source = MappingProxyType({"format": "tiff", "path": path})
    name = path.name.removesuffix(path.suffix).removesuffix(".ome")
    units: Units = "mm" if known else "pixel"
    return Volume(data, axes, affine_from_spacing(steps), units, name, source)


def write(path: Path, volume: Volume, *, overwrite: bool = False) -> None:
    """Write OME-TIFF; see :func:`napari_lgmsnet.core.io.write`.

    Of the affine the voxel size is kept; TIFF has no place for directions and origin.
    """
    data = volume.data.astype(np.float32) if volume.data.dtype == np.float16 else volume.data
    if data.dtype.name not in _OME_TYPES:
        raise InputError(
            f'OME-TIFF cannot hold {data.dtype} ("{volume.name}"): convert it, for example to '
            "float32"
        )
    axes = volume.axes
    colours = volume.has_channels and data.dtype == np.uint8 and data.shape[-1] in (3, 4)
    if colours:
        axes = axes.replace("C", "S")
    elif volume.has_channels:  # whole pages for each channel, as microscopes do
        place = axes.index("Y")
        data, axes = np.moveaxis(data, -1, place), axes[:place] + "C" + axes[place:-1]
    metadata: dict[str, Any] = {"axes": axes, "Name": volume.name}
    if volume.units == "mm":
        for letter, step in zip(volume.spatial_axes, volume.spacing, strict=True):
            metadata |= {f"PhysicalSize{letter}": step, f"PhysicalSize{letter}Unit": "mm"}
    with atomic_path(path, overwrite) as temporary:
        tifffile.imwrite(
            temporary,
            np.ascontiguousarray(data),
            ome=True,
            photometric="rgb" if colours else "minisblack",
            compression="zlib",
            metadata=metadata,
        )


# Labels need nothing of their own here: every integer type is stored as it is.
write_labels = write


def _inverted(data: NDArray[Any]) -> NDArray[Any]:
    """Make white of a file that counts from white to black the highest number again."""
    if data.dtype == np.bool_:
        return ~data
    return np.iinfo(data.dtype).max - data if data.dtype.kind == "u" else data


def _to_volume_order(data: NDArray[Any], axes: str, path: Path) -> tuple[NDArray[Any], str]:
    """Rename, reorder and drop axes until they read [T][Z]YX[C]."""
    if data.dtype == np.bool_:
        data = data.astype(np.uint8)
    keep = [i for i, letter in enumerate(axes) if letter in "YX" or data.shape[i] > 1]
    letters = "".join(axes[i] for i in keep)
    data = data.reshape([data.shape[i] for i in keep])
    for alias in _PAGES:
        letters = letters if "Z" in letters else letters.replace(alias, "Z", 1)
    letters = letters if "C" in letters else letters.replace("S", "C")
    order = "".join(letter for letter in "TZYXC" if letter in letters)
    if sorted(order) != sorted(letters) or "YX" not in order:
        raise FileFormatError(
            f'"{path}" has the axes "{axes}" of the lengths {data.shape}: time, z, y, x and one '
            "axis of channels can be read. Split the file"
        )
    data = data.transpose([letters.index(letter) for letter in order])
    if data.dtype.kind not in "iuf":
        raise FileFormatError(f'"{path}" holds {data.dtype} numbers: real ones are expected')
    return data.astype(data.dtype.newbyteorder("="), copy=False), order


def _spacing(file: tifffile.TiffFile) -> dict[str, float]:
    """Return the voxel size in mm along the axes for which the file gives it with a unit."""
    if file.is_ome and file.ome_metadata:
        return _ome_spacing(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return _imagej_spacing(file)
    return {}


def _ome_spacing(metadata: str) -> dict[str, float]:
    images = tifffile.xml2dict(metadata).get("OME", {}).get("Image", {})
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
