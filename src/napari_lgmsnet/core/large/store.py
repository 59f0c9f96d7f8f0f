"""The result as OME-Zarr, written block by block; there as a whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.types import Volume

ENDING = ".zarr"
_WORK, _DONE = "work.json", "done"


class Store:
    """An OME-Zarr image that grows beside its final place.

    Parameters
    ----------
    target : Path
        Ends in ``.zarr``.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.partial")

    def begin(
        self,
        volume: Volume,
        dtype: Any,
        chunks: tuple[int, ...],
        work: dict[str, Any],
        *,
        overwrite: bool = False,
    ) -> None:
        """Make the empty image, or find the one that an interrupted run of the same work left.

        Parameters
        ----------
        volume : Volume
            On whose grid the image lies.
        dtype : numpy dtype
        chunks : tuple of int
        work : dict
            What determines the result, as JSON holds it.
        overwrite : bool
            Whether an existing target may be replaced in the end.

        Raises
        ------
        InputError
            If the target exists, or OME-Zarr cannot say where the volume lies.
        """
        zarr = optional("zarr", "large", f'writing "{self.target}"')
        if self.target.exists() and not overwrite:
            raise InputError(
                f'"{self.target}" exists: choose another output, or allow to overwrite'
            )
        steps = volume.affine[:-1, :-1]
        if (
            not np.allclose(steps, np.diag(np.diag(steps)), atol=1e-9)
            or (np.diag(steps) <= 0).any()
        ):
            raise InputError(
                f'"{volume.name}" lies turned or mirrored in space, which OME-Zarr cannot say: '
                "write .nii.gz instead"
            )
        text = json.dumps(work, sort_keys=True)
        path = self.folder / _WORK
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / _DONE).mkdir()
        image = self.folder / self.target.name
        axes = volume.spatial_axes.lower()
        group = zarr.open_group(image, mode="w", zarr_format=3)
        group.create_array(
            "0",
            shape=volume.spatial_shape,
            chunks=chunks,
            dtype=np.dtype(dtype).name,
            dimension_names=list(axes),
        )
        group.attrs["ome"] = _metadata(volume, axes)
        with atomic_path(path, overwrite=True) as temporary:  # last: now the image is whole
            temporary.write_text(text, encoding="utf-8")

    def missing(self, count: int) -> list[int]:
        """Return which of so many blocks are not done."""
        there = {path.name for path in (self.folder / _DONE).iterdir()}
        return [number for number in range(count) if str(number) not in there]

    def write(self, number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        """Write a block and note it; blocks that share no chunk may be written at once."""
        zarr = optional("zarr", "large", f'writing "{self.target}"')
        array = zarr.open_array(self.folder / self.target.name / "0", mode="r+")
        array[box] = data
        (self.folder / _DONE / str(number)).touch()

    def finish(self) -> None:
        """Put the image in its place."""
        image = self.folder / self.target.name
        if self.target.exists():
            old = self.folder / "old"
            self.target.rename(old)
        image.rename(self.target)
        shutil.rmtree(self.folder)


def _metadata(volume: Volume, axes: str) -> dict[str, Any]:
    """Return the attributes of OME-Zarr 0.5."""
    unit = {"unit": "millimeter"} if volume.units == "mm" else {}
    scale = [float(step) for step in np.diag(volume.affine)[:-1]]
    shift = [float(place) for place in volume.affine[:-1, -1]]
    transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": "mask",
                "axes": [{"name": axis, "type": "space", **unit} for axis in axes],
                "datasets": [{"path": "0", "coordinateTransformations": transforms}],
            }
        ],
    }
