"""Reductions, redundancy, and two checkpoints side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.compare import compare, compare_maps
from napari_lgmsnet.core.inspect.maps import gram, principal_components, reduced, stage_map
from napari_lgmsnet.core.inspect.redundancy import spectrum
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import any_affine, averaging_model, look, random_features

GENERATOR = np.random.default_rng(0)


def test_reductions_are_what_they_say() -> None:
    features = random_features(5, 3, 4)
    np.testing.assert_allclose(reduced(features, "mean"), features.mean(axis=0))
    np.testing.assert_allclose(reduced(features, "maximum"), features.max(axis=0))
    np.testing.assert_allclose(
        reduced(features, "norm"), np.linalg.norm(features, axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(reduced(features, "channel", 2), features[2])


def test_components_are_the_directions_of_most_variance() -> None:
    generator = np.random.default_rng(1)
    axes, _ = np.linalg.qr(generator.normal(size=(8, 8)))
    scores = generator.normal(size=(3, 400)) * [[9.0], [4.0], [1.0]]
    features = (axes[:, :3] @ scores + generator.normal(size=(8, 1))).astype(np.float32)
    colours = principal_components(features.reshape(8, 20, 20))
    assert colours.shape == (20, 20, 3)
    assert colours.dtype == np.uint8
    for place in range(3):
        upright = scores[place] * np.sign(axes[np.abs(axes[:, place]).argmax(), place])
        shown = colours[..., place].ravel()
        assert np.corrcoef(upright, shown)[0, 1] > 0.98
        assert (shown.min(), shown.max()) == (0, 255)


def test_the_same_features_always_have_the_same_colours() -> None:
    features = random_features(6, 9, 10)
    colours = principal_components(features)
    np.testing.assert_array_equal(principal_components(features.copy()), colours)
    # Where the cells lie does not matter, nor does an even offset of the channels.
    np.testing.assert_array_equal(principal_components(features[:, ::-1]), colours[::-1])
    np.testing.assert_allclose(
        principal_components(features + np.float32(3)).astype(int), colours.astype(int), atol=1
    )


@pytest.mark.parametrize("shape", [(4, 1), (4, 1, 1), (5, 2, 2), (1, 3, 3)])
def test_components_of_almost_nothing_are_dark(shape: tuple[int, ...]) -> None:
    colours = principal_components(np.ones(shape, dtype=np.float32))
    assert colours.shape == (*shape[1:], 3)
    assert not colours.any()


def test_products_are_summed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = random_features(4, 1000)
    whole = gram(flat)
    monkeypatch.setattr("napari_lgmsnet.core.inspect.maps._CHUNK", 64)
    np.testing.assert_allclose(gram(flat), whole, rtol=1e-12)
    np.testing.assert_allclose(whole, flat.astype(float) @ flat.T.astype(float), rtol=1e-12)


@pytest.mark.parametrize("shape", [(6, 5, 7), (20, 3, 3), (4, 2, 3, 4)])
def test_singular_values_are_those_of_the_matrix(shape: tuple[int, ...]) -> None:
    features = random_features(*shape)
    expected = np.linalg.svd(features.reshape(len(features), -1).astype(float), compute_uv=False)
    found = spectrum(features)
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    assert found.channels == shape[0]
    shares = expected / expected.sum()
    entropy = -(shares * np.log(shares)).sum()
    assert found.effective_rank == pytest.approx(np.exp(entropy), rel=1e-6)


def test_effective_rank_counts_independent_channels() -> None:
    one = np.outer([1.0, -2.0, 3.0], random_features(50)).astype(np.float32)
    assert spectrum(one).effective_rank == pytest.approx(1.0)
    assert spectrum(np.eye(6, dtype=np.float32)).effective_rank == pytest.approx(6.0)
    assert np.isnan(spectrum(np.zeros((3, 10), dtype=np.float32)).effective_rank)


def test_a_checkpoint_compared_with_itself_does_not_differ() -> None:
    volume = Volume.from_array(GENERATOR.normal(size=(50, 40)), "YX")
    inspection = look(small_model(2), volume)
    mask = np.zeros((50, 40), dtype=np.uint8)
    mask[10:30, 10:30] = 1
    same = compare(inspection, inspection, "encoder5", "norm", mask=mask)
    assert not same.difference.data.any()
    assert same.correlation == pytest.approx(1.0)
    assert same.change == 0.0
    assert [row.checkpoint for row in same.rows] == ["small-2d", "small-2d (second)"]
    assert replace(same.rows[1], checkpoint="small-2d") == same.rows[0]


def test_two_checkpoints_of_one_recipe_are_compared_cell_by_cell() -> None:
    volume = Volume(GENERATOR.normal(size=(20, 30, 40)), "ZYX", any_affine(2, 3), "mm")
    first, second = (look(small_model(3, seed=seed), volume) for seed in (0, 1))
    both = compare(first, second, "encoder5", "mean")
    np.testing.assert_array_equal(both.difference.data, both.second.data - both.first.data)
    np.testing.assert_array_equal(both.difference.as_volume().affine, both.first.as_volume().affine)
    assert both.difference.signed
    assert -1 <= both.correlation <= 1
    assert both.change == pytest.approx(np.abs(both.difference.data).mean(), rel=1e-5)
    assert both.rows == ()


def test_two_recipes_are_compared_on_the_image() -> None:
    ramp = np.linspace(0, 1000, 3000, dtype=np.float32).reshape(60, 50)
    image = Volume.from_array(ramp, "YX")
    first = look(averaging_model(2), image, ["encoder3"])
    second = look(averaging_model(2, size=(64, 64)), image, ["encoder3"])
    both = compare(first, second, "encoder3")
    assert both.difference.data.shape == (60, 50)
    expected = both.second.on_grid().data - both.first.on_grid().data
    np.testing.assert_array_equal(both.difference.on_grid().data, expected)
    assert both.correlation > 0.99


def test_what_cannot_be_made_or_compared_is_said() -> None:
    volume = Volume.from_array(GENERATOR.normal(size=(40, 40)), "YX")
    inspection = look(small_model(2), volume)
    with pytest.raises(InputError, match='no reduction is called "median": choose one of mean'):
        stage_map(inspection, "encoder5", "median")
    with pytest.raises(InputError, match="no channel 8: choose one from 0 to 7"):
        stage_map(inspection, "encoder5", "channel", 8)
    for reduce, channel in (("channel", None), ("mean", 2)):
        with pytest.raises(InputError, match="give a channel"):
            stage_map(inspection, "encoder5", reduce, channel)
    colours = stage_map(inspection, "encoder5", "components")
    with pytest.raises(InputError, match="choose the mean or the norm"):
        compare_maps(colours, colours)
    other = look(small_model(2), Volume.from_array(GENERATOR.normal(size=(40, 41)), "YX"))
    with pytest.raises(InputError, match="do not lie on one grid"):
        compare(inspection, other, "encoder5")
