"""Parts of volumes lie where they lay."""

import numpy as np
import pytest

from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.geometry import box_around, crop
from napari_lgmsnet.core.types import Volume

SHEARED = np.array(
    [[2.0, 0.3, 0.0, -7.0], [0.1, 0.0, -1.5, 30.0], [0.0, 0.9, 0.2, 4.0], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture
def volume() -> Volume:
    data = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    return Volume(data, "ZYX", SHEARED, "mm", "scan")


def test_voxels_of_a_part_keep_their_place_in_the_world(volume: Volume) -> None:
    part = crop(volume, (slice(1, 3), slice(2, 5), slice(0, 6)))
    assert part.data.shape == (2, 3, 6)
    for index in np.ndindex(*part.data.shape):
        world = part.affine @ [*index, 1]
        whole = np.linalg.solve(volume.affine, world)[:3]
        assert volume.data[tuple(np.rint(whole).astype(int))] == part.data[index]
        np.testing.assert_allclose(whole, np.rint(whole), atol=1e-9)
    assert part.units == "mm"
    assert part.spacing == pytest.approx(volume.spacing)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plane_keeps_its_pixel_size(volume: Volume, axis: int) -> None:
    box = [slice(None)] * 3
    box[axis] = 2
    plane = crop(volume, tuple(box))
    assert plane.axes == "YX"
    assert np.array_equal(plane.data, volume.data.take(2, axis))
    assert plane.spacing == pytest.approx(np.delete(volume.spacing, axis))


def test_colours_stay_with_their_voxels() -> None:
    data = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    picture = Volume.from_array(data, "YXC", (2.0, 3.0))
    part = crop(picture, (slice(1, 2), slice(2, 4)))
    assert np.array_equal(part.data, data[1:2, 2:4])
    assert part.axes == "YXC"
    np.testing.assert_allclose(part.affine[:2, 2], (2.0, 6.0))


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((slice(None), slice(None)), "2 axes"),
        ((slice(2, 2), slice(None), slice(None)), "empty"),
        ((slice(None, None, 2), slice(None), slice(None)), "empty"),
        ((4, slice(None), slice(None)), "no plane 4"),
        ((-1, slice(None), slice(None)), "no plane -1"),
        ((1, 1, slice(None)), "a line"),
    ],
)
def test_impossible_parts_are_refused(volume: Volume, box: tuple, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        crop(volume, box)


def test_time_series_is_refused() -> None:
    series = Volume.from_array(np.zeros((2, 3, 4)), "TYX")
    with pytest.raises(GeometryError, match="one frame"):
        crop(series, (slice(None), slice(None)))


def test_box_holds_every_voxel_that_the_points_touch(volume: Volume) -> None:
    corners = np.array([[1.0, 1.4, 2.0], [1.0, 3.6, 4.0]])
    points = corners @ SHEARED[:3, :3].T + SHEARED[:3, 3]
    assert box_around(SHEARED, points, (4, 5, 6)) == (slice(1, 2), slice(1, 5), slice(2, 5))


def test_box_along_the_edges_of_voxels_takes_no_further_row() -> None:
    affine = np.diag([0.1, 0.3, 1.0])
    points = np.array([[-0.5, -0.5], [1.5, 3.5]]) * [0.1, 0.3]
    assert box_around(affine, points, (9, 9)) == (slice(0, 2), slice(0, 4))


def test_box_is_cut_at_the_border_and_none_outside() -> None:
    affine = np.eye(3)
    assert box_around(affine, np.array([[-9.0, 2.0], [1.0, 90.0]]), (4, 5)) == (
        slice(0, 2),
        slice(2, 5),
    )
    assert box_around(affine, np.array([[7.0, 2.0], [9.0, 3.0]]), (4, 5)) is None
