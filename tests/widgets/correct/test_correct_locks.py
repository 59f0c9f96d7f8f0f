"""Locked classes and regions stay as they are under napari's own brush, eraser and fill."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_lgmsnet.adapters.recorder import Recorder
from napari_lgmsnet.widgets.correct_tools import EACH_SLICE, OBJECT
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE
from tests.widgets.correct.helpers import canvas_of, choose, click, messages

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def painted(solid, viewer, qtbot):
    """Return a widget, its mask, and a canvas on which slice 2 is shown."""
    widget, mask = solid
    native = canvas_of(viewer)
    qtbot.waitUntil(lambda: native.width() > 50, timeout=5000)
    qtbot.wait(50)
    viewer.layers.selection.active = mask
    viewer.dims.set_point(0, 2 * 3)
    viewer.scene.camera.zoom = 8
    return widget, mask, native


def drag(viewer, qtbot, native, mask, start, end):
    """Press the mouse at a voxel, draw to another one in the same row, and let go."""
    viewer.scene.camera.center = tuple(mask.data_to_world(start))[-2:]
    middle = QPoint(native.width() // 2, native.height() // 2)
    way = QPoint(round((end[2] - start[2]) * viewer.scene.camera.zoom), 0)
    QTest.mousePress(native, LEFT, pos=middle)
    for step in (way / 3, way * 2 / 3, way):
        QTest.mouseMove(native, middle + step)
        qtbot.wait(20)
    QTest.mouseRelease(native, LEFT, pos=middle + way)


def lock_rectangle(widget, settle, viewer, mask, box, *, on=True):
    """Draw a rectangle on the slice on screen, and lock or unlock what is inside."""
    (top, bottom), (left, right) = box
    choose(widget.tools.part, RECTANGLE)
    widget.tools.draw.click()
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    viewer.layers.selection.active.add_rectangles(np.array([[2, y, x] for y, x in corners]))
    viewer.layers.selection.active = mask
    (widget.tools.locks.lock if on else widget.tools.locks.unlock).click()
    settle(widget)


@pytest.mark.parametrize("mode", ["paint", "erase"])
def test_a_stroke_goes_around_a_locked_rectangle(painted, settle, viewer, qtbot, mode):
    widget, mask, native = painted
    lock_rectangle(widget, settle, viewer, mask, ((0, 40), (20, 28)))
    assert "voxels locked" in messages(widget)
    locked = viewer.layers["mask locked"]
    assert set(np.unique(np.nonzero(locked.data)[0])) == {2}
    before = mask.data.copy()
    known, edits = before.copy(), []
    recorder = Recorder(mask.__wrapped__, edits.append)
    mask.mode, mask.selected_label, mask.brush_size = mode, 2, 3
    drag(viewer, qtbot, native, mask, (2, 12, 12), (2, 12, 32))
    after = mask.data.copy()
    new = 2 if mode == "paint" else 0
    assert (after[2, 12, 12:18] == new).all()
    assert np.array_equal(after[locked.data == 1], before[locked.data == 1])
    assert (after[2, 12, 30:33] == new).all(), "the stroke went on behind it"
    assert "voxels of your stroke were left" in messages(widget)
    mask.undo()
    assert np.array_equal(mask.data, before), "it is one step"
    mask.redo()
    assert np.array_equal(mask.data, after), "redo brings back what was permitted"
    qtbot.wait(50)
    recorder.stop()
    for edit in edits:
        known[edit.where] = edit.new
    assert np.array_equal(known, after)
    assert edits[0].author == "person"
    assert edits[0].strokes == 1


def test_an_object_is_locked_and_unlocked_by_the_pointer(painted, settle, viewer, qtbot):
    widget, mask, native = painted
    choose(widget.tools.part, OBJECT)
    viewer.cursor.position = tuple(widget.bench.target().point_of((2, 36, 41)))
    widget.tools.locks.lock.click()
    settle(widget)
    locked = viewer.layers["mask locked"].data == 1
    assert locked[:, 35:37, 40:42].all()
    assert locked.sum() == 5 * 4, "in all slices"
    before = mask.data.copy()
    mask.mode, mask.brush_size = "erase", 9
    drag(viewer, qtbot, native, mask, (2, 36, 36), (2, 36, 44))
    assert np.array_equal(mask.data, before)
    mask.undo()
    mask.redo()
    assert np.array_equal(mask.data, before), "a stroke that was refused is no step"
    viewer.cursor.position = tuple(widget.bench.target().point_of((2, 36, 41)))
    widget.tools.locks.unlock.click()
    settle(widget)
    assert "mask locked" not in viewer.layers
    drag(viewer, qtbot, native, mask, (2, 36, 36), (2, 36, 44))
    assert not mask.data[2, 35:37, 40:42].any()


def test_a_fill_leaves_a_locked_class_alone(painted, viewer, qtbot):
    widget, mask, native = painted
    widget.bench.lock.lock_label(1, on=True)
    before = mask.data.copy()
    mask.mode, mask.selected_label, mask.contiguous = "fill", 2, True
    drag(viewer, qtbot, native, mask, (2, 10, 12), (2, 10, 12))
    assert np.array_equal(mask.data, before), "neither loses it a voxel"
    mask.selected_label = 1
    drag(viewer, qtbot, native, mask, (2, 38, 5), (2, 38, 5))
    assert np.array_equal(mask.data, before), "nor does it gain one"
    widget.bench.lock.lock_label(1, on=False)
    mask.selected_label = 2
    drag(viewer, qtbot, native, mask, (2, 10, 12), (2, 10, 12))
    assert (mask.data[2, 8:12, 10:34] == 2).all()


def test_tools_and_clicks_keep_to_it(painted, settle, viewer):
    widget, mask, _native = painted
    choose(widget.tools.part, SLICE)
    widget.tools.locks.lock.click()
    settle(widget)
    before = mask.data.copy()
    choose(widget.tools.part, EACH_SLICE)
    widget.tools.use("fill_holes")
    settle(widget)
    assert np.array_equal(mask.data[2], before[2])
    assert (mask.data[1, 15:18, 15:18] == 1).all()
    filled = mask.data.copy()
    click(widget, (2, 16, 16))
    settle(widget)
    assert np.array_equal(mask.data[2], filled[2])


def test_tools_leave_a_locked_class_alone(painted, settle):
    widget, mask, _native = painted
    action = widget.tools.locks.classes.menu().actions()[2]
    assert action.text() == "cyst"
    action.toggle()
    before = mask.data.copy()
    widget.tools.every.setChecked(True)
    widget.tools.margin.setValue(2)
    widget.tools.use("grow")
    settle(widget)
    assert not np.array_equal(mask.data, before)
    assert np.array_equal(mask.data == 2, before == 2)


def test_removing_the_outline_unlocks_and_closing_the_mask_removes_it(
    painted, settle, viewer, qtbot
):
    widget, mask, native = painted
    lock_rectangle(widget, settle, viewer, mask, ((0, 40), (20, 28)))
    viewer.layers.remove(viewer.layers["mask locked"])
    mask.mode, mask.selected_label, mask.brush_size = "paint", 2, 1
    drag(viewer, qtbot, native, mask, (2, 12, 22), (2, 12, 26))
    assert (mask.data[2, 12, 22:26] == 2).all()
    widget.tools.locks.lock.click()
    settle(widget)
    assert "mask locked" in viewer.layers
    viewer.layers.remove(mask)
    assert "mask locked" not in viewer.layers


def test_locks_stay_with_their_mask(painted, settle, viewer):
    widget, mask, _native = painted
    lock_rectangle(widget, settle, viewer, mask, ((0, 40), (20, 28)))
    widget.bench.lock.lock_label(2, on=True)
    other = viewer.add_labels(np.zeros(mask.data.shape, np.uint8), name="other", scale=mask.scale)
    widget.masks.choose(other)
    assert widget.bench.locked == frozenset()
    assert widget.bench.lock.kept((slice(None),) * 3) is None
    widget.masks.choose(mask)
    assert widget.bench.locked == {2}
    assert widget.bench.lock.kept((slice(None),) * 3).any()
    assert widget.tools.locks.classes.text().strip() == "1 locked"


def test_what_was_done_before_the_lock_can_be_undone(painted, settle, viewer):
    widget, mask, _native = painted
    before = mask.data.copy()
    mask.data_setitem((np.array([2]), np.array([12]), np.array([22])), 2)
    lock_rectangle(widget, settle, viewer, mask, ((0, 40), (20, 28)))
    mask.undo()
    assert np.array_equal(mask.data, before)
