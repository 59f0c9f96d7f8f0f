"""Parts of volumes lie where they lay."""

import numpy as np
import pytest

from napari_lgmsnet.core.arrays import as_lazy
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.geometry import affine_of_level, box_around, coarser_volumes, crop
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


def test_of_a_series_all_frames_are_kept() -> None:
    series = Volume.from_array(np.arange(24).reshape(2, 3, 4), "TYX", (2.0, 3.0))
    part = crop(series, (slice(1, 3), slice(2, 4)))
    assert part.axes == "TYX"
    np.testing.assert_array_equal(part.data, series.data[:, 1:3, 2:4])
    np.testing.assert_array_equal(part.affine[:2, 2], [2.0, 6.0])


def test_part_of_lazy_data_stays_lazy() -> None:
    data = np.arange(60).reshape(3, 4, 5)
    part = crop(Volume.from_array(as_lazy(data), "ZYX"), (slice(1, 2), slice(0, 4), slice(2, 4)))
    assert part.is_lazy
    np.testing.assert_array_equal(part.loaded().data, data[1:2, :, 2:4])


@pytest.mark.parametrize("coarser", [(4, 3, 2), (5, 2, 7), (8, 6, 14)])
def test_coarser_level_covers_the_same_extent(coarser: tuple[int, ...]) -> None:
    shape = (8, 6, 14)
    affine = np.array([[2.0, 0.3, 0, -7], [0.1, 0.4, -1.5, 30], [0, 0.9, 0.2, 4], [0, 0, 0, 1]])
    level = affine_of_level(affine, shape, coarser)
    first = np.array([-0.5, -0.5, -0.5, 1.0])
    np.testing.assert_allclose(level @ first, affine @ first, atol=1e-12)
    last = [[*(n - 0.5 for n in size), 1.0] for size in (shape, coarser)]
    np.testing.assert_allclose(level @ last[1], affine @ last[0], atol=1e-12)
    if coarser == (4, 3, 2):
        # The centre of a coarse voxel is that of the 2 x 2 x 7 fine ones below it.
        fine = [affine @ [z, y, x, 1] for z in (2, 3) for y in (4, 5) for x in range(7)]
        np.testing.assert_allclose(level @ [1, 2, 0, 1], np.mean(fine, axis=0), atol=1e-12)


def test_copies_that_are_no_levels_are_left_out() -> None:
    volume = Volume.from_array(np.zeros((2, 8, 6)), "TYX")
    copies = [np.zeros(shape) for shape in ((2, 4, 3), (1, 2, 2), (2, 5, 2), (2, 4, 3), (2, 1, 1))]
    levels = coarser_volumes(volume, copies)
    assert [one.spatial_shape for one in levels] == [(4, 3), (1, 1)]


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
