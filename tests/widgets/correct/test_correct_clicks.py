"""Clicks on the canvas: what they change, the way back, and what is asked."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from tests.widgets.correct.helpers import LESION, canvas_of, click, messages


def test_a_click_outside_adds_and_one_inside_takes_away(halved, settle, disc):
    widget, mask = halved
    _, inside = disc
    before = mask.data.copy()
    click(widget, (45, 62))
    settle(widget)
    now = mask.data == 1
    assert now[45, 62]
    assert np.sum(now & inside) / inside.sum() > 0.85
    assert np.sum(now & ~inside) / inside.sum() < 0.1
    click(widget, (45, 35))
    settle(widget)
    assert not mask.data[45, 35]
    assert widget.clicks.tool.clicks == 2
    mask.undo()
    mask.undo()
    assert np.array_equal(mask.data, before)
    assert widget.clicks.tool.clicks == 0


def test_shift_click_holds_what_is_right(halved, settle):
    widget, mask = halved
    click(widget, (45, 40), keep=True)
    settle(widget)
    before = mask.data.copy()
    click(widget, (45, 33))
    settle(widget)
    assert before[45, 40]
    assert mask.data[45, 40] == 1


def test_clicks_made_in_a_hurry_all_count(halved, settle):
    """Each starts from what the one before left: two on one voxel put it back."""
    widget, mask = halved
    before = mask.data.copy()
    for index in ((45, 62), (45, 62), (10, 100)):
        click(widget, index)
    settle(widget)
    assert widget.clicks.tool.clicks == 3
    assert not mask.data[45, 62]
    assert mask.data[10, 100] == 1
    for _ in range(3):
        mask.undo()
    assert np.array_equal(mask.data, before)
    assert widget.clicks.tool.clicks == 0


def test_a_locked_class_is_left_alone(halved, settle):
    widget, mask = halved
    widget.bench.lock.lock_label(0, on=True)
    before = mask.data.copy()
    click(widget, (45, 62))
    settle(widget)
    assert np.array_equal(mask.data, before)
    assert "Nothing changed" in messages(widget)


def test_clicks_with_the_mouse(halved, settle, viewer, qtbot):
    widget, mask = halved
    native = canvas_of(viewer)
    widget.clicks.switch.click()
    assert viewer.layers.selection.active == mask
    target = widget.bench.target()
    viewer.scene.camera.center = tuple(target.point_of((45, 62)))
    viewer.scene.camera.zoom = 6
    qtbot.waitUntil(lambda: native.width() > 50, timeout=5000)
    middle = QPoint(native.width() // 2, native.height() // 2)
    before = mask.data.copy()
    # A drag moves the view and corrects nothing.
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=middle)
    for step in range(1, 5):
        QTest.mouseMove(native, middle + QPoint(10 * step, 0))
        qtbot.wait(20)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=middle + QPoint(40, 0))
    settle(widget)
    assert np.array_equal(mask.data, before)
    viewer.scene.camera.center = tuple(target.point_of((45, 62)))
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=middle)
    settle(widget)
    assert mask.data[45, 62] == 1
    widget.clicks.switch.click()
    changed = mask.data.copy()
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=middle)
    settle(widget)
    assert np.array_equal(mask.data, changed)


def test_clicks_on_a_frame_of_a_series(open_correct, settle, viewer, disc):
    picture, inside = disc
    movie = np.stack([picture, picture[::-1]])
    labels = np.zeros(movie.shape, np.uint8)
    viewer.add_image(movie, name="movie", axis_labels=("t", "y", "x"))
    mask = viewer.add_labels(labels, name="mask", axis_labels=("t", "y", "x"), features=LESION)
    widget = open_correct()
    viewer.dims.set_point(0, 1)
    click(widget, (45, 50))
    settle(widget)
    assert not mask.data[0].any()
    overlap = np.sum((mask.data[1] == 1) & inside[::-1]) / np.sum(mask.data[1] == 1)
    assert overlap > 0.8


def test_a_click_that_changes_much_is_asked_about_and_can_reach_less_far(halved, settle):
    widget, mask = halved
    before = mask.data.copy()
    click(widget, (45, 62))
    settle(widget)
    first = np.count_nonzero(mask.data != before)
    assert first > 0.25 * np.count_nonzero(before)
    assert "Is that right?" in messages(widget)
    widget.clicks.less.click()
    settle(widget)
    second = np.count_nonzero(mask.data != before)
    assert 0 < second < first
    assert mask.data[45, 62] == 1, "the click itself still holds"
    assert widget.clicks.tool.clicks == 1
    mask.undo()
    assert np.array_equal(mask.data, before), "it is one step"
    assert not widget.clicks.less.isEnabled()


def test_less_leaves_what_was_done_since_alone(halved, settle):
    widget, mask = halved
    click(widget, (45, 62))
    settle(widget)
    mask.data_setitem((np.array([45]), np.array([62])), 2)
    after = mask.data.copy()
    widget.clicks.less.click()
    settle(widget)
    assert np.array_equal(mask.data, after)
    assert "edited since" in messages(widget)


def test_clicks_use_what_the_network_says(predicted, settle, viewer):
    """A click goes to where the network half agrees; in the same mask drawn by hand it cannot."""
    widget, mask = predicted
    own = mask.data.copy()
    said = np.asarray(viewer.layers["scan probability"].data)
    middle = np.argwhere(own == 0)
    index = tuple(int(i) for i in middle[np.abs(middle - (45, 55)).sum(axis=1).argmin()])
    click(widget, index)
    settle(widget)
    informed = mask.data != own
    drawn = viewer.add_labels(own.copy(), name="drawn", features=mask.features, scale=mask.scale)
    widget.masks.choose(drawn)
    settle(widget)
    click(widget, index)
    settle(widget)
    blind = drawn.data != own
    assert informed[index]
    assert blind[index]
    assert said[informed].mean() > said[blind].mean()


def test_with_the_eraser_chosen_the_class_says_so(halved, settle):
    widget, mask = halved
    mask.selected_label = 0
    assert widget.classes.currentIndex() == -1
    assert "background" in widget.classes.placeholderText()
    click(widget, (45, 62))
    settle(widget)
    assert "Choose a class first" in messages(widget)
