"""A large change is written piece by piece: one undo step, and nothing comes in between."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_lgmsnet.adapters import gradual
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.core.edit import Change

SHAPE = (12, 30, 40)


@pytest.fixture
def bench(make_napari_viewer_proxy, monkeypatch):
    """Return a bench with a mask that was painted once; changes above 40 voxels are large."""
    monkeypatch.setattr(gradual, "AT_ONCE", 40)
    monkeypatch.setattr(gradual, "BUDGET", 0)  # one piece a turn
    viewer = make_napari_viewer_proxy()
    mask = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="mask")
    bench = Bench(viewer)
    bench.work_on(mask, None)
    mask.data_setitem((np.array([5, 5]), np.array([10, 11]), np.array([10, 11])), 3)
    yield bench
    bench.leave()


def a_change(mask, new=1):
    """Return a change of a block in the middle."""
    block = np.zeros(SHAPE, bool)
    block[3:9, 8:20, 8:20] = True
    where = np.nonzero(block & (mask.data != new))
    return Change(where, mask.data[where], np.full(where[0].size, new, np.uint8))


def begin(bench, pieces=30):
    """Begin with a large change, and stop while it is half written."""
    mask, told = bench.mask, []
    change = a_change(mask)
    after = mask.data.copy()
    change.apply(after)
    bench.write(bench.target(), change, "tool", told.append)
    for _ in range(pieces):
        bench.session.writer._on_turn()
    half = np.count_nonzero(mask.data[change.indices] == 1)
    assert 0 < half < change.voxels, "it is on its way"
    assert told == []
    return after, told


def test_it_is_one_undo_step_and_the_window_has_its_turns(bench, qtbot):
    mask, told, means = bench.mask, [], []
    before = mask.data.copy()
    change = a_change(mask)
    mask.events.paint.connect(lambda _event: means.append(bench.session.means))
    bench.write(bench.target(), change, "tool", told.append)
    assert np.array_equal(mask.data, before), "nothing is done before the window had its turn"
    qtbot.waitUntil(lambda: told == [True])
    assert means == ["tool"]
    assert change.fits(before)
    assert (mask.data[change.indices] == 1).all()
    mask.undo()
    assert np.array_equal(mask.data, before)
    mask.undo()
    assert not mask.data.any()
    mask.redo()
    mask.redo()
    assert (mask.data[change.indices] == 1).all()
    assert not bench.session.writer.busy


def canvas_of(bench):
    window = bench.viewer.__wrapped__.window
    window.show()
    return window._qt_viewer.canvas.native


def test_undo_by_key_comes_after_the_rest(bench):
    mask, native = bench.mask, canvas_of(bench)
    bench.viewer.layers.selection.active = mask
    before = mask.data.copy()
    _after, told = begin(bench)
    QTest.keyClick(native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert told == [True]
    assert np.array_equal(mask.data, before), "all of it, and nothing else, was undone"
    mask.undo()
    assert not mask.data.any()


def test_a_stroke_comes_after_the_rest(bench):
    mask, native = bench.mask, canvas_of(bench)
    bench.viewer.layers.selection.active = mask
    mask.mode, mask.selected_label, mask.brush_size = "paint", 2, 5
    after, told = begin(bench)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=native.rect().center())
    assert told == [True]
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=native.rect().center() + QPoint(1, 1))
    assert (mask.data == 2).any()
    mask.undo()
    assert np.array_equal(mask.data, after), "stroke and tool are two steps"


def test_a_mask_that_is_removed_gets_the_rest(bench):
    mask = bench.mask
    after, told = begin(bench)
    bench.viewer.layers.remove(mask)
    assert told == [True]
    assert np.array_equal(mask.data, after)


def test_another_change_waits_for_its_turn(bench, qtbot):
    mask = bench.mask
    after, told = begin(bench)
    assert np.array_equal(bench.target().labels, after), "a tool that begins sees all of it"
    assert told == [True]
    target, second, third = bench.target(), a_change(mask, new=2), a_change(mask, new=4)
    bench.write(target, second, "tool", told.append)
    bench.write(target, third, "tool", told.append)
    qtbot.waitUntil(lambda: not bench.session.writer.busy)
    # The third was worked out before the second was there.
    assert told == [True, True, False]
    assert set(np.unique(mask.data)) == {0, 2}
    mask.undo()
    assert np.array_equal(mask.data, after)


@pytest.mark.parametrize("turns", [0, 3])
def test_what_was_painted_before_it_began_stays(bench, qtbot, turns):
    mask, told = bench.mask, []
    bench.write(bench.target(), a_change(mask), "tool", told.append)
    for _ in range(turns):
        bench.session.writer._on_turn()
    mask.data_setitem((np.array([3]), np.array([8]), np.array([8])), 7)
    painted = mask.data.copy()
    qtbot.waitUntil(lambda: told == [False])
    assert np.array_equal(mask.data, painted)


def test_it_waits_for_the_end_of_a_stroke(bench, qtbot):
    mask, native, told = bench.mask, canvas_of(bench), []
    bench.viewer.layers.selection.active = mask
    mask.mode, mask.selected_label, mask.brush_size = "paint", 2, 1
    qtbot.waitUntil(lambda: native.width() > 50)
    qtbot.wait(100)  # the viewer closes a frame of its own at its start, which counts as pressed
    bench.viewer.scene.camera.center = (2, 2)
    middle = native.rect().center()
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=middle)
    bench.write(bench.target(), a_change(mask), "tool", told.append)
    qtbot.wait(100)
    assert told == []
    assert (mask.data == 2).any()
    assert not (mask.data == 1).any()
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.waitUntil(lambda: told == [True])
    assert (mask.data == 1).any()
    painted = np.count_nonzero(mask.data == 2)
    mask.undo()
    assert np.count_nonzero(mask.data == 2) == painted, "stroke and tool are two steps"


def test_closing_the_viewer_in_between_leaves_nothing_behind(bench):
    mask = bench.mask
    after, told = begin(bench)
    bench.viewer.__wrapped__.window._qt_window.close()
    assert told == [True]
    assert np.array_equal(mask.data, after)
