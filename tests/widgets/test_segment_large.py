"""A prediction of a large image is written piece by piece, and nothing of the person's is lost."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.adapters import gradual, results


@pytest.fixture
def predicted(open_widget, checkpoint_3d, viewer, volume, finish, monkeypatch):
    """Return a widget with a result of a volume that counts as large."""
    for name, value in {"LARGE": 1000, "_AT_ONCE": 200, "_LOOKED_AT": 300}.items():
        monkeypatch.setattr(results, name, value)
    monkeypatch.setattr(gradual, "BUDGET", 0)  # one piece a turn
    layer = viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    return widget, widget.results.of(layer)


def again(widget, result):
    """Show the same prediction once more."""
    widget.results.show(result.image, result.part, result.region, result.prediction)
    assert widget.session.writer.busy, "the window has its turn first"


def test_the_first_answer_is_whole_and_no_undo_step(predicted):
    _widget, result = predicted
    assert np.array_equal(result.mask.data, result.prediction.labels)
    assert np.array_equal(result.probability.data, result.prediction.foreground)
    assert not result.edited(result.region)
    result.mask.undo()
    assert np.array_equal(result.mask.data, result.prediction.labels)


def test_undo_brings_back_what_was_painted(predicted, finish):
    widget, result = predicted
    result.mask.data_setitem((np.array([2, 5]), np.array([3, 39]), np.array([4, 35])), 9)
    painted = result.mask.data.copy()
    assert result.edited(result.region)
    again(widget, result)
    for _ in range(3):
        widget.session.writer._on_turn()
    assert widget.session.writer.busy
    finish(widget)
    assert np.array_equal(result.mask.data, result.prediction.labels)
    result.mask.undo()
    assert np.array_equal(result.mask.data, painted)


def test_an_edited_mask_set_aside_gets_the_rest_first(predicted, finish):
    widget, result = predicted
    result.mask.data_setitem((np.array([2]), np.array([3]), np.array([4])), 9)
    edited = result.mask
    again(widget, result)
    widget.results.set_aside(result)
    assert np.array_equal(edited.data, result.prediction.labels)
    again(widget, result)
    finish(widget)
    assert result.mask != edited
    assert np.array_equal(result.mask.data, result.prediction.labels)


def test_a_threshold_moves_while_the_one_before_is_written(predicted, finish):
    widget, result = predicted
    first = result.prediction
    for threshold in (0.1, 0.9, 0.4):
        widget.results.cut(result, first.at_threshold(threshold))
        widget.session.writer._on_turn()
    finish(widget)
    assert np.array_equal(result.mask.data, first.at_threshold(0.4).labels)
    assert not result.edited(result.region)
