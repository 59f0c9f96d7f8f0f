"""What is a hole, whose it is, and what is not filled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after, ball, masks


@given(labels=masks(highest=1))
@settings(max_examples=50, deadline=None)
def test_one_class_as_scipy_fills_it(labels: np.ndarray) -> None:
    labels = (labels > 0).astype(np.uint8)
    filled = after(labels, edit.fill_holes(labels, (1.0,) * labels.ndim))
    np.testing.assert_array_equal(filled > 0, ndimage.binary_fill_holes(labels))


def test_a_tunnel_is_a_hole_in_planes_only() -> None:
    labels = np.zeros((5, 9, 9), np.uint8)
    labels[:] = ball((9, 9), 3, (1, 1))
    labels[:, 4, 4] = 0
    assert run(edit.fill_holes(labels, (1, 1, 1))).empty
    assert run(edit.fill_holes(labels, (1, 1, 1), Scope(axis=0))).voxels == 5
    assert run(edit.fill_holes(labels, (1, 1, 1), Scope(axis=1))).empty


@pytest.fixture
def nested() -> np.ndarray:
    """An organ (1) with a hole, and in it a tumour (2) with a hole of its own."""
    labels = np.zeros((20, 30), np.uint8)
    labels[1:19, 1:29] = 1
    labels[3:5, 3:5] = 0
    labels[8:17, 8:17] = 2
    labels[11:14, 11:14] = 0
    return labels


def test_a_hole_belongs_to_what_touches_it(nested: np.ndarray) -> None:
    filled = after(nested, edit.fill_holes(nested, (1, 1)))
    assert (filled[3:5, 3:5] == 1).all()
    assert (filled[11:14, 11:14] == 2).all()


def test_the_hole_in_a_tumour_is_not_the_organs(nested: np.ndarray) -> None:
    filled = after(nested, edit.fill_holes(nested, (1, 1), label=1))
    assert (filled[3:5, 3:5] == 1).all()
    assert (filled[11:14, 11:14] == 0).all()
    np.testing.assert_array_equal(filled == 2, nested == 2)


def test_a_gap_between_two_classes(nested: np.ndarray) -> None:
    nested[8:10, 17:20] = 0  # beside the tumour, within the organ
    filled = after(nested, edit.fill_holes(nested, (1, 1)))
    assert (filled[8:10, 17:20] == 1).all()
    alone = after(nested, edit.fill_holes(nested, (1, 1), label=1))
    assert (alone[8:10, 17:20] == 1).all()
    two = after(nested, edit.fill_holes(nested, (1, 1), label=2))
    assert (two[8:10, 17:20] == 0).all()


def test_a_gap_that_two_classes_enclose_together() -> None:
    labels = np.full((7, 9), 1, np.uint8)
    labels[:, 5:] = 2
    labels[2:5, 3:6] = 0  # two thirds of its border are with class 1
    assert run(edit.fill_holes(labels, (1, 1), label=1)).empty
    assert (after(labels, edit.fill_holes(labels, (1, 1)))[2:5, 3:6] == 1).all()


@pytest.mark.parametrize(("up_to", "voxels"), [(1.9, 0), (2.0, 4), (4.4, 4), (4.5, 13)])
def test_holes_up_to_a_size_in_mm2(nested: np.ndarray, up_to: float, voxels: int) -> None:
    # Holes of 4 and 9 pixels of 1 x 0.5 mm.
    assert run(edit.fill_holes(nested, (1, 0.5), up_to=up_to)).voxels == voxels


def test_what_is_open_to_the_border_of_the_image_is_no_hole() -> None:
    labels = np.ones((6, 6), np.uint8)
    labels[0:3, 3] = 0
    assert run(edit.fill_holes(labels, (1, 1))).empty
