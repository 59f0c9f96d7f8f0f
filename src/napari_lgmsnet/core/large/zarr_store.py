"""The result as OME-Zarr: every block is written where it stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.hashing import content_sha256
from napari_lgmsnet.core.large.store import Store
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.types import Volume

ENDING = ".zarr"


class ZarrStore(Store):
    """An OME-Zarr 0.5 image of one level.

    It says how large voxels are and where the first one lies, and no more: a volume that lies
    turned or mirrored in space is refused.
    """

    def _check(self) -> None:
        optional("zarr", "large", f'writing "{self.target}"')
        volume = self.image.volume
        steps = volume.affine[:-1, :-1]
        along = np.allclose(steps, np.diag(np.diag(steps)), atol=1e-9)
        if not along or (np.diag(steps) <= 0).any():
            raise InputError(
                f'"{volume.name}" lies turned or mirrored in space, which OME-Zarr cannot say: '
                "choose an output that ends in .nii, which can, and with --blocks is written block "
                "by block as well"
            )

    def _make(self) -> None:
        zarr = optional("zarr", "large", f'writing "{self.target}"')
        volume = self.image.volume
        axes = volume.spatial_axes.lower()
        group = zarr.open_group(self.folder / self.target.name, mode="w", zarr_format=3)
        group.create_array(
            "0",
            shape=volume.spatial_shape,
            chunks=self.image.chunks,
            dtype=np.dtype(self.image.dtype).name,
            dimension_names=list(axes),
        )
        group.attrs["ome"] = _metadata(volume, axes)

    def _is_made(self) -> bool:
        return (self.folder / self.target.name).is_dir()

    def _put(self, _number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        zarr = optional("zarr", "large", f'writing "{self.target}"')
        zarr.open_array(self.folder / self.target.name / "0", mode="r+")[box] = data

    def _place(self, note: Callable[[str], None], *, overwrite: bool) -> None:
        whole = self.folder / self.target.name
        note(content_sha256(whole))
        if overwrite and self.target.exists():
            self.target.rename(self.folder / "old")
        whole.rename(self.target)


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
