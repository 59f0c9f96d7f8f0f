"""Tools that clean up: they do what the library does, each is one step."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.widgets.correct_tools import EACH_SLICE, OBJECT
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE, WHOLE
from tests.widgets.correct.helpers import choose, click, messages

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
