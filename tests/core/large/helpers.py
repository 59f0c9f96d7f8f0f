"""Volumes in files, for tests that read them in parts."""

from pathlib import Path

import nibabel
import numpy as np

from napari_lgmsnet.core.io import write
from napari_lgmsnet.core.large.store import Image
from napari_lgmsnet.core.large.stores import finish_all
from napari_lgmsnet.core.large.zarr_store import ZarrStore
from napari_lgmsnet.core.types import Volume

SHAPE = (45, 52, 34)
"""Of NIfTI files, x first."""


def write_source(path: Path, data: np.ndarray, scale: tuple[float, ...]) -> Path:
    """Write a volume as OME-Zarr, in mm, away from the origin."""
    volume = Volume.from_array(data, "ZYX", scale)
    affine = volume.affine.copy()
    affine[:-1, -1] = (-12.5, 3.0, 40.0)
    store = ZarrStore(path)
    store.begin(Image(Volume(data, "ZYX", affine, "mm"), data.dtype, (16, 16, 16)), {})
    store.write(0, (slice(None),) * 3, data)
    finish_all([store])
    return path


def oblique() -> np.ndarray:
    """An affine that turns about two axes, mirrors one, and shears a little."""
    a, b = np.deg2rad(17), np.deg2rad(-8)
    about_z = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    steps = np.array(about_z) @ np.array(about_x) @ np.diag([-0.9, 1.1, 2.0])
    steps[0, 1] += 0.01
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = steps, (31.5, -40.25, 7.125)
    return affine


def write_scan(path: Path, *, big_endian: bool = False, second: bool = False) -> Path:
    """Write a ball in noise with 16 bits, oblique, scaled by its header."""
    x, y, z = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    ball = ((x - 20) / 12) ** 2 + ((y - 25) / 14) ** 2 + ((z - 15) / 9) ** 2 < 1
    data = np.random.default_rng(0).normal(80, 15, SHAPE) + 60 * ball
    kind = nibabel.Nifti2Header if second else nibabel.Nifti1Header
    header = kind(endianness=">" if big_endian else "<")
    header.set_data_dtype(np.int16)
    header.set_slope_inter(0.5, 3.0)
    header["descrip"] = b"of a person"
    image = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    image(data.astype(np.int16), oblique(), header).to_filename(path)
    return path


def write_straight(path: Path) -> Path:
    """Write a ball in noise that lies neither turned nor mirrored in space."""
    z, y, x = np.mgrid[:12, :24, :20]
    ball = ((z - 6) / 4) ** 2 + ((y - 12) / 8) ** 2 + ((x - 10) / 7) ** 2 < 1
    data = np.random.default_rng(0).normal(80, 15, ball.shape) + 60 * ball
    write(path, Volume(data.astype(np.float32), "ZYX", np.diag([2.0, 1.0, 1.25, 1.0]), "mm"))
    return path
