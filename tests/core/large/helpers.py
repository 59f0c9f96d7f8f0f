"""Volumes in files, for tests that read them in parts."""

from pathlib import Path

import numpy as np

from napari_lgmsnet.core.large.store import Store
from napari_lgmsnet.core.types import Volume


def write_source(path: Path, data: np.ndarray, scale: tuple[float, ...]) -> Path:
    """Write a volume as OME-Zarr, in mm, away from the origin."""
    volume = Volume.from_array(data, "ZYX", scale)
    affine = volume.affine.copy()
    affine[:-1, -1] = (-12.5, 3.0, 40.0)
    store = Store(path)
    store.begin(Volume(data, "ZYX", affine, "mm"), data.dtype, (16, 16, 16), {})
    store.write(0, (slice(None),) * 3, data)
    store.finish()
    return path
