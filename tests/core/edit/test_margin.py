"""Grow and shrink: the distance is right in mm, and what closing promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import SPACINGS, after, ball, masks


@given(
    labels=masks(),
    steps=st.tuples(*[st.sampled_from(SPACINGS)] * 3),
    distance=st.floats(0, 4),
)
@settings(max_examples=40, deadline=None)
def test_exactly_the_voxels_within_the_distance(
    labels: np.ndarray, steps: tuple[float, ...], distance: float
) -> None:
    spacing = steps[: labels.ndim]
    own, others = np.argwhere(labels == 1), np.argwhere(labels != 1)
    grown = after(labels, edit.grow(labels, spacing, distance=distance, label=1, overwrite=True))
    shrunk = after(labels, edit.shrink(labels, spacing, distance=distance, label=1))
    if len(own) and len(others):
        apart = np.linalg.norm((own[:, None] - others[None]) * spacing, axis=2)
        limit = distance + 1e-6 * min(spacing)
        gained = others[(apart <= limit).any(axis=0)]
        lost = own[(apart <= limit).any(axis=1)]
    else:
        gained = lost = np.zeros((0, labels.ndim), int)
    np.testing.assert_array_equal(np.argwhere((grown == 1) & (labels != 1)), gained)
    np.testing.assert_array_equal(np.argwhere((shrunk != 1) & (labels == 1)), lost)
    assert (shrunk[tuple(lost.T)] == 0).all()


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 0.8, 0.8), (0.5, 2, 1)])
@pytest.mark.parametrize("distance", [2.0, 5.0])
def test_a_ball_grows_and_shrinks_by_the_distance(
    spacing: tuple[float, ...], distance: float
) -> None:
    shape = tuple(int(40 / step) | 1 for step in spacing)
    diagonal = np.linalg.norm(spacing)
    labels = ball(shape, 10, spacing)
    grown = after(labels, edit.grow(labels, spacing, distance=distance, label=1))
    assert (grown >= ball(shape, 10 + distance - diagonal, spacing)).all()
    assert (grown <= ball(shape, 10 + distance + diagonal, spacing)).all()
    shrunk = after(labels, edit.shrink(labels, spacing, distance=distance, label=1))
    assert (shrunk >= ball(shape, 10 - distance - diagonal, spacing)).all()
    assert (shrunk <= ball(shape, 10 - distance + diagonal, spacing)).all()


def test_a_box_grows_by_whole_voxels() -> None:
    labels = np.zeros((9, 30, 30), np.uint8)
    labels[4, 10:20, 10:20] = 1
    grown = after(labels, edit.grow(labels, (3, 0.5, 1), distance=2, label=1))
    assert grown.sum(axis=(1, 2)).nonzero()[0].tolist() == [4]  # 3 mm to the next slice
    assert grown[4, :, 15].nonzero()[0].tolist() == list(range(6, 24))
    assert grown[4, 15].nonzero()[0].tolist() == list(range(8, 22))
    flat = after(labels, edit.grow(labels, (3, 0.5, 1), Scope(axis=0), distance=5, label=1))
    assert flat.sum(axis=(1, 2)).nonzero()[0].tolist() == [4]


@given(labels=masks(), distance=st.floats(0, 4), label=st.sampled_from([None, 1]))
@settings(max_examples=60, deadline=None)
def test_closing_contains_the_original(
    labels: np.ndarray, distance: float, label: int | None
) -> None:
    spacing = (1.5, 1.0, 0.5)[-labels.ndim :]
    over = label is not None
    grown = after(
        labels, edit.grow(labels, spacing, distance=distance, label=label, overwrite=over)
    )
    closed = after(grown, edit.shrink(grown, spacing, distance=distance, label=label))
    kept = labels > 0 if label is None else labels == 1
    np.testing.assert_array_equal(closed[kept], labels[kept])


def test_growing_does_not_overwrite_others_unless_asked() -> None:
    labels = np.zeros((5, 12), np.uint8)
    labels[:, 2:4], labels[:, 5:8], labels[:, 10] = 1, 2, 3
    calm = after(labels, edit.grow(labels, (1, 1), distance=9, label=1))
    np.testing.assert_array_equal(calm[labels > 0], labels[labels > 0])
    assert (calm[labels == 0] == 1).all()
    scope = Scope(locked_labels=frozenset({3}))
    keen = after(labels, edit.grow(labels, (1, 1), scope, distance=9, label=1, overwrite=True))
    assert np.unique(keen[:, 5:8]).tolist() == [1]
    assert (keen[:, 10] == 3).all()


def test_all_labels_grow_to_the_middle_between_them() -> None:
    labels = np.zeros((1, 12), np.uint8)
    labels[0, 1], labels[0, 2], labels[0, 9] = 1, 2, 3
    grown = after(labels, edit.grow(labels, (1, 1), distance=20))
    assert grown[0].tolist() == [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]
    locked = edit.grow(labels, (1, 1), Scope(locked_labels=frozenset({3})), distance=20)
    assert after(labels, locked)[0].tolist() == [1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2]


def test_all_labels_shrink_from_outside_and_not_from_each_other() -> None:
    labels = np.zeros((7, 12), np.uint8)
    labels[1:6, 1:6], labels[1:6, 6:11] = 1, 2
    shrunk = after(labels, edit.shrink(labels, (1, 1), distance=1))
    expected = np.zeros_like(labels)
    expected[2:5, 2:6], expected[2:5, 6:10] = 1, 2
    np.testing.assert_array_equal(shrunk, expected)


def test_an_organ_cut_off_by_the_border_of_the_image_does_not_shrink_there() -> None:
    labels = np.ones((6, 6), np.uint8)
    assert run(edit.shrink(labels, (1, 1), distance=2)).empty
    labels[:, 5] = 0
    assert after(labels, edit.shrink(labels, (1, 1), distance=2))[0].tolist() == [1, 1, 1, 0, 0, 0]
