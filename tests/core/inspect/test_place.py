"""A coarse cell covers the very pixels that it came from, wherever the image lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lgmsnet.core.geometry import crop
from napari_lgmsnet.core.inspect.maps import CoarseMap, stage_map
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import RANGE, any_affine, averaging_model, look, world

ORIENTATIONS = st.sampled_from([None, "RAS", "LPI", "SPL", "ALS"])


def interior(coarse: CoarseMap, reach: float = 1.0) -> np.ndarray:
    """Return the cells that lie inside of the image, away from its border."""
    inside = np.ones(coarse.data.shape, dtype=bool)
    for axis, (first, step, count) in enumerate(
        zip(coarse.cells.first, coarse.cells.step, coarse.cells.shape, strict=True)
    ):
        centres = first + step * np.arange(count)
        margin = step / 2 + reach
        size = coarse.cells.volume_shape[axis]
        fits = (centres - margin >= -0.5) & (centres + margin <= size - 0.5)
        shape = [1] * len(coarse.cells.shape)
        shape[axis] = -1
        inside &= fits.reshape(shape)
    return inside


def assert_cells_hold_their_own_coordinates(
    coarse_of: Callable[[Volume], CoarseMap], shape: tuple[int, ...], affine: np.ndarray
) -> None:
    """Show a network an image of one world coordinate: each cell must answer its own."""
    indices = np.indices(shape).reshape(len(shape), -1)
    places = affine[:-1, :-1] @ indices + affine[:-1, -1:]
    checked = 0
    for axis, row in enumerate(places):
        low, high = row.min() - 1, row.max() + 1
        image = ((row - low) / (high - low) * RANGE).reshape(shape).astype(np.float32)
        coarse = coarse_of(Volume(image, "ZYX"[-len(shape) :], affine, "mm"))
        placed = coarse.as_volume()
        cells = np.indices(coarse.data.shape).reshape(len(shape), -1)
        centres = placed.affine[:-1, :-1] @ cells + placed.affine[:-1, -1:]
        answered = coarse.data * (high - low) + low
        inside = interior(coarse, reach=3.0)
        expected = centres[axis].reshape(coarse.data.shape)
        np.testing.assert_allclose(answered[inside], expected[inside], atol=1e-3 * (high - low))
        checked += int(inside.sum())
    assert checked >= len(shape)


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(*[st.integers(36, 70)] * 3),
    orientation=ORIENTATIONS,
    spacing=st.sampled_from([None, (1.5, 1.0, 0.8), (0.7, 1.3, 2.0)]),
    window=st.sampled_from([(32, 32, 32), (64, 32, 32)]),
)
def test_cells_of_volumes_lie_where_their_pixels_lie(
    seed: int,
    shape: tuple[int, ...],
    orientation: str | None,
    spacing: tuple[float, ...] | None,
    window: tuple[int, ...],
) -> None:
    model = averaging_model(3, orientation=orientation, spacing=spacing, window=window)

    def coarse(volume: Volume) -> CoarseMap:
        return stage_map(look(model, volume, ["encoder3"]), "encoder3")

    assert_cells_hold_their_own_coordinates(coarse, shape, any_affine(seed, 3))


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(30, 200), st.integers(30, 200)),
    size=st.sampled_from([None, (64, 96), (33, 50)]),
    native=st.booleans(),
)
def test_cells_of_images_lie_where_their_pixels_lie(
    seed: int, shape: tuple[int, ...], size: tuple[int, int] | None, native: bool
) -> None:
    model = averaging_model(2, size=size)

    def coarse(volume: Volume) -> CoarseMap:
        return stage_map(look(model, volume, ["encoder3"], native=native), "encoder3")

    assert_cells_hold_their_own_coordinates(coarse, shape, any_affine(seed, 2))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**16), orientation=ORIENTATIONS)
def test_cells_of_stacks_lie_where_their_pixels_lie(seed: int, orientation: str | None) -> None:
    model = averaging_model(2, size=(64, 64), orientation=orientation)

    def coarse(volume: Volume) -> CoarseMap:
        return stage_map(look(model, volume, ["encoder3"]), "encoder3")

    assert_cells_hold_their_own_coordinates(coarse, (8, 50, 45), any_affine(seed, 3))


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    move=st.tuples(*[st.integers(-1, 1)] * 3),
    orientation=ORIENTATIONS,
    data=st.data(),
)
def test_a_bright_square_takes_the_peak_along(
    seed: int, move: tuple[int, ...], orientation: str | None, data: st.DataObject
) -> None:
    """Moved by a whole number of cells, the peak moves by exactly that in the world."""
    affine = any_affine(seed, 3)
    model = averaging_model(3, orientation=orientation)
    shape = (80, 64, 96)
    corner = [data.draw(st.integers(16, n - 19)) for n in shape]
    peaks, squares = [], []
    for cells in ((0, 0, 0), move):
        start = [c + 16 * m for c, m in zip(corner, cells, strict=True)]
        image = np.zeros(shape, dtype=np.float32)
        image[tuple(slice(s, s + 3) for s in start)] = RANGE
        coarse = stage_map(look(model, Volume(image, "ZYX", affine, "mm")), "encoder5")
        peak = np.unravel_index(coarse.data.argmax(), coarse.data.shape)
        centre = [s + 1 for s in start]
        # The cell with most of the square in it holds its middle.
        cell = np.linalg.solve(coarse.as_volume().affine, [*world(affine, centre), 1.0])[:-1]
        assert np.abs(cell - peak).max() <= 0.5
        peaks.append(world(coarse.as_volume().affine, peak))
        squares.append(world(affine, centre))
    np.testing.assert_allclose(peaks[1] - peaks[0], squares[1] - squares[0], atol=1e-6)


def test_windows_are_stitched_to_what_the_whole_would_answer() -> None:
    image = np.random.default_rng(0).uniform(0, RANGE, (150, 90)).astype(np.float32)
    volume = Volume.from_array(image, "YX")
    stitched = look(averaging_model(2), volume).features("encoder5")
    assert stitched.shape == (1, 10, 6)
    expected = image[:144, :80].reshape(9, 16, 5, 16).mean(axis=(1, 3)) / RANGE
    np.testing.assert_allclose(stitched[0, :9, :5], expected, rtol=1e-5)


def test_nearest_gives_each_pixel_the_value_of_the_cell_that_covers_it() -> None:
    image = np.random.default_rng(0).uniform(0, RANGE, (50, 70)).astype(np.float32)
    coarse = stage_map(look(averaging_model(2), Volume.from_array(image, "YX")), "encoder5")
    on_grid = coarse.on_grid()
    assert on_grid.data.shape == image.shape
    np.testing.assert_array_equal(on_grid.data[:16, :16], coarse.data[0, 0])
    np.testing.assert_array_equal(on_grid.data[48:, 64:], coarse.data[3, 4])
    np.testing.assert_array_equal(on_grid.affine, np.eye(3))
    linear = coarse.on_grid("linear").data
    np.testing.assert_allclose(linear[:8, :8], coarse.data[0, 0], rtol=1e-6)
    share = (15 - 7.5) / 16
    column = coarse.data[:2, :2] @ [1 - share, share]
    np.testing.assert_allclose(linear[15, 15], column @ [1 - share, share], rtol=1e-5)


def test_what_a_recipe_cut_away_is_not_a_number() -> None:
    image = np.zeros((40, 40, 40), dtype=np.float32)
    image[20:30, 5:35, 3:12] = RANGE / 2
    volume = Volume.from_array(image, "ZYX", (1.0, 1.0, 1.0))
    model = averaging_model(3, crop_foreground=True)
    coarse = stage_map(look(model, volume, ["encoder1"]), "encoder1")
    on_grid = coarse.on_grid().data
    seen = np.isfinite(on_grid)
    assert seen[20:30, 5:35, 3:12].all()
    assert seen.sum() == 10 * 30 * 9
    np.testing.assert_allclose(on_grid[seen], 0.5)


@pytest.mark.parametrize("stage", ["encoder5", "decoder4", "stem"])
def test_the_real_network_sees_the_same_however_the_head_is_stored(stage: str) -> None:
    model = small_model(3, orientation="RAS", spacing=(1.0, 1.0, 1.0))
    data = np.random.default_rng(0).normal(size=(20, 30, 40)).astype(np.float32)
    affine = any_affine(3, 3)
    straight = stage_map(look(model, Volume(data, "ZYX", affine, "mm"), [stage]), stage)
    turn = np.array([[0, 0, -1, 19], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    turned_data = np.flip(data.transpose(2, 1, 0), axis=2)
    turned_volume = Volume(turned_data, "ZYX", affine @ turn, "mm")
    turned = stage_map(look(model, turned_volume, [stage]), stage)
    back = np.flip(turned.data, axis=2).transpose(2, 1, 0)
    np.testing.assert_allclose(back, straight.data, atol=1e-4)
    for index in ((0, 0, 0), (1, 1, 2)):
        other = (index[2], index[1], turned.data.shape[2] - 1 - index[0])
        np.testing.assert_allclose(
            world(straight.as_volume().affine, index), world(turned.as_volume().affine, other)
        )


def test_a_part_lies_where_it_was_cut_out() -> None:
    image = np.random.default_rng(0).uniform(0, RANGE, (96, 96, 96)).astype(np.float32)
    affine = any_affine(5, 3)
    whole = Volume(image, "ZYX", affine, "mm")
    part = crop(whole, (slice(16, 64), slice(32, 96), slice(0, 32)))
    coarse = stage_map(look(averaging_model(3), part), "encoder5")
    expected = image[16:64, 32:96, :32].reshape(3, 16, 4, 16, 2, 16).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(coarse.data, expected / RANGE, rtol=1e-4)
    np.testing.assert_allclose(
        world(coarse.as_volume().affine, (0, 0, 0)), world(affine, (23.5, 39.5, 7.5))
    )
