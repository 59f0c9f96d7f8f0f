"""Volumes refuse what contradicts itself, and know their geometry."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet import Volume
from napari_lgmsnet.core.errors import GeometryError


def test_a_volume_knows_its_geometry() -> None:
    volume = Volume.from_array(np.zeros((2, 3, 4, 5, 3)), "TZYXC", (2.0, 0.5, 0.7), "scan")
    assert volume.spatial_axes == "ZYX"
    assert volume.spatial_shape == (3, 4, 5)
    assert volume.spacing == pytest.approx((2.0, 0.5, 0.7))
    assert volume.units == "mm"
    assert volume.has_channels
    assert Volume.from_array(np.zeros((4, 5)), "YX").units == "pixel"


def test_other_data_stay_on_the_grid() -> None:
    volume = Volume.from_array(np.zeros((3, 4, 5)), "ZYX", (2.0, 1.0, 1.0))
    other = volume.with_data(np.ones((3, 4, 5, 2)), "ZYXC", "other")
    assert np.array_equal(other.affine, volume.affine)
    with pytest.raises(GeometryError, match="does not lie on the grid"):
        volume.with_data(np.ones((3, 4, 6)), "ZYX")


def test_the_affine_cannot_be_changed() -> None:
    volume = Volume.from_array(np.zeros((4, 5)), "YX")
    with pytest.raises(ValueError, match="read-only"):
        volume.affine[0, 0] = 2


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_any_voxel_size_is_taken_but_no_plane(size: float) -> None:
    affine = np.diag([size, size, size, 1.0])
    assert Volume(np.zeros((2, 2, 2)), "ZYX", affine, "mm").spacing == pytest.approx((size,) * 3)
    affine[0] = affine[1]
    with pytest.raises(GeometryError, match="onto a plane"):
        Volume(np.zeros((2, 2, 2)), "ZYX", affine, "mm")


@pytest.mark.parametrize(
    ("shape", "axes", "affine", "message"),
    [
        ((2, 2), "ZYX", np.eye(4), "names 3"),
        ((2, 2), "XY", np.eye(3), "reorder"),
        ((2, 2), "YX", np.eye(4), "3 x 3 matrix"),
        ((2, 2), "YX", np.full((3, 3), np.nan), "finite"),
        ((2, 2), "YX", np.zeros((3, 3)), "onto a plane"),
    ],
)
def test_contradictions_are_said(
    shape: tuple[int, ...], axes: str, affine: np.ndarray, message: str
) -> None:
    with pytest.raises(GeometryError, match=message):
        Volume(np.zeros(shape), axes, affine)
