"""Replacing, copying, and writing what a network proposes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after

ONE = (1.0, 1.0, 1.0)


@pytest.fixture
def labels() -> np.ndarray:
    array = np.zeros((4, 6, 6), np.uint8)
    array[1, 1:4, 1:4] = 1
    array[1, 4, 4] = 2
    array[2, 2:5, 2:5] = 3
    return array


def test_replace(labels: np.ndarray) -> None:
    result = after(labels, edit.replace(labels, ONE, label=1, by=5))
    np.testing.assert_array_equal(result == 5, labels == 1)
    np.testing.assert_array_equal(result[labels != 1], labels[labels != 1])
    assert not (after(labels, edit.replace(labels, ONE, label=1, by=0)) == 1).any()


def test_one_object_changes_its_class(labels: np.ndarray) -> None:
    labels[3, 5, 5] = 1
    scope = Scope(selection=edit.object_at(labels, (1, 2, 2)))
    result = after(labels, edit.replace(labels, ONE, scope, label=1, by=5))
    assert (result == 5).sum() == 9
    assert result[3, 5, 5] == 1


def test_the_object_under_the_pointer(labels: np.ndarray) -> None:
    labels[2, 4, 0] = 1  # touches by a corner of no voxel of plane 1
    labels[2, 0, 0] = 1  # touches (1, 1, 1) by a corner
    whole = edit.object_at(labels, (1, 3, 3))
    assert whole.sum() == 11
    assert edit.object_at(labels, (1, 3, 3), axis=0).sum() == 9
    assert not edit.object_at(labels, (0, 0, 0)).any()
    assert not edit.object_at(labels, (9, 0, 0)).any()


def test_copy_paints_background_only_unless_asked(labels: np.ndarray) -> None:
    copied = after(labels, edit.copy_slice(labels, ONE, source=1, target=2))
    np.testing.assert_array_equal(copied[2], np.where(labels[2] > 0, labels[2], labels[1]))
    exact = after(labels, edit.copy_slice(labels, ONE, source=1, target=2, overwrite=True))
    np.testing.assert_array_equal(exact[2], labels[1])
    np.testing.assert_array_equal(exact[[0, 1, 3]], labels[[0, 1, 3]])


def test_copy_of_one_class_leaves_the_others(labels: np.ndarray) -> None:
    labels[2, 0, 0] = 1
    copied = after(
        labels, edit.copy_slice(labels, ONE, source=1, target=2, label=1, overwrite=True)
    )
    np.testing.assert_array_equal(copied[2] == 1, labels[1] == 1)
    assert copied[2, 4, 4] == 3
    locked = Scope(locked_labels=frozenset({3}))
    kept = after(
        labels, edit.copy_slice(labels, ONE, locked, source=1, target=2, label=1, overwrite=True)
    )
    np.testing.assert_array_equal(kept == 3, labels == 3)


@pytest.mark.parametrize("axis", [1, 2])
def test_copy_along_another_axis(labels: np.ndarray, axis: int) -> None:
    copied = after(
        labels, edit.copy_slice(labels, ONE, source=3, target=0, axis=axis, overwrite=True)
    )
    np.testing.assert_array_equal(copied.take(0, axis), labels.take(3, axis))


def test_a_new_object_never_overwrites_a_finished_one(labels: np.ndarray) -> None:
    box = (slice(1, 3), slice(0, 6), slice(0, 5))
    proposal = np.full((2, 6, 5), 4, np.int64)
    result = after(labels, edit.put(labels, ONE, proposal=proposal, box=box))
    np.testing.assert_array_equal(result[labels > 0], labels[labels > 0])
    assert (result[box][labels[box] == 0] == 4).all()
    assert not result[:, :, 5].any()


def test_what_a_network_proposes_replaces_all_but_what_is_locked(labels: np.ndarray) -> None:
    proposal = np.zeros(labels.shape, np.uint8)
    proposal[1:3, 2:4, 2:4] = 1
    scope = Scope(locked_labels=frozenset({3}))
    result = after(labels, edit.put(labels, ONE, scope, proposal=proposal, overwrite=True))
    expected = np.where(labels == 3, 3, proposal)
    np.testing.assert_array_equal(result, expected)
    assert run(edit.put(result, ONE, scope, proposal=proposal, overwrite=True)).empty
