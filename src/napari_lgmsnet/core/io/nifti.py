"""NIfTI files to and from Volume, with geometry that is never recomputed; see nifti_header.py.

nibabel loads pydicom and more: it is imported when the first file is read or written.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.io.axes import take_axes
from napari_lgmsnet.core.io.damage import check_real, damaged
from napari_lgmsnet.core.io.nifti_header import affine_in, axes_in, of_dimension, set_affine
from napari_lgmsnet.core.types import Volume

NAME = "a NIfTI file"
ENDINGS = (".nii", ".nii.gz")

GZIP = b"\x1f\x8b"
_FREE_TEXT = {"descrip", "aux_file", "db_name", "intent_name", "data_type"}
_LONGEST_HEADER = 540
_CHUNK = 2**20


def read_errors() -> tuple[type[Exception], ...]:
    """Return what reading a damaged file may raise."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError, ImageDataError
    from nibabel.wrapstruct import WrapStructError

    return (
        ImageFileError, HeaderDataError, ImageDataError, WrapStructError, OSError, EOFError,
        ValueError, KeyError, OverflowError, struct.error, zlib.error,
    )  # fmt: skip


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
    except read_errors() as error:
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
    check_real(path, data.dtype)
    source = MappingProxyType({"format": "nifti", "header": header.copy(), "path": path})
    spatial = sum(letter in "ZYX" for letter in axes)
    name = path.name[: len(path.name) - len(ending(path))]
    return Volume(data, axes, of_dimension(affine, spatial), "mm", name, source)


def write(path: Path, volume: Volume) -> Volume:
    """Write NIfTI; see :func:`napari_lgmsnet.core.io.write`.

    The header of a volume that was read from NIfTI, or lies on the grid of one, is used again.
    Free text and extensions are left out of it: scanners put names of patients there.

    Returns
    -------
    Volume
        What the file holds now: an affine of its own is rounded to the 32 bits of NIfTI-1.
    """
    image, written = image_of(volume)
    with path.open("wb") as file:
        if ending(path) == ".nii.gz":
            # Without name and time in it, equal data give equal files.
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(file)
    return written


def image_of(volume: Volume) -> tuple[Any, Volume]:
    """Return a volume as nibabel's image, and what its file will hold; see :func:`write`.

    Raises
    ------
    InputError
        If NIfTI cannot hold it.
    """
    import nibabel
    from nibabel.spatialimages import HeaderDataError

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
    if not np.array_equal(of_dimension(affine_in(header), volume.ndim_spatial), affine):
        set_affine(header, volume)
        affine = affine if second else affine.astype(np.float32)
    kind: Any = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    written = replace(volume, data=data, affine=affine, units="mm")
    return kind(stored, None, header), written


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
    import nibabel

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
    from nibabel.volumeutils import apply_read_scaling

    exact = stored.dtype.itemsize <= 2 or stored.dtype == np.float32
    numbers = apply_read_scaling(stored, np.float64(slope), np.float64(intercept))
    return numbers.astype(np.float32 if exact else np.float64, copy=False)


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
