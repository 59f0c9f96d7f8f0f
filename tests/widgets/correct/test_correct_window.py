"""Which mask, image and class are worked on; keys; closing."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_lgmsnet.widgets.correct_tools import EACH_SLICE
from tests.widgets.correct.helpers import canvas_of, choose, messages


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
