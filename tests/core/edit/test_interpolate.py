"""Shapes between painted planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after

ONE = (1.0, 1.0, 1.0)


def disc(radius: float, centre: tuple[float, float] = (20, 20), size: int = 41) -> np.ndarray:
    y, x = np.ogrid[:size, :size]
    return ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2).astype(np.uint8)


@given(
    plane=arrays(np.uint8, (7, 8), elements=st.integers(0, 3)),
    gap=st.integers(1, 4),
    axis=st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_between_two_identical_planes_lies_the_same(plane: np.ndarray, gap: int, axis: int) -> None:
    labels = np.zeros((gap + 2, 7, 8), np.uint8)
    labels[0] = labels[-1] = plane
    labels = np.moveaxis(labels, 0, axis)
    filled = np.moveaxis(after(labels, edit.interpolate(labels, ONE, axis=axis)), axis, 0)
    for one in filled:
        np.testing.assert_array_equal(one, plane)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (5, 0.5, 0.5)])
def test_radii_pass_from_one_disc_to_the_other(spacing: tuple[float, ...]) -> None:
    labels = np.zeros((11, 41, 41), np.uint8)
    labels[0], labels[10] = disc(5), disc(15)
    filled = after(labels, edit.interpolate(labels, spacing, label=1))
    radii = np.sqrt(filled.sum(axis=(1, 2)) / np.pi)
    np.testing.assert_allclose(radii, np.arange(5, 16), atol=0.5)


def test_a_slanted_vessel_survives() -> None:
    labels = np.zeros((9, 41, 41), np.uint8)
    labels[0], labels[8] = disc(3, (6, 10)), disc(3, (34, 26))
    filled = after(labels, edit.interpolate(labels, ONE, label=1))
    for plane in range(9):
        centre = np.argwhere(filled[plane]).mean(axis=0)
        np.testing.assert_allclose(centre, (6 + 3.5 * plane, 10 + 2 * plane), atol=0.5)
        assert filled[plane].sum() == pytest.approx(disc(3).sum(), abs=8)


def test_painted_planes_and_those_outside_stay() -> None:
    labels = np.zeros((9, 41, 41), np.uint8)
    labels[1], labels[4], labels[7] = disc(10), disc(4), disc(10)
    filled = after(labels, edit.interpolate(labels, ONE, label=1))
    np.testing.assert_array_equal(filled[[1, 4, 7]], labels[[1, 4, 7]])
    assert not filled[[0, 8]].any()
    assert all(plane.any() for plane in filled[1:8])


def test_other_labels_are_overwritten_only_if_asked_and_locked_ones_never() -> None:
    labels = np.zeros((5, 41, 41), np.uint8)
    labels[0] = labels[4] = disc(10)
    labels[2, 20, :] = 2
    labels[3, 20, :] = 3
    calm = after(labels, edit.interpolate(labels, ONE, label=1))
    np.testing.assert_array_equal(calm[labels > 0], labels[labels > 0])
    scope = Scope(locked_labels=frozenset({3}))
    keen = after(labels, edit.interpolate(labels, ONE, scope, label=1, overwrite=True))
    assert keen[2, 20, 20] == 1
    assert keen[3, 20, 20] == 3


def test_two_classes_meet_where_both_would_be() -> None:
    labels = np.zeros((3, 41, 41), np.uint8)
    labels[0, :, :30] = labels[2, :, :12] = 1
    labels[0, :, 30:] = labels[2, :, 12:] = 2
    filled = after(labels, edit.interpolate(labels, ONE))
    assert filled[1].all()
    assert filled[1, 0].tolist() == [1] * 21 + [2] * 20


def test_what_two_shapes_share_stays() -> None:
    """A lobe that ends must not pull the rest of the organ along."""
    labels = np.zeros((5, 41, 41), np.uint8)
    labels[0, 5:30, 5:35] = 1
    labels[4, 5:30, 5:15] = 1
    filled = after(labels, edit.interpolate(labels, ONE, label=1))
    assert (np.diff(filled.sum(axis=(1, 2)).astype(int)) < 0).all()
    assert filled[:, 5:30, 5:15].all()


def test_only_the_planes_asked_for() -> None:
    labels = np.zeros((6, 41, 41), np.uint8)
    labels[0] = labels[5] = disc(10)
    change = run(
        edit.interpolate(labels, ONE, Scope(region=(3, slice(None), slice(0, 20))), label=1)
    )
    assert set(change.indices[0]) == {3}
    assert change.indices[1].size
    assert change.indices[2].max() == 19


def test_nothing_painted_or_one_plane_only() -> None:
    labels = np.zeros((4, 9, 9), np.uint8)
    assert run(edit.interpolate(labels, ONE)).empty
    labels[2, 3, 3] = 1
    assert run(edit.interpolate(labels, ONE)).empty


def test_a_gap_of_which_a_plane_would_stay_empty_is_left_alone() -> None:
    """Two specks far apart do not meet half way; painting beside each would come out as tails."""
    labels = np.zeros((9, 40, 60), np.uint8)
    labels[0, 18:22, 8:12] = 1
    labels[4, 18:22, 44:52] = 1
    labels[4, 18:22, 2:5] = 1
    labels[8, 18:22, 2:5] = 1
    labels[8, 18:22, 44:52] = 1
    labels[2] = 2  # in the way: this plane of the first gap cannot show the class
    change = run(edit.interpolate(labels, (1, 1, 1), label=1))
    assert set(np.unique(change.indices[0])) == {5, 6, 7}
    change.apply(labels)
    assert run(edit.interpolate(labels, (1, 1, 1), label=1)).empty
