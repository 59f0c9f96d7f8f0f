"""Read and write image files: one module per format, every one to and from Volume.

============ ================================= ======================================
format       read                              written
============ ================================= ======================================
NIfTI        .nii, .nii.gz                     affine, codes and shape as in the source
TIFF         .tif, .tiff (plain, ImageJ, OME)  as OME-TIFF, with the voxel size
PNG          .png                              8 and 16 bit; labels with a palette
JPEG         .jpg, .jpeg                       never: it alters every pixel
NRRD         .nrrd, .nhdr                      as .nrrd, with the affine
MetaImage    .mha, .mhd                        as .mha, with the affine
OME-Zarr     .zarr (a folder)                  never
DICOM        .dcm, files without an ending,    masks, as DICOM SEG that refer to the images
             folders with series
============ ================================= ======================================

What a file is, its content says; the ending only chooses the format to write.

What a format's module has to offer, ``formats.py`` says. Nothing in a module worries about files
that exist, disks that are full or half a file: that is done here, for all formats alike. Packages
that decode files are imported when the first file needs them: importing this costs little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import dicom
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.io.formats import READABLE, WRITABLE, format_of, is_readable, writer_of
from napari_lgmsnet.core.io.labels import MadeBy, as_labels
from napari_lgmsnet.core.io.opening import Lazy, open_levels
from napari_lgmsnet.core.io.verify import check_file
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.info import ClassInfo

__all__ = [
    "READABLE",
    "WRITABLE",
    "MadeBy",
    "as_labels",
    "atomic_path",
    "is_readable",
    "read",
    "read_labels",
    "read_levels",
    "write",
    "write_labels",
]


def read(path: str | Path, *, lazy: Lazy = False, series: str | int | None = None) -> Volume:
    """Read an image, of a pyramid the finest level.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of one of the formats in :data:`READABLE`, or a folder of OME-Zarr or DICOM.
    lazy : bool or "auto"
        Whether the data stay in the file until a part of them is asked for: they are a dask array
        then. "auto" decides by the size.
    series : str or int, optional
        Which series of a DICOM folder: its number, or another key that
        :func:`~napari_lgmsnet.core.io.dicom.list_series` gives.

    Returns
    -------
    Volume
        Intensities in the file's own type and native byte order, where the file scales none of
        them, with axes, affine (mm, or pixels where the file gives no size) and what the
        writer needs to give the geometry back.

    Raises
    ------
    FileFormatError
        If the file is missing, a folder without DICOM, empty, cut short, no image, or of a kind
        that is not supported.
    InputError
        If a folder holds several series and ``series`` names none of them.
    """
    file = Path(path)
    if lazy is not False or series is not None:
        return read_levels(file, lazy=lazy, series=series)[0]
    volume: Volume = format_of(file).read(file)
    return volume


def read_levels(
    path: str | Path, *, lazy: Lazy = "auto", series: str | int | None = None
) -> tuple[Volume, ...]:
    """Read all levels of a pyramid, the finest first.

    Parameters
    ----------
    path, lazy, series
        As for :func:`read`.

    Returns
    -------
    tuple of Volume
        Each lies where the finest lies. One, if the file holds no pyramid.

    Raises
    ------
    FileFormatError
        As :func:`read`.
    InputError
        If ``lazy`` is True and the file cannot be read in parts with what is installed, or a
        series has to be chosen.
    """
    file = Path(path)
    module = format_of(file)
    if module is dicom:
        return (dicom.read(file, series, lazy=lazy),)
    if series is not None:
        raise InputError(f'"{file}" has no series {series}: they are in folders of DICOM')
    return open_levels(file, module, lazy)


def read_labels(path: str | Path) -> Volume:
    """Read a mask: like :func:`read`, but palette pictures keep their indices.

    Returns
    -------
    Volume
        Without channels, of the smallest unsigned integer type that holds the labels.

    Raises
    ------
    FileFormatError
        As :func:`read`, and if the file holds no whole numbers from 0 on or several channels
        that differ.
    """
    file = Path(path)
    volume = _mask_reader(format_of(file))(file)
    if volume.has_channels:
        # Many masks are stored as grey in three equal channels, some with an opaque alpha.
        colours = volume.data[..., : 3 if volume.data.shape[-1] == 4 else None]
        if (colours != colours[..., :1]).any():
            raise FileFormatError(
                f'"{file}" is a colour picture, not a mask: save the mask with one number a pixel'
            )
        volume = replace(volume, data=colours[..., 0], axes=volume.axes.removesuffix("C"))
    try:
        return as_labels(volume)
    except InputError as error:
        raise FileFormatError(f'"{file}" is not a mask: {error}') from error


def write(path: str | Path, volume: Volume, *, overwrite: bool = False) -> None:
    """Write an image or probabilities; the type of the data is kept where the format has it.

    The file is written beside the target, read back, compared bit by bit, and only then put in
    the target's place, in one step: at any moment the target is the old file or the new one.

    Parameters
    ----------
    path : str or pathlib.Path
        The ending chooses the format; see :data:`WRITABLE`.
    volume : Volume
        What to write. If it was read from, or lies on the grid of, a NIfTI file, writing NIfTI
        gives back that file's affine, codes and units bit by bit.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        If the format cannot hold the data, the file exists, or it cannot be written.
    WriteError
        If reading it back gave something else.
    """
    file = Path(path)
    module = writer_of(file)
    with atomic_path(file, overwrite) as temporary:
        written = module.write(temporary, volume)
        check_file(file, temporary, written, module.read)


def write_labels(
    path: str | Path,
    volume: Volume,
    *,
    overwrite: bool = False,
    classes: tuple[ClassInfo, ...] | None = None,
    made_by: MadeBy | None = None,
) -> None:
    """Write a mask: label values as they are, in the smallest integer type that holds them.

    It is written as :func:`write` does it. PNG gets a palette, so that labels can be told apart
    in a picture viewer although the values stay 0, 1, 2...; background is black and, without
    ``classes``, the only label of a binary mask white.

    Parameters
    ----------
    path, volume, overwrite
        As for :func:`write`.
    classes : tuple of ClassInfo, optional
        Names and colours for formats that keep them; the label's number is its place.
    made_by : MadeBy, optional
        For DICOM, which says how a mask came about; without it, by hand.

    Raises
    ------
    InputError
        As :func:`write`, and if the data are not whole numbers from 0 on.
    WriteError
        If reading it back gave something else.
    """
    file = Path(path)
    module, labels = writer_of(file), as_labels(volume)
    with atomic_path(file, overwrite) as temporary:
        if module is dicom:
            written = dicom.write_labels(temporary, labels, classes, made_by)
        elif hasattr(module, "write_labels"):
            written = module.write_labels(temporary, labels, classes)
        else:
            written = module.write(temporary, labels)
        check_file(file, temporary, written, _mask_reader(module))


def _mask_reader(module: ModuleType) -> Callable[[Path], Volume]:
    """Return how a format's masks are read, where that differs from how its images are."""
    reader: Callable[[Path], Volume] = getattr(module, "read_labels", module.read)
    return reader
