"""The Correct widget in a real viewer: clicks, tools, undo, doubt, measures, keys."""

import csv

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.widgets import correct_measures
from napari_lgmsnet.widgets.correct import CorrectWidget
from napari_lgmsnet.widgets.correct_tools import EACH_SLICE, OBJECT
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE, WHOLE

LESION = {"index": [0, 1, 2], "class": ["background", "lesion", "cyst"]}


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of a bright disc, and which of its pixels are the disc."""
    y, x = np.mgrid[:90, :110]
    inside = (y - 45) ** 2 + (x - 50) ** 2 < 25**2
    noise = np.random.default_rng(2).normal(0, 4, inside.shape)
    return (100 + 80 * inside + noise).astype(np.float32), inside


@pytest.fixture
def open_correct(registered, viewer):
    def open_it() -> CorrectWidget:
        widget = CorrectWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Correct")
        return widget

    return open_it


@pytest.fixture
def settle(qtbot):
    """Wait until nothing is left to do."""
    return lambda widget: qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


@pytest.fixture
def halved(open_correct, settle, viewer, disc):
    """Return a widget, and a mask of which the right half is missing."""
    picture, inside = disc
    place = {"scale": (1.0, 1.2), "translate": (3, -4), "rotate": 20}
    viewer.add_image(picture, name="scan", **place)
    half = inside.astype(np.uint8)
    half[:, 50:] = 0
    mask = viewer.add_labels(half, name="mask", features=LESION, **place)
    widget = open_correct()
    settle(widget)
    return widget, mask


@pytest.fixture
def solid(open_correct, settle, viewer):
    """Return a widget, and a mask of a volume with specks and a hole in each slice."""
    labels = np.zeros((5, 40, 50), np.uint8)
    labels[:, 8:30, 10:34] = 1
    labels[:, 15:18, 15:18] = 0
    labels[:, 35:37, 40:42] = 1
    labels[2:4, 3:6, 40:46] = 2
    viewer.add_image(np.zeros(labels.shape), name="scan", scale=(3, 1, 1))
    mask = viewer.add_labels(labels, name="mask", features=LESION, scale=(3, 1, 1))
    widget = open_correct()
    settle(widget)
    return widget, mask


def choose(combo, value):
    index = combo.findData(value)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)


def click(widget, index, **how):
    target = widget.bench.target()
    widget.clicks.tool.click(target.point_of(index), **how)


def canvas_of(viewer):
    """Return the window that is drawn on, which gets mouse and keys."""
    window = viewer.__wrapped__.window
    window.show()
    return window._qt_viewer.canvas.native


def messages(widget):
    return widget.bar.line.text()


# --- which mask, which image -------------------------------------------------------------------


def test_the_image_under_a_mask_is_found(halved, viewer):
    widget, mask = halved
    assert widget.bench.mask == mask
    assert widget.bench.image == viewer.layers["scan"]
    assert widget.classes.currentText() == "lesion"


def test_without_a_mask_it_says_what_to_do_first(open_correct):
    widget = open_correct()
    assert "run Segment" in messages(widget)
    assert not widget.clicks.switch.isEnabled()
    assert not any(button.isEnabled() for button in widget.tools.buttons.values())


def test_an_image_elsewhere_is_refused(halved, viewer, settle):
    widget, mask = halved
    other = viewer.add_image(np.zeros((90, 110)), name="elsewhere")
    widget.images.choose(other)
    viewer.layers.selection.active = mask
    before = mask.data.copy()
    widget.tools.use("smooth")
    settle(widget)
    assert "in the same place" in messages(widget)
    assert np.array_equal(mask.data, before)


def test_the_class_is_the_label_one_paints_with(halved):
    widget, mask = halved
    choose(widget.classes, 2)
    assert mask.selected_label == 2
    mask.selected_label = 1
    assert widget.classes.currentText() == "lesion"
    mask.selected_label = 7
    assert widget.classes.currentText() == "label 7"


# --- clicks ------------------------------------------------------------------------------------


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
    widget.bench.locked.add(0)
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


# --- tools -------------------------------------------------------------------------------------

TOOLS = {
    "keep_largest": {},
    "fill_holes": {},
    "remove_islands": {"smaller_than": 30.0},
    "smooth": {"width": 2.0},
    "grow": {"distance": 2.0},
    "shrink": {"distance": 2.0},
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("part", [WHOLE, SLICE, EACH_SLICE])
def test_tools_do_what_the_library_does(solid, settle, viewer, tool, part):
    widget, mask = solid
    viewer.dims.set_point(0, 3 * 3)
    choose(widget.tools.part, part)
    widget.tools.size.setValue(30)
    widget.tools.width.setValue(2)
    widget.tools.margin.setValue(2)
    before = mask.data.copy()
    box = (3, slice(0, 40), slice(0, 50))
    scope = {
        WHOLE: edit.Scope(),
        SLICE: edit.Scope(region=box, axis=0),
        EACH_SLICE: edit.Scope(axis=0),
    }[part]
    change = run(getattr(edit, tool)(before, (3.0, 1.0, 1.0), scope, label=1, **TOOLS[tool]))
    widget.tools.use(tool)
    settle(widget)
    expected = before.copy()
    change.apply(expected)
    assert np.array_equal(mask.data, expected)
    if not change.empty:
        mask.undo()
    assert np.array_equal(mask.data, before)


def test_slices_are_copied_and_interpolated(solid, settle, viewer):
    widget, mask = solid
    mask.selected_label = 2
    viewer.dims.set_point(0, 3 * 3)
    widget.tools.use("copy_on")
    settle(widget)
    assert np.array_equal(mask.data[4] == 2, mask.data[3] == 2)
    mask.data_setitem(np.nonzero(mask.data == 2), 0)
    both = np.zeros(mask.data.shape, bool)
    both[[0, 4], 3:6, 40:46] = True
    mask.data_setitem(np.nonzero(both), 2)
    widget.tools.use("interpolate")
    settle(widget)
    assert (mask.data[1:4, 3:6, 40:46] == 2).all()


def test_a_class_is_replaced_and_one_object_at_a_time(solid, settle, viewer):
    widget, mask = solid
    target = widget.bench.target()
    viewer.cursor.position = tuple(target.point_of((2, 36, 41)))
    choose(widget.tools.part, OBJECT)
    choose(widget.tools.other, 2)
    widget.tools.use("replace")
    settle(widget)
    assert (mask.data[:, 35:37, 40:42] == 2).all()
    assert (mask.data[:, 8:12, 10:14] == 1).all()


def test_tools_keep_to_a_drawn_rectangle(solid, settle, viewer):
    widget, mask = solid
    choose(widget.tools.part, RECTANGLE)
    widget.tools.use("fill_holes")
    settle(widget)
    assert "no rectangle is drawn" in messages(widget)
    widget.tools.draw.click()
    shapes = viewer.layers.selection.active
    shapes.add_rectangles(np.array([[2, 0, 0], [2, 0, 20], [2, 20, 20], [2, 20, 0]]))
    viewer.dims.set_point(0, 2 * 3)
    before = mask.data.copy()
    viewer.layers.selection.active = mask
    widget.tools.use("fill_holes")
    settle(widget)
    changed = np.argwhere(mask.data != before)
    assert len(changed) == 9
    assert set(changed[:, 0]) == {2}


def test_an_edit_made_meanwhile_is_not_lost(solid):
    widget, mask = solid
    target = widget.bench.target()
    change = run(edit.keep_largest(mask.data.copy(), target.spacing, label=1))
    mask.data_setitem((np.array([1]), np.array([36]), np.array([41])), 2)
    before = mask.data.copy()
    told: list[bool] = []
    widget.bench.write(target, change, "tool", told.append)
    assert told == [False]
    assert "was changed while" in messages(widget)
    assert np.array_equal(mask.data, before)


def test_undo_of_a_long_mixed_history(solid, settle, viewer):
    """Brush, fill, tools, clicks: each is one step, back to the start and forth again."""
    widget, mask = solid
    random = np.random.default_rng(0)
    states = [mask.data.copy()]

    def kept():
        if not np.array_equal(states[-1], mask.data):
            states.append(mask.data.copy())

    tools = list(TOOLS)
    for turn in range(30):
        z, y, x = (int(random.integers(0, n)) for n in mask.data.shape)
        what = turn % 5
        if what == 0:
            mask.selected_label = 1 + turn % 2
            mask.brush_size = 5
            viewer.dims.set_point(0, 3 * z)
            with mask.block_history():
                for step in range(4):
                    mask.paint((z, y, min(x + step, 49)), mask.selected_label)
        elif what == 1:
            viewer.dims.set_point(0, 3 * z)
            mask.fill((z, y, x), 1 + turn % 2)
        elif what in (2, 3):
            widget.tools.use(tools[turn % len(tools)])
            settle(widget)
        else:
            mask.selected_label = 1
            viewer.dims.set_point(0, 3 * z)
            click(widget, (z, y, x))
            settle(widget)
        kept()
    assert len(states) > 15
    for state in reversed(states[:-1]):
        mask.undo()
        assert np.array_equal(mask.data, state)
    for state in states[1:]:
        mask.redo()
        assert np.array_equal(mask.data, state)


# --- doubt -------------------------------------------------------------------------------------


@pytest.fixture
def predicted(open_widget, finish, open_correct, settle, viewer, disc, checkpoint_2d):
    """Return a widget with a mask that a network made."""
    picture, _ = disc
    viewer.add_image(picture, name="scan", scale=(0.5, 0.5))
    segment = open_widget(checkpoint_2d)
    segment.run()
    finish(segment)
    widget = open_correct()
    settle(widget)
    return widget, viewer.layers["scan mask"]


@pytest.mark.parametrize("way", ["probabilities", "views"])
def test_the_tour_of_doubt_ends_when_all_is_seen_to(predicted, settle, viewer, way):
    widget, mask = predicted
    choose(widget.doubt.way, way)
    widget.doubt.show.click()
    settle(widget)
    tour = widget.doubt.tour
    layer = viewer.layers["scan doubt"]
    assert layer.data.shape == mask.data.shape
    assert np.allclose(layer.data_to_world((3, 5)), mask.data_to_world((3, 5)))
    assert tour.regions
    assert "Region 1 of" in widget.doubt.line.text()
    outlined = viewer.layers["scan mask look here"].data
    assert outlined[tour.regions[0].centre] == 1
    vouched = np.zeros(mask.data.shape, bool)

    def vouch(layer, where):
        assert layer == mask
        vouched[where] = True

    widget.bench.session.vouched.connect(vouch)
    scores = [region.score for region in tour.regions]
    assert scores == sorted(scores, reverse=True)
    for _ in range(len(tour.regions)):
        widget.doubt.done.click()
    assert "Nothing doubtful is left" in widget.doubt.line.text()
    assert np.array_equal(vouched, tour.done)
    assert not layer.data[tour.done].any()
    widget.doubt.show.click()
    settle(widget)
    assert not widget.doubt.tour.regions


def test_doubt_needs_a_prediction(halved, settle):
    widget, _ = halved
    widget.doubt.show.click()
    settle(widget)
    assert "run Segment" in messages(widget)


def test_clicks_use_what_the_network_says(predicted, settle):
    widget, mask = predicted
    index = tuple(np.argwhere(mask.data == mask.data[45, 50])[0])
    before = mask.data[index]
    click(widget, index)
    settle(widget)
    assert mask.data[index] != before


# --- measures ----------------------------------------------------------------------------------


def test_a_mask_too_large_to_follow_says_why_and_is_measured_on_request(
    halved, settle, qtbot, monkeypatch
):
    widget, mask = halved
    qtbot.waitUntil(lambda: widget.measures.table.rowCount() > 0)
    monkeypatch.setattr(correct_measures, "LIVE", 100)
    mask.data_setitem((np.array([1]), np.array([1])), 1)
    qtbot.waitUntil(lambda: not widget.measures.line.isHidden())
    assert "older than your last edits" in widget.measures.line.text()
    assert "Choose Measure" in widget.measures.line.text()
    widget.measures.refresh.click()
    settle(widget)
    assert widget.measures.line.isHidden()
    index = widget.measures.columns["class"].index("lesion")
    assert widget.measures.columns["pixels"][index] >= 1


def test_measures_follow_the_mask(halved, qtbot, settle, tmp_path, monkeypatch):
    widget, mask = halved

    def area():
        headers = [
            widget.measures.table.horizontalHeaderItem(i).text()
            for i in range(widget.measures.table.columnCount())
        ]
        if "pixels" not in headers or not widget.measures.table.rowCount():
            return -1
        return int(widget.measures.table.item(0, headers.index("pixels")).text())

    qtbot.waitUntil(lambda: area() == np.sum(mask.data == 1), timeout=20_000)
    mask.data_setitem((np.array([0, 0]), np.array([0, 1])), 1)
    qtbot.waitUntil(lambda: area() == np.sum(mask.data == 1), timeout=20_000)
    assert list(mask.features["class"]) == ["lesion", "cyst"]
    assert "area (px²)" in mask.features.columns
    file = tmp_path / "measures.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(file), ""))
    widget.measures.save.click()
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert int(rows[0]["pixels"]) == np.sum(mask.data == 1)


def test_a_reference_shows_where_they_differ(halved, settle, viewer, disc):
    widget, mask = halved
    _, inside = disc
    place = {"scale": (1.0, 1.2), "translate": (3, -4), "rotate": 20}
    reference = viewer.add_labels(inside.astype(np.uint8), name="truth", **place)
    viewer.layers.selection.active = mask
    widget.measures.reference.choose(reference)
    widget.measures.compare.click()
    settle(widget)
    difference = viewer.layers["mask difference"].data
    assert np.array_equal(difference == 1, inside & (mask.data == 0))
    half = np.sum(mask.data == 1)
    dice = 2 * half / (half + inside.sum())
    assert widget.measures.columns["Dice"][0] == pytest.approx(dice)
    assert isinstance(viewer.layers["mask difference"], Labels)
    assert widget.bench.mask == mask


# --- keys --------------------------------------------------------------------------------------


def test_keys_work_while_the_mask_is_selected(solid, settle, viewer, qtbot):
    widget, mask = solid
    native = canvas_of(viewer)
    viewer.layers.selection.active = mask
    choose(widget.tools.part, EACH_SLICE)
    before = mask.data.copy()
    QTest.keyClick(native, Qt.Key.Key_H)
    settle(widget)
    assert (mask.data[:, 15:18, 15:18] == 1).all()
    assert not np.array_equal(mask.data, before)
    QTest.keyClick(native, Qt.Key.Key_C)
    assert widget.clicks.switch.isChecked()
    assert "Fill holes" in widget.keys.text()


def test_closing_leaves_nothing_behind(solid, viewer, qtbot):
    widget, mask = solid
    session = widget.bench.session
    widget.clicks.switch.click()
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.waitUntil(lambda: not session.do("fill_holes"), timeout=5000)
    assert mask.mouse_drag_callbacks == [] or all(
        "click_tool" not in str(one) for one in mask.mouse_drag_callbacks
    )
