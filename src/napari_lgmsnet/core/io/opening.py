"""Which files are opened lazily, and which are read at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Literal

from napari_lgmsnet.core.arrays import as_lazy
from napari_lgmsnet.core.io import nifti, nifti_lazy, ome_zarr, tiff, tiff_lazy
from napari_lgmsnet.core.io.lazy import LAZY_ABOVE
from napari_lgmsnet.core.types import Volume

Lazy = bool | Literal["auto"]

_OPENERS = {nifti: nifti_lazy, tiff: tiff_lazy, ome_zarr: ome_zarr}


def open_levels(file: Path, module: ModuleType, lazy: Lazy) -> tuple[Volume, ...]:
    """Return the levels of an image, in memory or not.

    Parameters
    ----------
    file : pathlib.Path
    module : module
        That reads it.
    lazy : bool or "auto"
        "auto" leaves in the file what has more than :data:`LAZY_ABOVE` bytes when decoded, if
        its format can be read in parts with what is installed.

    Returns
    -------
    tuple of Volume
        The finest first.
    """
    opener = _OPENERS.get(module)
    if opener is None or (lazy == "auto" and opener is nifti_lazy and not opener.can_open(file)):
        volume: Volume = module.read(file)
        return (replace(volume, data=as_lazy(volume.data)) if lazy is True else volume,)
    levels: tuple[Volume, ...] = opener.open_levels(file)
    if lazy is True or (lazy == "auto" and levels[0].data.nbytes > LAZY_ABOVE):
        return levels
    # Reading at once checks more than reading in parts can, such as a checksum of the whole.
    return (module.read(file), *(level.loaded() for level in levels[1:]))
