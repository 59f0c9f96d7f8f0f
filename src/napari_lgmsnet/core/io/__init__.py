"""Read and write image files: one module per format, every one to and from Volume.

============ ================================= ======================================
format       read                              written
============ ================================= ======================================
NIfTI        .nii, .nii.gz                     affine, codes and shape as in the source
TIFF         .tif, .tiff (plain, ImageJ, OME)  as OME-TIFF, with the voxel size
PNG          .png                              8 and 16 bit; labels with a palette
JPEG         .jpg, .jpeg                       never: it alters every pixel
============ ================================= ======================================

What a file is, its content says; the ending only chooses the format to write.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import nifti, picture, tiff
from napari_lgmsnet.core.io.atomic import atomic_path, ending
from napari_lgmsnet.core.io.labels import as_labels
from napari_lgmsnet.core.types import Volume

__all__ = [
    "READABLE",
    "WRITABLE",
    "as_labels",
    "atomic_path",
    "is_readable",
    "read",
    "read_labels",
    "write",
    "write_labels",
]

_FORMATS = (nifti, picture, tiff)
_BY_ENDING: dict[str, ModuleType] = {name: module for module in _FORMATS for name in module.ENDINGS}
READABLE = tuple(_BY_ENDING)
WRITABLE = tuple(name for name in READABLE if name not in picture.LOSSY_ENDINGS)
_LONGEST_SIGNATURE = 352


def is_readable(path: str | Path) -> bool:
    """Tell from its ending alone whether a file could be read."""
    return ending(Path(path)) in _BY_ENDING


def read(path: str | Path) -> Volume:
    """Read an image.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of one of the formats in :data:`READABLE`.

    Returns
    -------
    Volume
        Intensities in the file's own type and native byte order, where the file scales none of
        them, with axes, affine (mm, or pixels where the file gives no size) and what the
        writer needs to give the geometry back.

    Raises
    ------
    FileFormatError
        If the file is missing, a folder, empty, cut short, no image, or of a kind that is not
        supported.
    """
    file = Path(path)
    volume: Volume = _format_of(file).read(file)
    return volume


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
    module = _format_of(file)
    volume = picture.read_indices(file) if module is picture else module.read(file)
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
    """Write an image or probabilities; the type of the data is kept.

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
    """
    file = Path(path)
    _writer_of(file).write(file, volume, overwrite=overwrite)


def write_labels(path: str | Path, volume: Volume, *, overwrite: bool = False) -> None:
    """Write a mask: label values as they are, in the smallest integer type that holds them.

    Parameters are those of :func:`write`. PNG gets a palette, so that labels can be told apart
    in a picture viewer although the values stay 0, 1, 2...; background is black and the only
    label of a binary mask white.

    Raises
    ------
    InputError
        As :func:`write`, and if the data are not whole numbers from 0 on.
    """
    file = Path(path)
    _writer_of(file).write_labels(file, as_labels(volume), overwrite=overwrite)


def _format_of(file: Path) -> ModuleType:
    """Return the module that reads a file, by what it begins with."""
    if not file.exists():
        raise FileFormatError(f'there is no file "{file}": check its name and folder')
    if file.is_dir():
        raise FileFormatError(f'"{file}" is a folder: give an image file ({_endings(READABLE)})')
    try:
        with file.open("rb") as stream:
            start = stream.read(_LONGEST_SIGNATURE)
    except OSError as error:
        raise FileFormatError(
            f'"{file}" cannot be opened ({error.strerror}): check its permissions'
        ) from error
    if not start:
        raise FileFormatError(f'"{file}" is empty: copy or export it again')
    for module in _FORMATS:
        if module.recognises(start):
            return module
    expected = _BY_ENDING.get(ending(file))
    if expected is not None:
        raise FileFormatError(
            f'"{file}" is not what its ending says: it does not begin like {expected.NAME}. '
            "It may be damaged or have been renamed: export it again"
        )
    raise FileFormatError(
        f'"{file}" is of no known image format: those that can be read are {_endings(READABLE)}'
    )


def _writer_of(file: Path) -> ModuleType:
    """Return the module that writes files of this ending."""
    if ending(file) in picture.LOSSY_ENDINGS:
        raise InputError(
            f'"{file}" would be a JPEG, which alters pixels and so destroys labels and '
            "probabilities: write .png instead"
        )
    module = _BY_ENDING.get(ending(file))
    if module is None:
        raise InputError(
            f'cannot tell the format of "{file}" from its ending: use one of {_endings(WRITABLE)}'
        )
    return module


def _endings(names: tuple[str, ...]) -> str:
    return ", ".join(names)
