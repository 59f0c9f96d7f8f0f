"""Maps over the image: each cell on the very pixels that it was computed from."""

import numpy as np
import pytest

from napari_lgmsnet.adapters.inspect_layers import FEATURES
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE
from tests.widgets.inspect.helpers import choose, maps_of, value_at
from tests.widgets.test_segment import PLACES


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("place", PLACES)
def test_every_cell_covers_the_very_pixels(
    open_inspect, settle, viewer, volume, checkpoint_2d, place
):
    image = viewer.add_image(volume, name="scan", **PLACES[place])
    widget = open_inspect(checkpoint_2d)
    widget.run()
    settle(widget)
    for stage in ("encoder5", "encoder2"):
        choose(widget.choice.stage, stage)
        settle(widget)
        [layer] = maps_of(viewer, FEATURES)
        on_grid = widget.features.seen.map.on_grid().data
        for index in [(0, 0, 0), (5, 39, 35), (3, 16, 15), (2, 15, 16), (1, 33, 2)]:
            shown = value_at(layer, image.data_to_world(index))
            np.testing.assert_array_equal(shown, on_grid[index])
    assert layer.units == image.units
    assert layer.interpolation2d == "nearest"


@pytest.mark.parametrize("scope", [SLICE, RECTANGLE])
def test_a_part_of_a_series_lies_where_it_was_taken(
    open_inspect, settle, viewer, volume, checkpoint_2d, scope
):
    series = np.stack([volume, volume + 50, volume - 50])
    image = viewer.add_image(series, name="scan", scale=(1, 3, 0.5, 0.5), axis_labels="tzyx")
    viewer.dims.point = image.data_to_world((2, 4, 0, 0))
    widget = open_inspect(checkpoint_2d)
    choose(widget.source.region.combo, scope)
    box = np.array([[2, 4, 10, 8], [2, 4, 10, 27], [2, 4, 29, 27], [2, 4, 29, 8]])
    if scope == RECTANGLE:
        viewer.add_shapes([box], shape_type="polygon", scale=image.scale)
    widget.images.choose(image)
    widget.run()
    settle(widget)
    [layer] = maps_of(viewer, FEATURES)
    assert layer.ndim == 4
    seen = widget.looked.inspection.volume
    start = (10, 8) if scope == RECTANGLE else (0, 0)
    first = np.array([2, 4, *start])
    np.testing.assert_array_equal(seen.data.ravel()[0], series[tuple(first)])
    on_grid = widget.features.seen.map.on_grid().data
    for offset in [(0, 0), (7, 11), (18, 3)]:
        shown = value_at(layer, image.data_to_world((*first[:2], *(first[2:] + offset))))
        np.testing.assert_array_equal(shown, on_grid[(0, *offset)])


def test_stage_and_reduction_answer_without_the_network(looked, settle, viewer, monkeypatch):
    widget = looked
    monkeypatch.setattr(
        type(widget.looked.inspection), "run", lambda *_: pytest.fail("the network ran again")
    )
    [layer] = maps_of(viewer, FEATURES)
    before = layer.data.copy()
    for reduce in ("maximum", "norm", "channel"):
        choose(widget.choice.reduce, reduce)
        settle(widget)
        assert maps_of(viewer, FEATURES) == [layer]
        assert not np.array_equal(layer.data, before)
        assert layer.contrast_limits == pytest.approx([layer.data.min(), layer.data.max()])
    widget.choice.channel.setValue(3)
    settle(widget)
    expected = widget.looked.inspection.features("encoder5")[3]
    np.testing.assert_array_equal(layer.data, expected)
    assert "channel 3" in widget.bar.line.text()


def test_components_are_colours_in_the_same_place(looked, settle, viewer):
    widget = looked
    [numbers] = maps_of(viewer, FEATURES)
    numbers.opacity = 0.3
    place = viewer.layers.index(numbers)
    for reduce, colours in (("components", True), ("mean", False)):
        choose(widget.choice.reduce, reduce)
        settle(widget)
        [layer] = maps_of(viewer, FEATURES)
        assert layer.rgb == colours
        assert layer.name == "scan features"
        assert layer.opacity == 0.3
        assert viewer.layers.index(layer) == place
        np.testing.assert_allclose(affine_of(layer), affine_of(numbers))


def test_running_again_updates_the_layer_and_follows_a_moved_image(looked, settle, viewer):
    widget = looked
    viewer.layers["scan"].translate = (100, 200)
    widget.run()
    settle(widget)
    [layer] = maps_of(viewer, FEATURES)
    image = viewer.layers["scan"]
    on_grid = widget.features.seen.map.on_grid().data
    for index in [(0, 0), (49, 69), (20, 33)]:
        np.testing.assert_array_equal(value_at(layer, image.data_to_world(index)), on_grid[index])


def test_maps_are_no_images_to_inspect_or_segment(looked):
    assert [looked.images.itemText(i) for i in range(looked.images.count())] == ["scan"]
