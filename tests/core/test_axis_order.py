"""Axes exchanged for viewing, and exchanged back."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_lgmsnet.core.axis_order import inverse, reorder, viewing_order
from napari_lgmsnet.core.types import Volume

ORDERS = list(permutations(range(3)))


@pytest.mark.parametrize("axes", ["ZYX", "TZYX", "ZYXC", "TZYXC"])
@pytest.mark.parametrize("order", ORDERS)
def test_voxels_stay_where_they_are(axes: str, order: tuple[int, ...]) -> None:
    shape = [{"T": 2, "Z": 3, "Y": 4, "X": 5, "C": 6}[letter] for letter in axes]
    affine = np.eye(4)
    affine[:3] = np.random.default_rng(0).normal(size=(3, 4))
    volume = Volume(np.random.default_rng(1).normal(size=shape), axes, affine, "mm")
    other = reorder(volume, order)
    spatial = np.array([2, 1, 3])
    turned = spatial[list(order)]
    first, last = (1,) * axes.startswith("T"), (4,) * axes.endswith("C")
    assert other.data[(*first, *turned, *last)] == volume.data[(*first, *spatial, *last)]
    np.testing.assert_allclose(other.affine @ [*turned, 1], affine @ [*spatial, 1])
    back = reorder(other, inverse(order))
    assert np.array_equal(back.data, volume.data)
    assert np.array_equal(back.affine, volume.affine)


def test_every_plane_can_be_shown() -> None:
    for order, signs in product(ORDERS, product((1, -1), repeat=3)):
        for angles in ((0, 0, 0), (30, -20, 40), (44, 44, 0), (45, 0, 0), (90, 45, 0)):
            affine = np.eye(4)
            turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
            affine[:3, :3] = turn[:, list(order)] * signs * [0.5, 1, 4]
            found = affine[:3, list(viewing_order(affine))] / [0.5, 1, 4]
            for hidden in range(3):
                shown = [axis for axis in range(3) if axis != hidden]
                assert abs(np.linalg.det(found[np.ix_(shown, shown)])) > 0.01


def test_what_can_be_shown_is_left_alone() -> None:
    assert viewing_order(np.diag([2.0, -1, 3, 1])) == (0, 1, 2)
    assert viewing_order(np.array([[0, 2.0, 0], [3, 0, 0], [0, 0, 1]])) == (0, 1)
    volume = Volume.from_array(np.zeros((2, 3, 4)), "ZYX")
    assert reorder(volume, (0, 1, 2)) is volume
