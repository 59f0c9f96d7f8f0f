"""Recipes applied, and the exact way back."""

from __future__ import annotations

from itertools import permutations, product

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel import Nifti1Image, as_closest_canonical
from PIL import Image
from pydantic import ValidationError

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.preprocess import prepare
from napari_lgmsnet.core.recipes import (
    MR_3D,
    PAPER_BTCV,
    PAPER_KVASIR,
    PAPER_ULTRASOUND_SKIN,
    Recipe,
    recipe_named,
)
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_recipe

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
RAS_FROM_WORLD = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
GENERATOR = np.random.default_rng(0)
PICTURE = GENERATOR.integers(0, 256, (300, 200, 3), dtype=np.uint8)


def test_ultrasound_recipe_is_that_of_the_authors_script() -> None:
    array, _ = prepare(Volume.from_array(PICTURE, "YXC"), PAPER_ULTRASOUND_SKIN, 3)
    bgr = cv2.resize(PICTURE[..., ::-1], (256, 256), interpolation=cv2.INTER_LINEAR)
    expected = ((bgr / 255 - MEAN) / STD / 255).transpose(2, 0, 1)
    # OpenCV interpolates in fixed point: one grey level at most.
    np.testing.assert_allclose(array, expected, atol=1.01 / 255 / 0.224 / 255)


def test_kvasir_recipe_is_that_of_the_authors_script() -> None:
    array, _ = prepare(Volume.from_array(PICTURE, "YXC"), PAPER_KVASIR, 3)
    rgb = np.asarray(Image.fromarray(PICTURE).resize((256, 256), Image.Resampling.LANCZOS))
    expected = ((rgb / 255 - MEAN) / STD).transpose(2, 0, 1)
    np.testing.assert_allclose(array, expected, atol=1e-5)


def test_btcv_recipe_resamples_orients_clips_and_crops() -> None:
    data = np.full((20, 12, 10), -1000, dtype=np.int16)
    data[5:15, 2:8, 3:9] = 250
    volume = Volume.from_array(data, "ZYX", (2.0, 1.5, 1.5))
    array, grid = prepare(volume, PAPER_BTCV, 1)
    assert array.shape == (1, 6, 6, 10)  # x, y, z
    assert array.min() == array.max() == 1.0
    inside = np.zeros(data.shape, dtype=bool)
    inside[5:15, 2:8, 3:9] = True
    restored = grid.restore(torch.from_numpy(array)).numpy()[0]
    np.testing.assert_array_equal(restored > 0, inside)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_every_orientation_is_seen_the_same_and_comes_back(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(1)
    data = generator.permutation(np.arange(1, 211)).reshape(5, 6, 7).astype(np.float32) / 3
    affine = np.eye(4)
    affine[:3, :3] = np.diag(signs)[:, order] * 1.0
    recipe = small_recipe(3, orientation="RAS", intensity={"kind": "range", "high": 100.0})
    volume = Volume(data, "ZYX", affine, "mm")
    array, grid = prepare(volume, recipe, 1)
    ras = RAS_FROM_WORLD @ affine
    expected = as_closest_canonical(Nifti1Image(data, ras)).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(array[0].argsort(axis=None), expected.argsort(axis=None))
    restored = grid.restore(torch.from_numpy(array))[0].numpy()
    np.testing.assert_array_equal(restored.argsort(axis=None), data.argsort(axis=None))


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 4.0)] * 3),
    flipped=st.tuples(*[st.booleans()] * 3),
)
def test_a_block_stays_where_it_is(
    shape: tuple[int, ...], spacing: tuple[float, ...], flipped: tuple[bool, ...]
) -> None:
    """A linear ramp, resampled to the recipe's spacing and back, is the same ramp inside."""
    affine = np.diag([*(-s if f else s for s, f in zip(spacing, flipped, strict=True)), 1.0])
    ramp = np.indices(shape).sum(axis=0).astype(np.float32)
    recipe = small_recipe(
        3,
        orientation="RAS",
        spacing=(1.0, 1.0, 1.0),
        intensity={"kind": "range", "low": 0.0, "high": 1000.0},
    )
    array, grid = prepare(Volume(ramp, "ZYX", affine, "mm"), recipe, 1)
    restored = grid.restore(torch.from_numpy(array))[0].numpy() * 1000
    assert restored.shape == shape
    tolerance = sum(max(1.0, 1.0 / s) for s in spacing)
    assert np.abs(restored - ramp).max() <= tolerance
    if restored.size > 1:
        assert abs((restored - ramp).mean()) < 0.05 * tolerance + 1e-3


@pytest.mark.parametrize(
    ("array", "in_channels", "colour"),
    [
        (PICTURE[..., 0], 3, "rgb"),
        (np.dstack([PICTURE, PICTURE[..., :1]]), 3, "rgb"),
        (PICTURE, 1, "grey"),
        (PICTURE.astype(np.uint16) * 256, 3, "rgb"),
        (PICTURE.astype(np.float64) / 255, 3, "rgb"),
        (PICTURE[..., 0] > 99, 3, "rgb"),
    ],
    ids=["grey", "rgba", "colour to grey", "16 bit", "float", "bool"],
)
def test_every_kind_of_picture_is_taken(array: np.ndarray, in_channels: int, colour: str) -> None:
    volume = Volume.from_array(array, "YXC" if array.ndim == 3 else "YX")
    recipe = small_recipe(2, colour=colour, size=(64, 64), intensity={"kind": "imagenet"})
    prepared, grid = prepare(volume, recipe, in_channels)
    assert prepared.shape == (in_channels, 64, 64)
    assert np.isfinite(prepared).all()
    assert -2.2 < prepared.min() < prepared.max() < 2.7
    assert grid.restore(torch.from_numpy(prepared)).shape[1:] == (300, 200)


def test_alpha_is_dropped_and_grey_is_repeated() -> None:
    recipe = small_recipe(2, colour="rgb", intensity={"kind": "imagenet"})
    colour, _ = prepare(Volume.from_array(PICTURE, "YXC"), recipe, 3)
    alpha, _ = prepare(Volume.from_array(np.dstack([PICTURE, PICTURE[..., 0]]), "YXC"), recipe, 3)
    np.testing.assert_array_equal(colour, alpha)


@pytest.mark.parametrize(
    ("volume", "in_channels", "message"),
    [
        (Volume.from_array(PICTURE, "YXC"), 5, "expected 5 channel"),
        (Volume.from_array(PICTURE[..., 0], "YX"), 2, "expected 2 channel"),
        (Volume.from_array(np.zeros((0, 4)), "YX"), 1, "is empty"),
        (Volume.from_array(np.zeros((4, 4), dtype=complex), "YX"), 1, "real numbers"),
        (Volume.from_array(np.zeros((2, 4, 4)), "TYX"), 1, "time series"),
        (Volume.from_array(np.zeros((4, 4, 4)), "ZYX"), 1, "works on 2D"),
    ],
)
def test_what_does_not_suit_is_said(volume: Volume, in_channels: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(volume, small_recipe(2), in_channels)


def test_nan_and_constant_images_stay_finite() -> None:
    data = np.full((40, 40), np.nan)
    for image in (data, np.zeros((40, 40)), np.full((40, 40), np.inf)):
        prepared, _ = prepare(Volume.from_array(image, "YX"), small_recipe(2), 1)
        assert np.isfinite(prepared).all()


@pytest.mark.parametrize(
    "change",
    [
        {"window": (32,)},
        {"window": (48, 64)},
        {"spacing": (1.0, 1.0, 1.0)},
        {"intensity": {"kind": "range", "low": 1.0, "high": 1.0}},
        {"overlap": 1.0},
        {"unknown": 1},
    ],
)
def test_impossible_recipes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        small_recipe(2, **change)
    with pytest.raises(ValidationError):
        Recipe.model_validate(MR_3D.model_dump() | {"orientation": "RAR"})


def test_unknown_recipe_names_those_that_exist() -> None:
    with pytest.raises(InputError, match="paper-kvasir"):
        recipe_named("nonsense")
