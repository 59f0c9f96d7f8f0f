"""Which module reads a file, and which one writes it.

A format's module has ``NAME``, ``ENDINGS``, ``recognises(start)``, ``read(path)`` and
``write(path, volume)``, and where masks need something of their own also ``read_labels(path)`` and
``write_labels(path, volume, classes)``. Writing returns the volume that reading has to give, with
what the format cannot hold left out or rounded.

Formats that can be read in parts have a function ``open_levels(path)`` as well; see ``opening.py``.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import dicom, itk, nifti, ome_zarr, picture, tiff
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.types import Volume

_FORMATS = (nifti, picture, tiff, itk, dicom)
_BY_ENDING: dict[str, ModuleType] = {name: module for module in _FORMATS for name in module.ENDINGS}
READABLE = tuple(_BY_ENDING)
WRITABLE = tuple(
    name for name in READABLE if name not in (*picture.LOSSY_ENDINGS, *itk.INSTEAD, *dicom.ENDINGS)
)
_LONGEST_SIGNATURE = 352


def is_readable(path: str | Path) -> bool:
    """Tell from its ending alone whether a file could be read; in folders look for images."""
    file = Path(path)
    if _is_zarr(file):
        return ome_zarr.recognises(file)
    if file.is_dir():
        return dicom.holds_dicom(file)
    return ending(file) in _BY_ENDING


def format_of(file: Path) -> ModuleType:
    """Return the module that reads a file, by what it begins with.

    Raises
    ------
    FileFormatError
        If there is no such file, it is empty, or of no known format.
    """
    if not file.exists():
        raise FileFormatError(f'there is no file "{file}": check its name and folder')
    if _is_zarr(file):
        return ome_zarr
    if file.is_dir():
        if dicom.holds_dicom(file):
            return dicom
        raise FileFormatError(
            f'"{file}" is a folder, and holds no DICOM: give an image file ({_endings(READABLE)})'
        )
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


def writer_of(file: Path) -> ModuleType:
    """Return the module that writes files of this ending.

    Raises
    ------
    InputError
        If none does.
    """
    if ending(file) in picture.LOSSY_ENDINGS:
        raise InputError(
            f'"{file}" would be a JPEG, which alters pixels and so destroys labels and '
            "probabilities: write .png instead"
        )
    if ending(file) in itk.INSTEAD:
        raise InputError(
            f'"{file}" would be one of two files, which cannot be replaced in one step: write '
            f"{itk.INSTEAD[ending(file)]} instead, which is one"
        )
    module = _BY_ENDING.get(ending(file))
    if module is None:
        raise InputError(
            f'cannot tell the format of "{file}" from its ending: use one of {_endings(WRITABLE)}'
        )
    return module


def check_target(file: Path, source: Path) -> None:
    """Refuse, before anything is computed, a mask's file that could not be written.

    Parameters
    ----------
    file : pathlib.Path
        Where the mask shall go.
    source : pathlib.Path
        The image that it is made for.

    Raises
    ------
    InputError
        If no format has this ending, its package is missing, or it can only refer to DICOM images
        and the source is none.
    """
    module = writer_of(file)
    if module is itk:
        itk.check_installed()
    if module is dicom and format_of(source) is not dicom:
        raise InputError(
            f'"{file}" would be a DICOM SEG, which has to refer to DICOM images, and "{source}" '
            "is none: write .nii.gz instead"
        )


def check_fits(file: Path, image: Volume) -> None:
    """Refuse, before anything is computed, a picture as the mask of more than a picture.

    Parameters
    ----------
    file : pathlib.Path
        Where the mask shall go.
    image : Volume
        That it is made for.

    Raises
    ------
    InputError
    """
    if writer_of(file) is picture and image.axes.removesuffix("C") != "YX":
        raise InputError(
            f'"{file}" would be one picture, and "{image.name}" is a volume or a series: write '
            ".nii.gz or .tif instead"
        )


def _is_zarr(file: Path) -> bool:
    return file.suffix.lower() == ome_zarr.ENDING and file.is_dir()


def _endings(names: tuple[str, ...]) -> str:
    return ", ".join(names)
