"""PNG and JPEG pictures to and from Volume.

Pixels are taken in the order in which the file stores them. An EXIF orientation, which some
cameras use to say that a viewer should turn the picture, is **not** applied: a mask has to lie on
the stored pixels, whatever program opens both. It is kept in ``Volume.source["orientation"]`` and
copied into PNG files written for that picture, so that programs that do apply it turn both.
"""

from __future__ import annotations

import colorsys
import logging
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.damage import damaged
from napari_lgmsnet.core.types import Volume, affine_from_spacing

if TYPE_CHECKING:
    from napari_lgmsnet.core.info import ClassInfo

NAME = "a PNG or JPEG picture"
LOSSY_ENDINGS = (".jpg", ".jpeg")
ENDINGS = (".png", *LOSSY_ENDINGS)

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_READ_ERRORS = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
)  # fmt: skip
_DIRECT = {"L", "RGB", "RGBA"}
_UPRIGHT = 1

# When a program logs everything, Pillow logs the texts in a picture, which may name a patient.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.INFO)


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins so is a PNG or a JPEG."""
    return start.startswith(_SIGNATURES)


def read(path: Path) -> Volume:
    """Read a picture; of several in one file the first.

    Returns
    -------
    Volume
        ``YX`` (grey: uint8, uint16, or int32 where the file has more) or ``YXC`` (uint8, red,
        green, blue and where there is transparency alpha), in pixels. Black-and-white becomes
        0 and 255; palettes become what they look like, grey if all their colours are grey;
        CMYK and other colour spaces become RGB.

    Raises
    ------
    FileFormatError
        If it is cut short or damaged, or too large to be opened safely.
    """
    picture, orientation = _open(path)
    data = _pixels(_as_grey_or_colour(picture))
    return _volume(path, data, orientation)


def read_labels(path: Path) -> Volume:
    """Read a mask: as :func:`read`, but palette indices as numbers and black-and-white as 0, 1."""
    picture, orientation = _open(path)
    indexed = picture.mode in ("P", "1")
    data = _pixels(picture if indexed else _as_grey_or_colour(picture))
    return _volume(path, data, orientation)


def write(path: Path, volume: Volume) -> Volume:
    """Write a PNG; see :func:`napari_lgmsnet.core.io.write`.

    Returns
    -------
    Volume
        What the file holds now.
    """
    colours = volume.data.shape[-1] if volume.has_channels else 0
    fits = volume.data.dtype == np.uint8 or (volume.data.dtype == np.uint16 and not colours)
    if volume.spatial_axes != "YX" or volume.axes.startswith("T") or colours not in (0, 3, 4):
        raise _does_not_fit(volume, "one picture, grey or with 3 or 4 colours")
    if not fits:
        raise _does_not_fit(volume, "8-bit numbers, and 16-bit ones in grey")
    return _save(path, volume, Image.fromarray(np.ascontiguousarray(volume.data)))


def write_labels(path: Path, volume: Volume, classes: tuple[ClassInfo, ...] | None) -> Volume:
    """Write a PNG mask; see :func:`napari_lgmsnet.core.io.write_labels`.

    Up to label 255 it has a palette, above it is 16-bit grey.

    Returns
    -------
    Volume
        What the file holds now.
    """
    if volume.axes != "YX":
        raise _does_not_fit(volume, "one picture")
    if volume.data.dtype not in (np.uint8, np.uint16):
        raise _does_not_fit(volume, "labels up to 65535")
    picture = Image.fromarray(np.ascontiguousarray(volume.data))
    if volume.data.dtype == np.uint8:
        picture.putpalette(label_palette(int(volume.data.max(initial=0)), classes))
    return _save(path, volume, picture)


def label_palette(highest: int, classes: tuple[ClassInfo, ...] | None = None) -> bytes:
    """Return colours for labels: black, then the classes' own, else white for the only one.

    Parameters
    ----------
    highest : int
        The highest label.
    classes : tuple of ClassInfo, optional
        The label's number is its place. Labels without a class get distinct hues.

    Returns
    -------
    bytes
        Red, green and blue of 256 entries.
    """
    if highest <= 1 and not classes:
        return bytes([0, 0, 0]) + bytes([255] * 3 * 255)
    colours = [0, 0, 0, *(part for one in (classes or ())[1:256] for part in one.colour)]
    for label in range(len(colours) // 3, 256):
        # The golden ratio spreads hues evenly for any number of labels.
        hue = (0.08 + 0.618034 * (label - 1)) % 1.0
        colours += [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 1.0)]
    return bytes(colours)


def _open(path: Path) -> tuple[Image.Image, int]:
    """Decode a whole file; return it with its EXIF orientation."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            picture.load()
            orientation = int(picture.getexif().get(ExifTags.Base.Orientation, _UPRIGHT))
            return picture.copy(), orientation
    except Image.DecompressionBombError as error:
        raise FileFormatError(
            f'"{path}" has too many pixels for a picture ({error}): convert it to TIFF'
        ) from error
    except _READ_ERRORS as error:
        raise damaged(path, NAME, error) from error


def _as_grey_or_colour(picture: Image.Image) -> Image.Image:
    """Turn the many kinds of pixels into grey, RGB or RGBA."""
    mode = picture.mode
    if mode in _DIRECT or mode.startswith(("I", "F")):
        return picture
    if mode == "1":
        return picture.convert("L")
    if mode in ("LA", "La", "PA", "RGBa"):
        return picture.convert("RGBA")
    if mode == "P" and "transparency" in picture.info:
        return picture.convert("RGBA")
    colour = picture.convert("RGB")
    if mode == "P":
        red, green, blue = (np.asarray(band) for band in colour.split())
        if (red == green).all() and (green == blue).all():
            return colour.getchannel(0)
    return colour


def _pixels(picture: Image.Image) -> NDArray[Any]:
    data = np.array(picture)
    if data.dtype == np.bool_:
        return data.astype(np.uint8)
    if data.dtype == np.int32 and 0 <= data.min(initial=0) <= data.max(initial=0) < 2**16:
        # Some versions of the library read 16-bit grey into 32 bits.
        return data.astype(np.uint16)
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _volume(path: Path, data: NDArray[Any], orientation: int) -> Volume:
    source = MappingProxyType({"format": "picture", "orientation": orientation, "path": path})
    axes = "YXC" if data.ndim == 3 else "YX"
    return Volume(data, axes, affine_from_spacing((1.0, 1.0)), "pixel", path.stem, source)


def _save(path: Path, volume: Volume, picture: Image.Image) -> Volume:
    exif = Image.Exif()
    orientation = volume.source.get("orientation", _UPRIGHT)
    if orientation != _UPRIGHT:
        exif[ExifTags.Base.Orientation] = orientation
    picture.save(path, format="PNG", exif=exif if len(exif) else None)
    return replace(volume, affine=affine_from_spacing((1.0, 1.0)), units="pixel")


def _does_not_fit(volume: Volume, holds: str) -> InputError:
    return InputError(
        f'a PNG holds {holds}; "{volume.name}" is {volume.data.dtype} of shape '
        f'{volume.data.shape} ("{volume.axes}"): write .nii.gz or .tif instead'
    )
