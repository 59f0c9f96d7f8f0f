"""Bundled volumes: a 3D checkpoint on the hippocampus, and a stack slice by slice."""

import numpy as np
import pytest

from napari_lgmsnet.adapters.inspect_layers import ATTENTION, FEATURES
from napari_lgmsnet.core.inspect.maps import stage_map
from napari_lgmsnet.core.inspect.scores import classes_in, count, score
from napari_lgmsnet.widgets.region import RECTANGLE
from tests.widgets.inspect.helpers import choose, maps_of, value_at

START = (0, 6, 3)
"""The corner of the rectangle that is drawn."""


def part_of(volume):
    """Return where in its layer a part lies that begins at that corner."""
    sizes = zip(START, volume.spatial_shape, strict=True)
    return tuple(slice(start, start + size) for start, size in sizes)


def draw(viewer, image, first, last):
    """Draw a rectangle from one corner to the other, in the slice on screen."""
    step = viewer.dims.current_step[0]
    corners = [(step, y, x) for y, x in (first, (first[0], last[1]), last, (last[0], first[1]))]
    world = [image.data_to_world(corner) for corner in corners]
    viewer.add_shapes([np.array(world)], shape_type="polygon", units=image.units)


@pytest.fixture
def hippocampus(open_inspect, settle, viewer):
    """Return a widget that ran the bundled checkpoint on a part of the bundled volume."""
    viewer.open_sample("napari-lgmsnet", "colin27-hippocampus")
    image = viewer.layers["colin27-hippocampus"]
    widget = open_inspect("hippocampus-3d")
    widget.images.choose(image)
    choose(widget.source.region.combo, RECTANGLE)
    draw(viewer, image, START[1:], (42, 34))
    widget.run()
    settle(widget)
    assert widget.looked is not None, widget.bar.line.text()
    return widget


def test_maps_of_a_volume_lie_on_their_voxels(hippocampus, settle, viewer):
    widget = hippocampus
    image = viewer.layers["colin27-hippocampus"]
    seen = widget.looked.inspection.volume
    assert seen.spatial_shape[0] == image.data.shape[0]
    np.testing.assert_array_equal(seen.data, image.data[part_of(seen)])
    for stage in ("encoder5", "decoder4"):
        choose(widget.choice.stage, stage)
        settle(widget)
        [layer] = maps_of(viewer, FEATURES)
        assert layer.ndim == 3
        on_grid = widget.features.seen.map.on_grid().data
        inner = [n - 1 for n in on_grid.shape]
        for index in [(0, 0, 0), (15, 16, 17), (7, 8, 3), (inner[0], 20, 9), tuple(inner)]:
            at = np.add(index, START)
            shown = value_at(layer, image.data_to_world(at))
            np.testing.assert_array_equal(shown, on_grid[index])


def test_numbers_of_a_volume_have_a_row_for_each_class(hippocampus, settle, viewer):
    widget = hippocampus
    assert widget.choice.masks.currentText() == "colin27-hippocampus reference"
    inspection = widget.looked.inspection
    labels = viewer.layers["colin27-hippocampus reference"].data
    found = stage_map(inspection, "encoder5")
    expected = {
        name: score(found.data, count(found.cells, inside))
        for name, inside in classes_in(
            inspection, np.asarray(labels[part_of(inspection.volume)])
        ).items()
    }
    assert {row.class_name for row in widget.features.rows} == set(expected)
    for row in widget.features.rows:
        np.testing.assert_equal(row.energy, expected[row.class_name].energy)
        np.testing.assert_equal(row.auc, expected[row.class_name].auc)


def test_attention_of_a_point_in_a_volume(hippocampus, settle, viewer):
    widget = hippocampus
    image = viewer.layers["colin27-hippocampus"]
    widget.attention.place.click()
    settle(widget)
    points = widget.attention.points
    for target in ((20, 20, 20), (4, 10, 30)):
        points.data = np.array([image.world_to_data(image.data_to_world(target))])
        settle(widget)
        answer = widget.attention.answer
        assert answer.weights.ndim == 3
        assert answer.weights.sum() == pytest.approx(1, abs=1e-4)
        inside = np.subtract(target, START)
        assert all(
            part.start <= at < part.stop for part, at in zip(answer.cell, inside, strict=True)
        )
        [layer] = maps_of(viewer, ATTENTION)
        on_grid = answer.map.on_grid().data
        for index in [(0, 0, 0), tuple(inside), (30, 20, 11)]:
            shown = value_at(layer, image.data_to_world(np.add(index, START)))
            np.testing.assert_array_equal(shown, on_grid[index])


def test_a_stack_is_looked_at_slice_by_slice(open_inspect, settle, viewer):
    viewer.open_sample("napari-lgmsnet", "colin27-slices")
    image = viewer.layers["colin27-slices"]
    viewer.add_image(
        image.data[12:15], name="part", scale=image.scale, translate=image.translate,
        affine=image.affine, units=image.units, axis_labels=image.axis_labels,
    )  # fmt: skip
    part = viewer.layers["part"]
    widget = open_inspect("brain-t1-2d")
    widget.images.choose(part)
    widget.run()
    settle(widget)
    [layer] = maps_of(viewer, FEATURES)
    cells = widget.features.seen.map.cells
    # Slices are never merged.
    assert (cells.shape[0], cells.step[0]) == (3, 1.0)
    on_grid = widget.features.seen.map.on_grid().data
    for index in [(0, 0, 0), (1, 100, 80), (2, 216, 180), (2, 3, 170)]:
        shown = value_at(layer, part.data_to_world(index))
        np.testing.assert_array_equal(shown, on_grid[index])
    widget.attention.place.click()
    settle(widget)
    answer = widget.attention.answer
    point = widget.attention.points
    index = part.world_to_data(point.data_to_world(point.data[0]))
    assert answer.cell[0].start == round(index[0])
    assert maps_of(viewer, ATTENTION)[0].data.shape[0] == 1
