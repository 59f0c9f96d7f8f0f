"""Smoothing: steps go, size and classes stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after, ball, masks


def outline(labels: np.ndarray) -> int:
    """Return between how many neighbours the label changes."""
    return sum(int((np.diff(labels.astype(int), axis=axis) != 0).sum()) for axis in (0, 1))


def test_a_ragged_outline_becomes_smooth_and_keeps_its_size() -> None:
    clean = ball((61, 61), 22, (1, 1))
    rim = ball((61, 61), 23, (1, 1)) - ball((61, 61), 21, (1, 1))
    noise = np.random.default_rng(0).random(clean.shape) < 0.5
    ragged = np.where((rim == 1) & noise, 1 - clean, clean)
    smoothed = after(ragged, edit.smooth(ragged, (1, 1), width=1.5))
    assert outline(ragged) > 1.5 * outline(clean)
    assert outline(smoothed) < 1.1 * outline(clean)
    assert (smoothed != clean).sum() < 0.5 * (ragged != clean).sum()
    assert abs(int(smoothed.sum()) - int(clean.sum())) < 0.03 * clean.sum()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7)])
def test_a_ball_moves_inwards_as_documented(spacing: tuple[float, ...]) -> None:
    shape = tuple(int(36 / step) | 1 for step in spacing)
    labels = ball(shape, 15, spacing)
    smoothed = after(labels, edit.smooth(labels, spacing, width=2.0))
    radius = [
        (3 * n * np.prod(spacing) / (4 * np.pi)) ** (1 / 3) for n in (labels.sum(), smoothed.sum())
    ]
    assert radius[0] - radius[1] == pytest.approx(2.0**2 / 15, abs=0.12)


def test_a_straight_border_stays() -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:, :4], labels[:, 4:8] = 1, 2
    assert run(edit.smooth(labels, (3, 1, 1), width=2)).empty


def test_width_is_in_mm() -> None:
    labels = np.zeros((21, 21), np.uint8)
    labels[:, :10] = 1
    labels[8:13, 10:14] = 1  # a bump of 5 x 4 voxels
    coarse = after(labels, edit.smooth(labels, (1, 1), width=3))
    fine = after(labels, edit.smooth(labels, (0.1, 0.1), width=0.3))
    np.testing.assert_array_equal(coarse, fine)
    assert (
        run(edit.smooth(labels, (1, 1), width=0.3)).voxels
        < run(edit.smooth(labels, (1, 1), width=3)).voxels
    )


def test_no_gap_opens_between_two_classes() -> None:
    rng = np.random.default_rng(1)
    labels = np.ones((40, 40), np.uint8)
    for row in range(40):
        labels[row, 20 + rng.integers(-2, 3) :] = 2
    smoothed = after(labels, edit.smooth(labels, (1, 1), width=2))
    assert (smoothed > 0).all()
    assert outline(smoothed) < 0.7 * outline(labels)


def test_only_the_class_asked_for_moves() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 4, (6, 6), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    change = run(edit.smooth(labels, (1, 1), width=1.5, label=2))
    assert not change.empty
    assert ((change.old == 2) | (change.new == 2)).all()


@given(labels=masks())
@settings(max_examples=40, deadline=None)
def test_no_label_disappears_or_is_made_up(labels: np.ndarray) -> None:
    smoothed = after(labels, edit.smooth(labels, (1.0,) * labels.ndim, width=3))
    assert set(np.unique(smoothed)) - {0} == set(np.unique(labels)) - {0}


def test_planes_are_smoothed_by_themselves() -> None:
    labels = np.zeros((9, 15, 15), np.uint8)
    labels[[2, 6, 7, 8]] = ball((15, 15), 5, (1, 1))
    assert not after(labels, edit.smooth(labels, (1, 1, 1), width=1))[2].any()
    flat = after(labels, edit.smooth(labels, (1, 1, 1), Scope(axis=0), width=1))
    assert flat[2, 7, 7] == 1
    assert not flat[[0, 1, 3, 4, 5]].any()
