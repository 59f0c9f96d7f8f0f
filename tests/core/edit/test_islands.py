"""Which objects stay, how large they are, and what takes the place of those that go."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after


@pytest.fixture
def scan() -> np.ndarray:
    """Two classes with a large and a small object each, and a speck of 2 within 1."""
    labels = np.zeros((6, 20, 20), np.uint8)
    labels[1:5, 1:9, 1:9] = 1
    labels[2, 14:16, 14:16] = 1
    labels[1:3, 12:19, 1:5] = 2
    labels[5, 19, 19] = 2
    labels[2:4, 4, 4] = 2
    return labels


def test_keep_largest_of_every_class(scan: np.ndarray) -> None:
    kept = after(scan, edit.keep_largest(scan, (1, 1, 1)))
    expected = scan.copy()
    expected[2, 14:16, 14:16] = 0
    expected[5, 19, 19] = 0
    expected[2:4, 4, 4] = 1  # what lies within an organ becomes organ, no hole
    np.testing.assert_array_equal(kept, expected)


def test_keep_largest_of_one_class(scan: np.ndarray) -> None:
    kept = after(scan, edit.keep_largest(scan, (1, 1, 1), label=1))
    np.testing.assert_array_equal(kept == 2, scan == 2)
    assert kept[2, 14, 14] == 0


def test_the_largest_in_a_drawn_rectangle_is_kept_there(scan: np.ndarray) -> None:
    scan[2, 17, 14:16] = 1  # smaller than its neighbour
    region = (slice(None), slice(10, 20), slice(10, 20))
    kept = after(scan, edit.keep_largest(scan, (1, 1, 1), Scope(region=region), label=1))
    expected = scan.copy()
    expected[2, 17, 14:16] = 0
    np.testing.assert_array_equal(kept, expected)


def test_an_organ_that_enters_a_rectangle_by_a_corner_is_judged_whole(scan: np.ndarray) -> None:
    region = (slice(None), slice(8, 20), slice(8, 20))
    kept = after(scan, edit.keep_largest(scan, (1, 1, 1), Scope(region=region), label=1))
    assert kept[2, 8, 8] == 1
    assert kept[2, 14, 14] == 0
    islands = edit.remove_islands(scan, (1, 1, 1), Scope(region=region), smaller_than=50)
    assert after(scan, islands)[2, 8, 8] == 1


@pytest.mark.parametrize(("below", "kept"), [(6.0, True), (6.1, False)])
def test_size_of_islands_in_mm3(scan: np.ndarray, below: float, kept: bool) -> None:
    # Four voxels of 3 x 1 x 0.5 mm.
    job = edit.remove_islands(scan, (3, 1, 0.5), smaller_than=below, label=1)
    assert bool(after(scan, job)[2, 14, 14]) == kept


@pytest.mark.parametrize(("below", "kept"), [(2.0, True), (2.1, False)])
def test_size_of_islands_in_mm2(scan: np.ndarray, below: float, kept: bool) -> None:
    # Four pixels of 1 x 0.5 mm, in the plane.
    job = edit.remove_islands(scan, (3, 1, 0.5), Scope(axis=0), smaller_than=below, label=1)
    assert bool(after(scan, job)[2, 14, 14]) == kept


def test_corners_connect() -> None:
    line = np.eye(6, dtype=np.uint8)
    assert run(edit.remove_islands(line, (1, 1), smaller_than=6)).empty


def test_an_island_takes_the_label_that_touches_most_of_it_in_mm() -> None:
    labels = np.zeros((3, 3, 4), np.uint8)
    labels[:, :, :2], labels[:, :, 2:] = 1, 2
    labels[1, 1, 1] = 3
    # Five faces touch 1 and one touches 2; only the latter counts where voxels are flat that way.
    assert after(labels, edit.remove_islands(labels, (1, 1, 1), smaller_than=2))[1, 1, 1] == 1
    labels[1, 1, :2] = 3
    labels[1, 1, 3] = 1
    thin = after(labels, edit.remove_islands(labels, (20, 20, 0.1), smaller_than=90))
    assert (thin[1, 1, :2] == 2).all()


def test_a_locked_label_does_not_gain_an_island(scan: np.ndarray) -> None:
    locked = Scope(locked_labels=frozenset({1}))
    kept = after(scan, edit.keep_largest(scan, (1, 1, 1), locked))
    np.testing.assert_array_equal(kept == 1, scan == 1)
    assert (kept[2:4, 4, 4] == 0).all()


def test_islands_of_two_classes_side_by_side_go_together() -> None:
    labels = np.zeros((5, 5), np.uint8)
    labels[2, 1], labels[2, 2] = 1, 2
    assert not after(labels, edit.remove_islands(labels, (1, 1), smaller_than=2)).any()
