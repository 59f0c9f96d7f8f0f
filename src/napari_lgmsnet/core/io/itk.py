"""NRRD and MetaImage files (MHA, MHD) to and from Volume, by SimpleITK.

ITK's world is LPS+ in the order x, y, z, in millimetres; Volume's has the same directions in the
order z, y, x. An NRRD file that says that it counts in RAS or LAS is turned by ITK. One that names
no anatomical directions is taken to count in LPS, as every program built on ITK does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.io.damage import check_real, damaged
from napari_lgmsnet.core.io.itk_header import Header, is_metaimage, is_nrrd, read_header
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.types import Volume

NAME = "an NRRD or MetaImage file"
ENDINGS = (".nrrd", ".mha", ".nhdr", ".mhd")
INSTEAD = {".nhdr": ".nrrd", ".mhd": ".mha"}
"""Endings of formats that spread an image over two files, which cannot be replaced in one step."""

_WRITERS = {".nrrd": "NrrdImageIO", ".mha": "MetaImageIO"}
_STORED_AS = {np.dtype(np.bool_): np.uint8, np.dtype(np.float16): np.float32}
_LISTS = {"list", "point", "3D-matrix", "3D-symmetric-matrix", "3D-masked-symmetric-matrix"}


def check_installed() -> None:
    """Refuse to work without SimpleITK.

    Raises
    ------
    InputError
    """
    _sitk()


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins so is NRRD or MetaImage."""
    return is_nrrd(start) or is_metaimage(start)


def read(path: Path) -> Volume:
    """Read an NRRD or MetaImage file, or the header file of one in two files.

    Returns
    -------
    Volume
        ``YX``, ``ZYX`` or ``TZYX``, and ``C`` last for vectors and colours; in mm also if the
        header counts in other units, in pixels if it gives no voxel size.

    Raises
    ------
    InputError
        If SimpleITK is not installed.
    FileFormatError
        If the file is damaged or cut short, or a list of volumes, as diffusion series and
        sequences are.
    """
    sitk = _sitk()
    header = read_header(path)
    _refuse_lists(path, header)
    header.check_data(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if header.nrrd else "MetaImageIO")
    reader.SetFileName(str(path))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        reason = str(error)
        if "number of domain axes" in reason:
            raise FileFormatError(
                f'"{path}" has an axis that lies neither in space nor in the pixels, such as '
                "time: save its frames as one 4D NIfTI file, or one file for each"
            ) from error
        raise damaged(path, NAME, ValueError(_last_line(reason))) from error
    data: NDArray[Any] = sitk.GetArrayFromImage(image)
    check_real(path, data.dtype)
    if image.GetDimension() > 4:
        raise FileFormatError(
            f'"{path}" has {image.GetDimension()} axes: x, y, z and time can be read. Split it'
        )
    axes = "TZYX"[-image.GetDimension() :]
    if data.ndim > len(axes):
        axes += "C"
    if axes.startswith("T") and data.shape[0] == 1:
        data, axes = data[0], axes[1:]
    affine = _affine_of(image, path, 3 if "Z" in axes else 2)
    affine[:-1] *= header.millimetres
    source = MappingProxyType({"format": "itk", "path": path})
    name = path.name.removesuffix(path.suffix)
    return Volume(data, axes, affine, "mm" if header.sized else "pixel", name, source)


def write(path: Path, volume: Volume) -> Volume:
    """Write NRRD or MHA; see :func:`napari_lgmsnet.core.io.write`.

    Numbers are stored with all 17 digits, so that the affine comes back but for the last one.
    No text of any source is passed on.

    Returns
    -------
    Volume
        What the file holds now.
    """
    sitk = _sitk()
    data = np.asarray(volume.data)
    data = data.astype(_STORED_AS.get(data.dtype, data.dtype), copy=False)
    if data.dtype.kind not in "iuf" or data.dtype.itemsize > 8:
        raise InputError(
            f'NRRD and MHA cannot hold {data.dtype} ("{volume.name}"): convert it, for example to '
            "float32"
        )
    if volume.axes.startswith("T") and volume.ndim_spatial == 2:
        raise InputError(
            f'"{volume.name}" is a series of pictures, which NRRD and MHA would take for a '
            "volume: write .tif instead"
        )
    image = sitk.GetImageFromArray(np.ascontiguousarray(data), isVector=volume.has_channels)
    count, size = volume.ndim_spatial, image.GetDimension()
    spacing, origin, direction = np.ones(size), np.zeros(size), np.eye(size)
    affine = _reverse(volume.affine)
    spacing[:count] = np.linalg.norm(affine[:-1, :-1], axis=0)
    direction[:count, :count] = affine[:-1, :-1] / spacing[:count]
    origin[:count] = affine[:-1, -1]
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    image.SetDirection(direction.ravel().tolist())
    writer = sitk.ImageFileWriter()
    writer.SetImageIO(_WRITERS[ending(path)])
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressionLevel(1)
    try:
        writer.Execute(image)
    except RuntimeError as error:
        raise OSError(f"SimpleITK could not write it: {_last_line(str(error))}") from error
    return replace(volume, data=data, units="mm")


def _sitk() -> Any:
    return optional("SimpleITK", "itk", "reading and writing NRRD and MetaImage files")


def _refuse_lists(path: Path, header: Header) -> None:
    """Refuse what would be taken for channels, but is a number of separate volumes."""
    if header.diffusion:
        raise FileFormatError(
            f'"{path}" is a diffusion series with several directions: save the one to segment as '
            "a volume of its own"
        )
    found = [kind for kind in header.kinds if kind in _LISTS]
    if found:
        raise FileFormatError(
            f'"{path}" holds a list of volumes or of points (axis of the kind "{found[0]}"), not '
            "one image: save the one to segment as a file of its own"
        )


def _affine_of(image: Any, path: Path, spatial: int) -> NDArray[np.float64]:
    size = image.GetDimension()
    steps = np.reshape(image.GetDirection(), (size, size)) * np.array(image.GetSpacing())
    if steps[:spatial, spatial:].any() or steps[spatial:, :spatial].any():
        raise FileFormatError(f'"{path}" mixes time and space in its directions: save it again')
    affine = np.eye(spatial + 1)
    affine[:-1, :-1] = steps[:spatial, :spatial]
    affine[:-1, -1] = image.GetOrigin()[:spatial]
    return _reverse(affine)


def _reverse(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reverse the order of the axes on both sides."""
    order = [*range(affine.shape[0] - 2, -1, -1), affine.shape[0] - 1]
    return affine[np.ix_(order, order)]


def _last_line(text: str) -> str:
    """Return what ITK says at the end of a long message."""
    return text.strip().splitlines()[-1].strip()
