"""Attention of a point: one row of the softmax, on the right patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect import attention as module
from napari_lgmsnet.core.inspect.attention import AttentionMaps
from napari_lgmsnet.core.inspect.hooks import inputs_of
from napari_lgmsnet.core.inspect.stages import block_named
from napari_lgmsnet.core.network.layers import grid_to_sequences, sequences_to_grid
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import any_affine, averaging_model, hooks_on, look, world

GENERATOR = np.random.default_rng(0)
BLOCKS = {"encoder4": 8, "encoder5": 16, "decoder5": 8, "decoder4": 4}


def ask(dimensions: int, shape: tuple[int, ...], **recipe: object) -> AttentionMaps:
    model = small_model(dimensions, **recipe)
    volume = Volume.from_array(GENERATOR.normal(size=shape), "ZYX"[-len(shape) :])
    return AttentionMaps(look(model, volume))


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("window", [(64, 96), (32, 64, 32)])
def test_a_row_is_that_of_the_explicit_softmax(window: tuple[int, ...], block: str) -> None:
    maps = ask(len(window), window, window=window)
    inspection = maps._inspection
    network = inspection.model.network
    _, attention = block_named(network, block)
    with torch.inference_mode(), inputs_of({"x": attention}) as found:
        network(inspection.inputs.pieces[0][None])
        query, key, _ = attention.heads(found["x"])
        whole = (query @ key.transpose(-1, -2) * 8**-0.5).softmax(dim=-1)
    size = tuple(n // BLOCKS[block] for n in window)
    # Which sequence and token a cell is, told by the function that cuts the network's grid.
    numbers = grid_to_sequences(torch.arange(float(np.prod(size))).view(1, 1, *size))[..., 0]
    for _ in range(5):
        point = tuple(int(GENERATOR.integers(n)) for n in window)
        cell = tuple(p // BLOCKS[block] for p in point)
        number = np.ravel_multi_index(cell, size)
        sequence, token = (int(i[0]) for i in torch.nonzero(numbers == number, as_tuple=True))
        for head in (None, 0, 3):
            answer = maps.at(point, block, head)
            expected = whole[sequence, slice(None) if head is None else [head], token].mean(dim=0)
            np.testing.assert_allclose(answer.weights.sum(), 1.0, atol=1e-5)
            np.testing.assert_allclose(answer.weights.ravel(), expected, atol=1e-6)
            assert answer.outside == pytest.approx(0.0, abs=1e-5)
            # And the weights lie on the patches whose cells are in the point's sequence.
            tokens = torch.zeros(2 ** len(size), expected.numel(), 1)
            tokens[sequence, :, 0] = expected
            grid = sequences_to_grid(tokens, size)[0, 0].numpy()
            corner = tuple(slice(c % 2, None, 2) for c in cell)
            np.testing.assert_allclose(answer.map.data, grid[corner], atol=1e-6)
        assert answer.cell == tuple(slice(c * BLOCKS[block], (c + 1) * BLOCKS[block]) for c in cell)


def test_each_patch_covers_its_cells() -> None:
    maps = ask(2, (64, 96), window=(64, 96))
    answer = maps.at((5, 70), "encoder4")
    assert answer.map.data.shape == (4, 6)
    assert answer.map.cells.step == (16.0, 16.0)
    assert answer.map.cells.first == (7.5, 7.5)
    on_grid = answer.map.on_grid().data
    np.testing.assert_array_equal(on_grid[:16, 16:32], answer.map.data[0, 1])


def test_of_several_windows_the_most_central_one_is_asked() -> None:
    maps = ask(2, (96, 32))
    low, high = maps.at((3, 10)).map, maps.at((90, 10)).map
    assert low.cells.first == (15.5, 15.5)
    assert high.cells.first == (79.5, 15.5)
    assert maps.at((49, 16)).map.cells.first == (47.5, 15.5)


def test_a_point_in_padding_is_none_and_the_share_there_is_told() -> None:
    maps = ask(2, (20, 64), window=(64, 64))
    answer = maps.at((0, 0), "decoder4")
    assert answer.weights.shape == (8, 8)
    assert answer.map.data.shape == (4, 8)
    assert 0 < answer.outside < 1
    assert answer.outside + answer.map.data.sum() == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(InputError, match=r"\(20, 3\) lies outside"):
        maps.at((20, 3))
    with pytest.raises(InputError, match="has 2 numbers, got 3"):
        maps.at((1, 1, 1))


def test_a_point_of_a_stack_asks_its_own_slice() -> None:
    model = small_model(2, size=(64, 64), window=(64, 64))
    stack = GENERATOR.normal(size=(3, 50, 40))
    maps = AttentionMaps(look(model, Volume.from_array(stack, "ZYX")))
    answer = maps.at((2, 30, 20), "decoder4", 1)
    alone = AttentionMaps(look(model, Volume.from_array(stack[2], "YX")))
    expected = alone.at((30, 20), "decoder4", 1)
    np.testing.assert_allclose(answer.map.data[0], expected.map.data, atol=1e-6)
    assert answer.cell == (slice(2, 3), *expected.cell)
    on_grid = answer.map.on_grid().data
    assert np.isnan(on_grid[:2]).all()
    assert np.isfinite(on_grid[2]).all()


def test_the_points_own_cell_holds_it_in_a_turned_volume() -> None:
    affine = any_affine(11, 3)
    model = small_model(3, orientation="ALS", spacing=(1.3, 0.9, 1.1))
    data = GENERATOR.normal(size=(30, 40, 35)).astype(np.float32)
    maps = AttentionMaps(look(model, Volume(data, "ZYX", affine, "mm")))
    for point in ((0, 0, 0), (29, 39, 34), (12, 25, 7)):
        answer = maps.at(point, "encoder4")
        assert all(part.start <= p < part.stop for p, part in zip(point, answer.cell, strict=True))
        index = np.linalg.solve(answer.map.as_volume().affine, [*world(affine, point), 1.0])[:-1]
        assert (index > -0.51).all()
        assert (index < np.array(answer.map.data.shape) - 0.49).all()


def test_the_network_runs_once_a_window_and_never_for_a_dragged_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maps = ask(2, (96, 32))
    runs = []
    original = AttentionMaps._run
    monkeypatch.setattr(
        AttentionMaps, "_run", lambda self, w: (runs.append(w), original(self, w))[1]
    )
    assert not maps.ready((3, 3))
    assert [step.total for step in maps.prepare((3, 3))] == [1]
    assert maps.ready((10, 20))
    for row in range(10):
        for block in BLOCKS:
            maps.at((row, 2 * row), block)
    assert len(runs) == 1
    maps.at((90, 3))
    assert len(runs) == 2
    monkeypatch.setattr(module, "CACHE_LIMIT", 1)
    maps.at((48, 3))
    assert not maps.ready((3, 3))
    assert maps.ready((48, 3))
    assert hooks_on(maps._inspection.model.network) == 0


def test_what_cannot_be_asked_is_said() -> None:
    maps = ask(2, (32, 32))
    assert [block.name for block in maps.blocks] == ["encoder5", "encoder4", "decoder5", "decoder4"]
    assert maps.heads == 4
    with pytest.raises(InputError, match="no head 4: choose one from 0 to 3"):
        maps.at((1, 1), head=4)
    with pytest.raises(InputError, match="has no attention: choose one of"):
        maps.at((1, 1), "stem")
    volume = Volume.from_array(np.zeros((32, 32)), "YX")
    without = AttentionMaps(look(averaging_model(2), volume))
    assert without.blocks == ()
    with pytest.raises(InputError, match="it has none"):
        without.at((1, 1))
