"""NIfTI files to and from Volume, with geometry that is never recomputed.

NIfTI counts voxels x first and its world runs to the right, to the front and up (RAS+). Volume
counts z first and its world runs to the left, to the back and up (LPS+), named in the order z, y,
x. Going from one to the other reverses orders and flips signs, which is exact in floating point,
so that the way back gives the same bits.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.io.axes import take_axes
from napari_lgmsnet.core.io.damage import damaged
from napari_lgmsnet.core.types import Volume, spacing_from_affine

NAME = "a NIfTI file"
ENDINGS = (".nii", ".nii.gz")

READ_ERRORS = (
    ImageFileError, HeaderDataError, ImageDataError, WrapStructError, OSError, EOFError,
    ValueError, KeyError, OverflowError, struct.error, zlib.error,
)  # fmt: skip
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
GZIP = b"\x1f\x8b"
_SCANNER = 1  # code of an affine to the scanner's coordinates
_FLIP = np.array([-1.0, -1.0, 1.0, 1.0])
_FREE_TEXT = {"descrip", "aux_file", "db_name", "intent_name", "data_type"}
_LONGEST_HEADER = 540
_APART = 5e-5
"""Millimetres by which the two ways to say where a voxel lies may differ."""
_CHUNK = 2**20


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins so is NIfTI-1, NIfTI-2 or compressed."""
    return _is_nifti(start) or start.startswith(GZIP)


def read(path: Path) -> Volume:
    """Read a NIfTI file.

    Returns
    -------
    Volume
        Axes ``YX``, ``ZYX``, ``TZYX``, and ``C`` last for vectors and colours; further axes of
        length 1 are dropped. Data keep their type unless the header scales them: scaled ones are
        float32 where that holds them, and integers shifted by a whole number stay integers. The
        affine is the sform's, or the qform's, or from the voxel size, in this order, as the
        standard says; in mm also if the header says micrometres or metres.

    Raises
    ------
    FileFormatError
        If it is damaged, cut short, or holds what an image cannot.
    """
    try:
        with path.open("rb") as file:
            data, header = _decode(file)
        affine = affine_in(header)
    except MemoryError as error:
        raise FileFormatError(f'"{path}" does not fit into memory: crop it first') from error
    except READ_ERRORS as error:
        raise damaged(path, NAME, error) from error
    if data.dtype.names:
        data = np.stack([data[name] for name in data.dtype.names], axis=-1)
    order, axes = axes_in(header, path)
    return volume_of(path, take_axes(data, order), axes, affine, header)


def volume_of(path: Path, data: Any, axes: str, affine: NDArray[np.float64], header: Any) -> Volume:
    """Return the volume that a file holds.

    Parameters
    ----------
    path : pathlib.Path
    data : array of shape ``axes``
        Lazy or not.
    axes : str
    affine : float array (4, 4)
        As :func:`affine_in` returns it.
    header : nibabel header

    Raises
    ------
    FileFormatError
        If the numbers are not real ones.
    """
    if data.dtype.kind not in "iuf":
        raise FileFormatError(f'"{path}" holds {data.dtype} numbers: real ones are expected')
    source = MappingProxyType({"format": "nifti", "header": header.copy(), "path": path})
    spatial = sum(letter in "ZYX" for letter in axes)
    name = path.name[: len(path.name) - len(ending(path))]
    return Volume(data, axes, _of_dimension(affine, spatial), "mm", name, source)


def write(path: Path, volume: Volume) -> Volume:
    """Write NIfTI; see :func:`napari_lgmsnet.core.io.write`.

    The header of a volume that was read from NIfTI, or lies on the grid of one, is used again.
    Free text and extensions are left out of it: scanners put names of patients there.

    Returns
    -------
    Volume
        What the file holds now: an affine of its own is rounded to the 32 bits of NIfTI-1.
    """
    kept = {np.dtype(np.bool_): np.uint8, np.dtype(np.float16): np.float32}
    data = np.asarray(volume.data)
    data = data.astype(kept.get(data.dtype, data.dtype), copy=False)
    affine = volume.affine
    header = volume.source["header"] if volume.source.get("format") == "nifti" else None
    stored = _to_file_order(volume, data, header)
    header = nibabel.Nifti1Header() if header is None else header.copy()
    for field in _FREE_TEXT & set(header.keys()):
        header[field] = b""
    header["cal_min"] = header["cal_max"] = 0  # a display range for other intensities
    del header.extensions[:]
    try:
        header.set_data_dtype(stored.dtype)
        if header.get_data_shape() != stored.shape:  # it also resets sizes of unused axes
            header.set_data_shape(stored.shape)
    except HeaderDataError as error:
        raise InputError(
            f'NIfTI cannot hold "{volume.name}" ({data.dtype}, shape {data.shape}): convert it, '
            "for example to float32"
        ) from error
    second = isinstance(header, nibabel.Nifti2Header)
    if not np.array_equal(_of_dimension(affine_in(header), volume.ndim_spatial), affine):
        _set_affine(header, volume)
        affine = affine if second else affine.astype(np.float32)
    kind: Any = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    image = kind(stored, None, header)
    with path.open("wb") as file:
        if ending(path) == ".nii.gz":
            # Without name and time in it, equal data give equal files.
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(file)
    return replace(volume, data=data, affine=affine, units="mm")


def _is_nifti(start: bytes) -> bool:
    return start[344:348] == b"n+1\0" or _is_nifti2(start)


def _is_nifti2(start: bytes) -> bool:
    return start[4:8] == b"n+2\0"


def _decode(file: BinaryIO) -> tuple[NDArray[Any], Any]:
    """Return the data and the header of an opened file."""
    compressed = file.read(2) == GZIP
    file.seek(0)
    stream: Any = gzip.GzipFile(fileobj=file) if compressed else file
    image = image_in(stream)
    proxy: Any = image.dataobj
    data = scaled(proxy.get_unscaled(), float(proxy.slope), float(proxy.inter))
    while stream.read(_CHUNK):  # the checksum comes last
        pass
    return data, image.header


def image_in(stream: Any) -> Any:
    """Return the image in an opened stream that is not compressed; its data are not read yet.

    Parameters
    ----------
    stream : binary file object

    Returns
    -------
    nibabel image
        With a header, and a ``dataobj`` that knows shape, type, offset and scaling.

    Raises
    ------
    ValueError, or one of nibabel's errors
        If it is no NIfTI, or damaged.
    """
    start = stream.read(_LONGEST_HEADER)
    if not _is_nifti(start):
        raise ValueError("what is compressed in it is something else")
    stream.seek(0)
    kind: Any = nibabel.Nifti2Image if _is_nifti2(start) else nibabel.Nifti1Image
    return kind.from_file_map(kind.make_file_map({"image": stream}), mmap=False)


def scaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Return numbers with the header's slope and intercept applied, in native byte order.

    Parameters
    ----------
    stored : array
        A whole volume or a part of it: each number is scaled for itself.
    slope, intercept : float
    """
    if slope == 1 and intercept == 0:
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if stored.dtype.kind in "iu" and slope == 1 and intercept.is_integer():
        return stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32) + int(intercept)
    exact = stored.dtype.itemsize <= 2 or stored.dtype == np.float32
    numbers = apply_read_scaling(stored, np.float64(slope), np.float64(intercept))
    return numbers.astype(np.float32 if exact else np.float64, copy=False)


def axes_in(header: Any, path: Path) -> tuple[tuple[int, ...], str]:
    """Return which axes of a file a volume has, and in which order.

    Parameters
    ----------
    header : nibabel header
        Colours, which are stored as records of 8-bit numbers, count as one more axis at the end.
    path : pathlib.Path
        For messages.

    Returns
    -------
    order : tuple of int
        The file's axis for each of the volume's; spatial axes are reversed, and those without
        extent dropped.
    axes : str
        As for :class:`~napari_lgmsnet.core.types.Volume`.

    Raises
    ------
    FileFormatError
        If there are more than a volume can have.
    """
    shape = tuple(header.get_data_shape())
    letters, names = "XYZTCUV"[: len(shape)], header.get_data_dtype().names
    if names:
        letters, shape = letters + "S", (*shape, len(names))
    spatial = "".join(letter for letter in letters if letter in "XYZ")
    extended = [letter for i, letter in enumerate(letters) if letter in "TCUVS" and shape[i] > 1]
    kept = spatial + "".join(extended)
    names_of = {("C" if letter == "S" and "C" not in kept else letter): letter for letter in kept}
    axes = "".join(letter for letter in "TZYXC" if letter in names_of)
    if len(axes) != len(kept) or "YX" not in axes:
        lengths = tuple(shape[letters.index(letter)] for letter in kept)
        raise FileFormatError(
            f'"{path}" has {len(kept)} axes of the lengths {lengths}: x, y, z, time and one '
            "axis of channels can be read. Split the file"
        )
    return tuple(letters.index(names_of[letter]) for letter in axes), axes


def _to_file_order(volume: Volume, data: NDArray[Any], header: Any) -> NDArray[Any]:
    """Undo :func:`axes_in`, with the axes of length 1 that the source had."""
    letters = volume.axes
    colours = volume.has_channels and data.dtype == np.uint8 and data.shape[-1] in (3, 4)
    if colours and (header is None or header.get_data_dtype().names):
        names = "RGBA"[: data.shape[-1]]
        record = np.dtype([(name, np.uint8) for name in names])
        data = np.ascontiguousarray(data).view(record)[..., 0]
        letters = letters.removesuffix("C")
    last = max("XYZTC".index(letter) for letter in letters)
    for letter in "XYZTC"[: last + 1]:
        if letter not in letters:
            data, letters = data[None], letter + letters
    data = data.transpose([letters.index(letter) for letter in "XYZTC"[: last + 1]])
    shape = tuple(header.get_data_shape()) if header is not None else data.shape
    if shape[: data.ndim] == data.shape and set(shape[data.ndim :]) <= {1}:
        data = data.reshape(shape)
    return data


def affine_in(header: Any) -> NDArray[np.float64]:
    """Return the header's affine as Volume counts: index (z, y, x) to LPS+ (z, y, x) in mm."""
    affine = np.array(header.get_best_affine(), dtype=np.float64)
    scale = _MILLIMETRES[header.get_xyzt_units()[0]]
    affine[:3] *= scale
    return _reverse(_FLIP[:, None] * affine)


def _reverse(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reverse the order of the axes on both sides."""
    order = [2, 1, 0, 3]
    return affine[np.ix_(order, order)]


def _of_dimension(affine: NDArray[np.float64], spatial: int) -> NDArray[np.float64]:
    """Return a 4 x 4 affine for a grid of 2 or 3 axes.

    A plane that does not lie along the world's x and y has no affine of two dimensions; its
    pixel size is what remains. The header in the volume's source still knows where it lies.
    """
    if spatial == 3:
        return affine
    if not affine[0, 1:3].any():
        return affine[1:, 1:]
    return np.diag([*spacing_from_affine(affine)[1:], 1.0])


def _set_affine(header: Any, volume: Volume) -> None:
    """Put a volume's own affine into a header."""
    affine = volume.affine
    if volume.ndim_spatial == 2:
        affine = np.block([[np.ones((1, 1)), np.zeros((1, 3))], [np.zeros((3, 1)), affine]])
    affine = _FLIP[:, None] * _reverse(affine)
    code = int(header["sform_code"]) or int(header["qform_code"]) or _SCANNER
    header.set_qform(affine, code)
    header.set_sform(affine, code)
    # A quaternion cannot express shears, and turns by almost 180 degrees only roughly. A program
    # that goes by it must not put the last voxel elsewhere.
    apart = np.abs(header.get_qform() - header.get_sform())[:3]
    shape = (*header.get_data_shape(), 1, 1)[:3]
    if (apart @ [*(size - 1 for size in shape), 1]).max() > _APART:
        header["qform_code"] = 0
    header.set_xyzt_units("mm" if volume.units == "mm" else "unknown")
