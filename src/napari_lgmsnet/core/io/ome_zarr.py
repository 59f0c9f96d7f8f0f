"""Zarr folders with an image, as OME-Zarr (NGFF 0.4 and 0.5) or bare, to Volume."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.geometry import coarser_volumes
from napari_lgmsnet.core.io.damage import check_real, damaged
from napari_lgmsnet.core.io.lazy import Slices, arranged, lazy_array
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.types import Units, Volume, affine_from_spacing

NAME = "an OME-Zarr image"
ENDING = ".zarr"

_MILLIMETRES = {
    "meter": 1000.0, "centimeter": 10.0, "millimeter": 1.0, "micrometer": 1e-3, "nanometer": 1e-6,
    "angstrom": 1e-7, "inch": 25.4,
}  # fmt: skip
_NAMES = {"t": "T", "time": "T", "z": "Z", "y": "Y", "x": "X", "c": "C", "channel": "C"}
_OLDEST = ("t", "c", "z", "y", "x")  # the only order before NGFF 0.3
_USUAL = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tczyx"}
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError)


def recognises(folder: Path) -> bool:
    """Tell whether a folder is zarr, and holds an image that can be read."""
    try:
        return _image_in(folder) is not None
    except FileFormatError:
        return False


def read(folder: Path) -> Volume:
    """Read the finest level into memory; see :func:`open_levels`."""
    return open_levels(folder)[0].loaded()


def open_levels(folder: Path) -> tuple[Volume, ...]:
    """Open a zarr folder; its data are read when they are computed.

    Parameters
    ----------
    folder : pathlib.Path
        An image with multiscales metadata, a folder of which the first image is one (``0``, as
        bioformats2raw writes it), or a single array.

    Returns
    -------
    tuple of Volume
        The finest level first. Axes, scale, translation and units are those of the metadata; the
        world is in mm if all spatial axes have a unit of length, otherwise the scale is kept but
        counts as pixels.

    Raises
    ------
    FileFormatError
        If it holds no image, or is damaged.
    InputError
        If zarr is not installed.
    """
    found = _image_in(folder)
    if found is None:
        raise FileFormatError(
            f'"{folder}" holds no image that can be read: a zarr folder with multiscales metadata '
            "(OME-Zarr 0.4 or 0.5) or a single array is expected. Of a plate, open one field"
        )
    image, multiscales = found
    zarr = optional("zarr", "large", f'reading "{folder}"')
    try:
        if multiscales is None:
            array: Any = zarr.open_array(image, mode="r")
            return (_volume(folder, array, _names_of(array), {}),)
        paths = [image / dataset["path"] for dataset in multiscales["datasets"]]
        finest, *others = [zarr.open_array(path, mode="r") for path in paths]
        axes = [one if isinstance(one, dict) else {"name": one} for one in _axes_of(multiscales)]
        volume = _volume(folder, finest, axes, multiscales)
        order, _ = _order(finest.shape, axes, folder)
        copies = [_lazy(one, folder, order) for one in others]
        return (volume, *coarser_volumes(volume, copies))
    except _READ_ERRORS as error:
        raise damaged(folder, NAME, error) from error


def _image_in(folder: Path) -> tuple[Path, dict[str, Any] | None] | None:
    """Return the folder of an image and its multiscales metadata, None for a bare array."""
    for place in (folder, folder / "0"):
        attributes, is_array = _metadata(place)
        multiscales = attributes.get("ome", attributes).get("multiscales")
        if multiscales:
            return place, multiscales[0]
        if is_array and place == folder:
            return place, None
    return None


def _metadata(folder: Path) -> tuple[dict[str, Any], bool]:
    """Return the attributes of a group or array of either format, and whether it is an array."""
    new = _json(folder / "zarr.json")
    if new:
        return new.get("attributes", {}), new.get("node_type") == "array"
    return _json(folder / ".zattrs"), (folder / ".zarray").is_file()


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(file, NAME, error) from error
    return content if isinstance(content, dict) else {}


def _axes_of(multiscales: dict[str, Any]) -> list[Any]:
    return list(multiscales.get("axes", _OLDEST))


def _names_of(array: Any) -> list[dict[str, Any]]:
    """Return the axes of a bare array: those it names, or the usual ones for their number."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not names or any(str(name).lower() not in _NAMES for name in names):
        colours = array.ndim > 2 and array.shape[-1] in (3, 4) and array.dtype == np.uint8
        usual = _USUAL.get(array.ndim - colours, "?" * array.ndim)
        names = usual + "c" * colours
    return [{"name": str(name)} for name in names]


def _order(
    shape: tuple[int, ...], axes: list[dict[str, Any]], folder: Path
) -> tuple[tuple[int, ...], str]:
    """Return which axes of a file a volume has, and in which order."""
    letters = [_NAMES.get(str(axis["name"]).lower(), "?") for axis in axes]
    kept = {
        letter: place
        for place, letter in enumerate(letters)
        if letter in "YX" or (place < len(shape) and shape[place] > 1)
    }
    order = "".join(letter for letter in "TZYXC" if letter in kept)
    long = [n for letter, n in zip(letters, shape, strict=False) if letter in "YX" or n > 1]
    if len(axes) != len(shape) or len(long) != len(order) or "YX" not in order:
        named = ", ".join(str(axis["name"]) for axis in axes)
        raise FileFormatError(
            f'"{folder}" has the axes {named} of the lengths {shape}: time, z, y, x and channels '
            "can be read"
        )
    return tuple(kept[letter] for letter in order), order


def _lazy(array: Any, folder: Path, order: tuple[int, ...]) -> Any:
    """Return a zarr array as a dask array, in the axes of a volume."""
    check_real(folder, array.dtype)
    dtype = np.dtype(np.uint8) if array.dtype == np.bool_ else array.dtype.newbyteorder("=")

    def fetch(box: Slices) -> NDArray[Any]:
        try:
            part: NDArray[Any] = np.asarray(array[box], dtype=dtype)
        except _READ_ERRORS as error:
            raise damaged(folder, NAME, error) from error
        return part

    shape = tuple(int(array.shape[axis]) for axis in order)
    chunks = tuple(min(n, int(array.chunks[axis])) for n, axis in zip(shape, order, strict=True))
    return lazy_array(arranged(fetch, tuple(array.shape), order), shape, dtype, chunks)


def _volume(
    folder: Path, array: Any, axes: list[dict[str, Any]], multiscales: dict[str, Any]
) -> Volume:
    order, letters = _order(tuple(array.shape), axes, folder)
    spatial = [axis for axis, letter in zip(order, letters, strict=True) if letter in "ZYX"]
    scale, shift = _transform(multiscales, len(axes))
    lengths = [_MILLIMETRES.get(str(axes[axis].get("unit", "")).lower()) for axis in spatial]
    units: Units = "pixel" if None in lengths else "mm"
    unit = np.array([1.0 if units == "pixel" else length for length in lengths], dtype=np.float64)
    affine = affine_from_spacing(tuple(float(step) for step in scale[spatial] * unit))
    affine[:-1, -1] = shift[spatial] * unit
    source = MappingProxyType({"format": "zarr", "path": folder})
    name = folder.name.removesuffix(ENDING).removesuffix(".ome")
    return Volume(_lazy(array, folder, order), letters, affine, units, name, source)


def _transform(
    multiscales: dict[str, Any], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scale and translation of the finest level along each axis of the file."""
    scale, shift = np.ones(count), np.zeros(count)
    finest = multiscales.get("datasets", [{}])[0]
    for one in (
        *finest.get("coordinateTransformations", ()),
        *multiscales.get("coordinateTransformations", ()),
    ):
        if one["type"] == "scale":
            step = np.array(one["scale"], dtype=np.float64)
            scale, shift = scale * step, shift * step
        elif one["type"] == "translation":
            shift = shift + np.array(one["translation"], dtype=np.float64)
    return scale, shift
