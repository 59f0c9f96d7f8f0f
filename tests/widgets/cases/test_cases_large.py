"""Predictions that are shown piece by piece in a case, and what a person does meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_lgmsnet.adapters import case_on_screen, gradual
from napari_lgmsnet.widgets.correct import CorrectWidget
from tests.widgets.case_helpers import stroke
from tests.widgets.cases.helpers import kept, mask_of, point_at

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def large(begun, monkeypatch, checkpoint_2d):
    """Return the widget, to which every mask is a large one."""
    monkeypatch.setattr(case_on_screen, "LARGE", 500)
    monkeypatch.setattr(case_on_screen, "AT_ONCE", 300)
    monkeypatch.setattr(gradual, "BUDGET", 0)  # one piece a turn
    begun.checkpoint.choose(checkpoint_2d)
    return begun


def test_the_first_answer_is_shown_and_no_undo_step(large, settle, tmp_path):
    large.predict()
    settle(large)
    prediction = kept(tmp_path / "project").prediction
    assert prediction.any()
    np.testing.assert_array_equal(mask_of(large).data, prediction)
    mask_of(large).undo()
    settle(large)
    np.testing.assert_array_equal(kept(tmp_path / "project").labels, prediction)
    assert not kept(tmp_path / "project").touched.any(), "an answer is no edit"


def test_undo_takes_it_back_where_something_was_painted(large, settle, tmp_path):
    layer = mask_of(large)
    stroke(layer, [(10, 10), (10, 30)], 3)
    settle(large)
    painted = layer.data.copy()
    large.predict()
    settle(large)
    mask = kept(tmp_path / "project")
    np.testing.assert_array_equal(mask.labels, layer.data)
    assert (layer.data[painted == 3] == 3).all(), "what was painted stays"
    assert not np.array_equal(layer.data, painted)
    layer.undo()
    settle(large)
    np.testing.assert_array_equal(layer.data, painted)
    np.testing.assert_array_equal(kept(tmp_path / "project").labels, painted)


def test_it_waits_for_the_end_of_a_stroke(large, settle, viewer, qtbot, tmp_path):
    layer = mask_of(large)
    layer.mode, layer.selected_label, layer.brush_size = "paint", 3, 3
    native, middle = point_at(viewer, layer, (25, 20))
    qtbot.waitUntil(lambda: native.width() > 50, timeout=5000)
    native, middle = point_at(viewer, layer, (25, 20))
    writer = large.desk.session.writer
    large.predict()
    QTest.mousePress(native, LEFT, pos=middle)
    QTest.mouseMove(native, middle + QPoint(20, 0))
    qtbot.waitUntil(lambda: writer.busy, timeout=60_000)
    qtbot.wait(100)
    assert writer.busy, "the person has not finished"
    QTest.mouseMove(native, middle + QPoint(60, 0))
    QTest.mouseRelease(native, LEFT, pos=middle + QPoint(60, 0))
    settle(large)
    mask = kept(tmp_path / "project")
    np.testing.assert_array_equal(mask.labels, layer.data)
    assert (layer.data[25, 20:26] == 3).all()
    np.testing.assert_array_equal(mask.labels[~mask.touched], mask.prediction[~mask.touched])
    assert mask.prediction.any()


def test_locks_go_with_their_case(begun, settle, viewer, tmp_path):
    correct = CorrectWidget(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    correct.masks.choose(mask_of(begun))
    correct.bench.lock.lock_region((slice(0, 20), slice(0, 30)), np.ones((20, 30), bool), on=True)
    stroke(mask_of(begun), [(10, 10), (10, 50)], 1)
    painted = mask_of(begun).data.copy()
    assert painted.any()
    assert not painted[:20, :30].any()
    begun.next_case()
    settle(begun)
    assert not [layer for layer in viewer.layers if "locked" in layer.name]
    np.testing.assert_array_equal(kept(tmp_path / "project").labels, painted)
    stroke(mask_of(begun), [(10, 10), (10, 50)], 1)
    assert mask_of(begun).data[10, 10:50].all()
    settle(begun)
