"""Attention of a point, and which pixels decided."""

import numpy as np
import pytest
from napari.layers import Points

from napari_lgmsnet.adapters.inspect_layers import ATTENTION, FEATURES, GRAD_CAM, OCCLUSION
from tests.widgets.inspect.helpers import add_mask, choose, maps_of


def test_what_was_asked_for_last_is_what_is_seen(looked, settle, viewer):
    widget = looked
    [features] = maps_of(viewer, FEATURES)
    assert features.visible
    widget.attention.place.click()
    settle(widget)
    [attention] = maps_of(viewer, ATTENTION)
    assert attention.visible
    assert not features.visible
    viewer.add_image(np.zeros((4, 4)), name="something else")
    settle(widget)
    assert attention.visible


def test_attention_follows_a_dragged_point(looked, settle, viewer, picture):
    widget = looked
    widget.attention.place.click()
    settle(widget)
    points = widget.attention.points
    assert isinstance(points, Points)
    assert viewer.layers.selection.active == points
    [layer] = maps_of(viewer, ATTENTION)
    image = viewer.layers["scan"]
    np.testing.assert_allclose(
        points.data_to_world(points.data[0]), image.data_to_world((24.5, 34.5))
    )
    cells = set()
    for target in [(20.0, 36.0), (3.0, 3.0), (48.0, 66.0)]:
        points.data = np.array([target])
        settle(widget)
        assert maps_of(viewer, ATTENTION) == [layer]
        answer = widget.attention.answer
        assert all(
            part.start <= at < part.stop for part, at in zip(answer.cell, target, strict=True)
        )
        np.testing.assert_array_equal(layer.data, answer.map.data)
        cells.add(tuple(part.start for part in answer.cell))
    assert len(cells) == 3
    choose(widget.attention.block, "encoder4")
    settle(widget)
    assert widget.attention.answer.map.stage == "encoder4"
    before = layer.data.copy()
    choose(widget.attention.head, 2)
    settle(widget)
    assert not np.array_equal(layer.data, before)
    assert not maps_of(viewer, FEATURES)[0].visible


def test_attention_follows_the_mouse(looked, settle, viewer, qtbot):
    from napari.utils._test_utils import read_only_mouse_event
    from napari.utils.interactions import (
        mouse_move_callbacks,
        mouse_press_callbacks,
        mouse_release_callbacks,
    )

    widget = looked
    widget.attention.place.click()
    settle(widget)
    points = widget.attention.points
    first = widget.attention.answer
    start = np.asarray(points.data_to_world(points.data[0]))
    end = np.asarray(viewer.layers["scan"].data_to_world((6.0, 8.0)))
    about = {"dims_displayed": [0, 1]}
    mouse_press_callbacks(
        points, read_only_mouse_event(type="mouse_press", position=tuple(start), **about)
    )
    for share in (0.3, 0.7, 1.0):
        position = tuple(start + share * (end - start))
        event = read_only_mouse_event(
            type="mouse_move", is_dragging=True, position=position, **about
        )
        mouse_move_callbacks(points, event)
    settle(widget)
    # Still held: the map follows while the point is on its way, into another window here.
    moved = widget.attention.answer
    assert moved is not first
    assert moved.cell[0].start <= 6 < moved.cell[0].stop
    mouse_release_callbacks(
        points, read_only_mouse_event(type="mouse_release", position=tuple(end), **about)
    )


def test_point_and_map_are_drawn_together_where_the_network_need_not_run(looked, settle, viewer):
    widget = looked
    choose(widget.attention.block, "encoder4")
    widget.attention.place.click()
    settle(widget)
    [layer] = maps_of(viewer, ATTENTION)
    first = widget.attention.answer
    widget.attention.points.data = np.array([[34.0, 30.0]])
    # Nothing was waited for.
    moved = widget.attention.answer
    assert moved.cell == (slice(32, 40), slice(24, 32))
    np.testing.assert_array_equal(layer.data, moved.map.data)
    # The layer is written into, the answer that it showed before is not.
    assert not np.array_equal(first.map.data, moved.map.data)
    low, high = layer.contrast_limits
    assert low + (high - low) / 2 <= layer.data.max() <= high
    settle(widget)
    assert layer.contrast_limits == pytest.approx([layer.data.min(), layer.data.max()])


def test_point_outside_says_so(looked, settle):
    looked.attention.place.click()
    settle(looked)
    looked.attention.points.data = np.array([[-200.0, 3.0]])
    settle(looked)
    assert "lies outside of what the network sees" in looked.attention.line.text()


def test_gradcam_and_occlusion_on_a_mask(looked, settle, viewer, picture):
    from napari_lgmsnet.core.inspect.gradcam import grad_cam
    from napari_lgmsnet.core.progress import run

    widget = looked
    mask = add_mask(viewer, picture)
    choose(widget.decisions.where, "mask")
    settle(widget)
    widget.decisions.gradcam.click()
    settle(widget)
    [layer] = maps_of(viewer, GRAD_CAM)
    expected = run(grad_cam(widget.looked.inspection, "encoder5", 1, mask.data != 0))
    np.testing.assert_array_equal(layer.data, expected.data)
    widget.decisions.covers.click()
    settle(widget)
    assert len(maps_of(viewer, OCCLUSION)) == 1
    image = viewer.layers["scan"]
    box = np.array([[16, 32], [16, 47], [31, 47], [31, 32]])
    viewer.add_shapes(
        [box], shape_type="polygon",
        scale=image.scale, translate=image.translate, rotate=image.rotate,
    )  # fmt: skip
    widget.decisions.cover.click()
    settle(widget)
    assert "with the rectangle blurred" in widget.decisions.line.text()
    assert widget.decisions.answer.before != widget.decisions.answer.after
