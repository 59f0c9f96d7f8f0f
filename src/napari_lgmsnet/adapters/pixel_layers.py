"""Images that napari opened by itself in pixels although their file knows the size of a voxel."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_lgmsnet.adapters.layers import LayerData
from napari_lgmsnet.core.types import Progress

_ENDINGS = (".tif", ".tiff")


@dataclass(frozen=True)
class Known:
    """What a file says of its voxels.

    Parameters
    ----------
    path : Path
    spacing : dict of str to float
        In mm, by axis; empty if it says nothing.
    """

    path: Path
    spacing: dict[str, float]

    @property
    def words(self) -> str:
        """Return the size of a voxel as a person reads it."""
        return " × ".join(f"{step:.3g}" for step in self.spacing.values()) + " mm"


def opened_in_pixels(layer: Any) -> Path | None:
    """Return the TIFF file of a layer that counts in pixels, if it came from one."""
    if not isinstance(layer, Image) or not layer.source.path:
        return None
    path = Path(str(layer.source.path))
    if path.suffix.lower() not in _ENDINGS or layer.source.reader_plugin == "napari-lgmsnet":
        return None
    still = np.array_equal(layer.affine.affine_matrix, np.eye(layer.ndim + 1))
    plain = still and all(step == 1 for step in layer.scale)
    plain = plain and all(str(unit) in ("pixel", "1 pixel") for unit in layer.units)
    return path if plain else None


def ask_file(path: Path) -> Generator[Progress, None, Known]:
    """Ask a file for the size of its voxels; one that cannot be read says nothing."""
    yield Progress(0, 0, path.name)
    from napari_lgmsnet.core.errors import InputError
    from napari_lgmsnet.core.io import tiff

    try:
        return Known(path, tiff.stored_spacing(path))
    except (InputError, OSError):
        return Known(path, {})


def open_again(path: Path) -> Generator[Progress, None, list[LayerData]]:
    """Open a file so that its layers lie in the world as it says."""
    yield Progress(0, 0, path.name)
    from napari_lgmsnet.adapters.reader import read_layers

    return read_layers(str(path))
