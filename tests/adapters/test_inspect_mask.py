"""Noticing that a mask was changed."""

import numpy as np
import pytest

from napari_lgmsnet.adapters.inspect_mask import MaskWatch


@pytest.fixture
def watched(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    mask = viewer.add_labels(np.zeros((4, 20, 20), np.uint8))
    watch, told = MaskWatch(viewer.dims), []
    watch.edited.connect(lambda: told.append(True))
    watch.follow(mask)
    yield viewer, mask, watch, told
    watch.leave()


def test_every_kind_of_edit_is_told(watched):
    _viewer, mask, _watch, told = watched
    for edit in (
        lambda: mask.paint((1, 4, 4), 1),
        lambda: mask.undo(),
        lambda: mask.redo(),
        lambda: mask.fill((2, 4, 4), 3),
        lambda: mask.data_setitem((np.array([3]), np.array([1]), np.array([1])), 2),
        lambda: setattr(mask, "data", np.ones_like(mask.data)),
    ):
        told.clear()
        edit()
        assert told


def test_looking_at_another_slice_is_no_edit(watched):
    viewer, mask, _watch, told = watched
    for index in (1, 2, 0):
        viewer.dims.set_current_step(0, index)
    viewer.dims.order = (1, 0, 2)
    assert not told
    mask.paint((1, 4, 4), 1)
    assert told


def test_a_mask_that_is_not_followed_any_more_is_not_told_of(watched):
    viewer, mask, watch, told = watched
    other = viewer.add_labels(np.zeros((4, 20, 20), np.uint8))
    watch.follow(other)
    told.clear()
    mask.paint((1, 4, 4), 1)
    assert not told
    other.paint((1, 4, 4), 1)
    assert told
    watch.follow(None)
    told.clear()
    other.paint((2, 4, 4), 1)
    assert not told
