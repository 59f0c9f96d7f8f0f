"""Clicks on made-up images whose right answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.refine.refiner import Click, Refiner
from napari_lgmsnet.core.refine.walk import walk


def ball(shape, centre, radius, spacing=None):
    steps = spacing or (1.0,) * len(shape)
    grid = np.indices(shape, dtype=float)
    squared = sum(((g - c) * s) ** 2 for g, c, s in zip(grid, centre, steps, strict=True))
    return squared <= radius**2


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def scene(shape=(128, 128), seed=0):
    """Two bright discs, of which the network has found the first."""
    first, second = ball(shape, (40, 40), 16), ball(shape, (85, 85), 18)
    noise = np.random.default_rng(seed).normal(0, 8, shape)
    image = (60 + 100 * (first | second) + noise).astype(np.float32)
    probability = ndimage.gaussian_filter(first.astype(float), 2)
    return image, first, second, np.clip(probability, 0.02, 0.98)


def apply(mask, correction):
    out = mask.copy()
    out[correction.box][correction.changed] = correction.click.positive
    return out


def test_positive_click_brings_the_missed_object_and_leaves_the_other_alone():
    image, first, second, probability = scene()
    mask = probability > 0.5
    after = apply(mask, Refiner(image, probability, (1.0, 1.0)).click(mask, Click((85, 85), True)))
    assert iou(after & ~first, second) > 0.85
    np.testing.assert_array_equal(after & first, mask & first)


def test_negative_click_takes_a_false_object_away():
    image, first, second, probability = scene()
    both = np.maximum(probability, ndimage.gaussian_filter(second.astype(float), 2))
    mask = both > 0.5
    after = apply(mask, Refiner(image, both, (1.0, 1.0)).click(mask, Click((85, 85), False)))
    assert (after & second).sum() < 0.1 * second.sum()
    np.testing.assert_array_equal(after & first, mask & first)


def test_click_reaches_neighbouring_slices():
    shape, spacing = (16, 64, 64), (3.0, 1.0, 1.0)
    missed = ball(shape, (8, 32, 32), 14, spacing)
    image = (50 + 100 * missed).astype(np.float32)
    mask = np.zeros(shape, bool)
    probability = np.full(shape, 0.1)
    after = apply(mask, Refiner(image, probability, spacing).click(mask, Click((8, 32, 32), True)))
    assert after[6].any()
    assert after[10].any()
    assert iou(after, missed) > 0.7


def test_clicks_add_up_and_hold():
    image, _, _, probability = scene()
    mask = probability > 0.5
    refiner = Refiner(image, probability, (1.0, 1.0))
    clicks = [Click((85, 85), True), Click((85, 95), False), Click((40, 40), False)]
    for click in clicks:
        mask = apply(mask, refiner.click(mask, click))
    assert [bool(mask[click.index]) for click in clicks] == [True, False, False]


def test_undo_takes_clicks_back_one_by_one():
    image, _, _, probability = scene()
    mask = probability > 0.5
    refiner = Refiner(image, probability, (1.0, 1.0))
    first = refiner.click(mask, Click((85, 85), True))
    again = apply(mask, first)
    second = refiner.click(again, Click((40, 40), False))
    assert refiner.undo() is second
    repeated = refiner.click(again, Click((40, 40), False))
    np.testing.assert_array_equal(repeated.changed, second.changed)
    refiner.undo()
    assert refiner.undo() is first
    assert refiner.undo() is None
    repeated = refiner.click(mask, Click((85, 85), True))
    np.testing.assert_array_equal(repeated.changed, first.changed)


def test_brush_strokes_are_believed():
    image, _, _, probability = scene()
    mask = probability > 0.5
    painted = mask | ball(mask.shape, (100, 30), 10)
    refiner = Refiner(image, probability, (1.0, 1.0))
    after = apply(painted, refiner.click(painted, Click((85, 85), True)))
    np.testing.assert_array_equal(after[90:, :45], painted[90:, :45])


def test_works_without_a_network():
    image, first, second, _ = scene()
    after = apply(first, Refiner(image, None, (1.0, 1.0)).click(first, Click((85, 85), True)))
    assert iou(after & ~first, second) > 0.8


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([(1.0, 1.0), (0.3, 0.9)]))
def test_only_the_class_asked_for_changes_and_only_in_the_box(seed, positive, spacing):
    generator = np.random.default_rng(seed)
    shape = tuple(int(n) for n in generator.integers(8, 70, 2))
    probability = ndimage.gaussian_filter(generator.random(shape), 2)
    probability = (probability - probability.min()) / max(np.ptp(probability), 1e-9)
    mask = probability > generator.uniform(0.2, 0.8)
    index = tuple(int(generator.integers(0, n)) for n in shape)
    image = generator.integers(0, 256, (*shape, 3)).astype(np.uint8)
    correction = Refiner(image, probability, spacing).click(mask, Click(index, positive))
    after = apply(mask, correction)
    assert after[index] == positive
    gained, lost = after & ~mask, mask & ~after
    assert not (lost if positive else gained).any()
    assert (mask[correction.box][correction.changed] != positive).all()


def test_flipping_the_image_flips_the_correction():
    image, _, _, probability = scene()
    mask = probability > 0.5
    plain = apply(mask, Refiner(image, probability, (1.0, 1.0)).click(mask, Click((85, 85), True)))
    turned = tuple(np.ascontiguousarray(a[::-1]) for a in (image, probability, mask))
    flipped = apply(
        turned[2], Refiner(*turned[:2], (1.0, 1.0)).click(turned[2], Click((42, 85), True))
    )
    assert iou(flipped[::-1], plain) > 0.99


@pytest.mark.parametrize(
    ("index", "shape", "words"),
    [((200, 3), (128, 128), "outside of the image"), ((3, 3), (4, 4), "does not lie on")],
)
def test_impossible_clicks_are_refused(index, shape, words):
    image, _, _, probability = scene()
    refiner = Refiner(image, probability, (1.0, 1.0))
    with pytest.raises(InputError, match=words):
        refiner.click(np.zeros(shape, bool), Click(index, True))
    assert not refiner.corrections


def test_walk_solves_its_equations():
    generator = np.random.default_rng(3)
    shape = (7, 5, 4)
    features, prior = generator.random((*shape, 2)), generator.random(shape)
    strength = generator.random(shape)
    given = np.zeros(shape, bool)
    given[3, 2, 1] = True
    free = walk(features, (1.0, 2.0, 1.0), prior, strength, given, np.ones(shape))
    assert free[3, 2, 1] == 1
    held = walk(features, (1.0, 2.0, 1.0), prior, strength + 1e9, given, np.ones(shape))
    np.testing.assert_allclose(held[~given], prior[~given], atol=1e-4)
    constant = walk(features, (1.0, 1.0, 1.0), np.full(shape, 0.3), strength, given & False, prior)
    np.testing.assert_allclose(constant, 0.3, atol=1e-3)
