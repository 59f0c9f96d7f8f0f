"""The Inspect widget in a real viewer, with real small networks."""

import csv
import threading

import numpy as np
import pytest
import torch
from napari.layers import Image, Points
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import (
    ATTENTION,
    DIFFERENCE,
    FEATURES,
    GRAD_CAM,
    OCCLUSION,
    OTHER,
)
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.inspect import InspectWidget
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE
from tests.widgets.test_segment import PLACES


@pytest.fixture
def picture() -> np.ndarray:
    picture = np.random.default_rng(1).normal(100, 10, (50, 70)).astype(np.float32)
    picture[16:32, 32:48] += 80
    return picture


@pytest.fixture
def open_inspect(registered, viewer, qtbot):
    def open_it(checkpoint: str = "") -> InspectWidget:
        widget = InspectWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Inspect")
        if checkpoint:
            widget.checkpoint.choose(checkpoint)
        return widget

    return open_it


@pytest.fixture
def settle(qtbot):
    """Wait until nothing is left to do."""

    def idle(widget: InspectWidget) -> bool:
        return not (widget.busy or widget.attention.waiting)

    return lambda widget: qtbot.waitUntil(lambda: idle(widget), timeout=60_000)


@pytest.fixture
def looked(open_inspect, settle, viewer, picture, checkpoint_2d):
    """Return a widget that has run."""
    viewer.add_image(picture, name="scan", scale=(0.5, 2.0), translate=(3, -4), rotate=20)
    widget = open_inspect(checkpoint_2d)
    widget.run()
    settle(widget)
    return widget


def choose(combo, value):
    index = combo.findData(value)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)


def maps_of(viewer, role):
    return [
        one for one in viewer.layers if one.metadata.get("napari-lgmsnet", {}).get("role") == role
    ]


def value_at(layer, world):
    """Return what a viewer shows at a point of the world."""
    index = np.rint(np.asarray(layer.world_to_data(world))).astype(int)
    return layer.data[tuple(index)]


def add_mask(viewer, picture):
    image = viewer.layers["scan"]
    data = np.zeros(picture.shape, np.uint8)
    data[16:32, 32:48] = 1
    return viewer.add_labels(
        data, name="truth", scale=image.scale, translate=image.translate, rotate=image.rotate
    )


# --- before anything is there ------------------------------------------------------------------


def test_empty_window_says_what_to_do_first(open_inspect, checkpoint_2d, viewer, picture):
    widget = open_inspect(checkpoint_2d)
    assert "Open an image first" in widget.image_line.text()
    disabled = (
        widget.bar.run,
        widget.choice.stage,
        widget.attention.place,
        widget.decisions.gradcam,
        widget.numbers.plot,
        widget.export.map,
        widget.export.numbers,
    )
    for part in disabled:
        assert not part.isEnabled()
        assert "first" in part.toolTip()
    viewer.add_image(picture, name="scan")
    assert widget.bar.run.isEnabled()


def test_opens_from_the_menu_of_plugins(registered, viewer):
    _dock, widget = viewer.window.add_plugin_dock_widget("napari-lgmsnet", "Inspect")
    assert "Open an image first" in widget.image_line.text()


# --- maps over the image -----------------------------------------------------------------------


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
        on_grid = widget.seen.map.on_grid().data
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
    choose(widget.region.combo, scope)
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
    on_grid = widget.seen.map.on_grid().data
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
    on_grid = widget.seen.map.on_grid().data
    for index in [(0, 0), (49, 69), (20, 33)]:
        np.testing.assert_array_equal(value_at(layer, image.data_to_world(index)), on_grid[index])


def test_maps_are_no_images_to_inspect_or_segment(looked):
    assert [looked.images.itemText(i) for i in range(looked.images.count())] == ["scan"]


# --- numbers -----------------------------------------------------------------------------------


def test_numbers_against_a_mask(looked, settle, viewer, picture):
    from napari_lgmsnet.core.inspect.numbers import number_stages

    widget = looked
    assert "Choose a mask" in widget.numbers.line.text()
    mask = add_mask(viewer, picture)
    assert widget.choice.masks.currentText() == "truth"
    settle(widget)
    [row] = number_stages(widget.looked.inspection, mask.data)[0]
    table = widget.numbers.table
    shown = [table.item(0, column).text() for column in range(table.columnCount())]
    even = row.energy / row.foreground
    figures = (row.energy, even, row.auc, row.pointing, row.dice)
    assert shown == ["lesion", *(f"{figure:.2f}" for figure in figures)]
    widget.choice.masks.setCurrentIndex(widget.choice.masks.findText("none"))
    settle(widget)
    assert table.rowCount() == 0


def test_mask_of_another_image_is_refused(looked, settle, viewer):
    viewer.add_labels(np.ones((9, 9), np.uint8), name="elsewhere")
    settle(looked)
    assert '"elsewhere" (9 × 9) does not have the voxels' in looked.bar.line.text()
    assert looked.numbers.table.rowCount() == 0


def test_mask_that_was_moved_is_refused(looked, settle, viewer, picture):
    mask = add_mask(viewer, picture)
    settle(looked)
    mask.translate = mask.translate + 5
    looked.see()
    settle(looked)
    assert "in the same place" in looked.bar.line.text()


def test_plot_of_all_stages_and_their_table(looked, settle, viewer, picture, tmp_path, monkeypatch):
    widget = looked
    add_mask(viewer, picture)
    settle(widget)
    widget.numbers.plot.click()
    settle(widget)
    assert not widget.numbers.picture.pixmap().isNull()
    file = tmp_path / "numbers.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), "Table (*.csv)"))
    widget.export.numbers.click()
    settle(widget)
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["stage"] for row in rows][:2] == ["stem", "encoder1"]
    assert len(rows) == len(widget.looked.inspection.stages)


def test_channels_are_ranked(looked, settle, viewer, picture):
    widget = looked
    choose(widget.choice.reduce, "channel")
    assert not widget.choice.best.isEnabled()
    add_mask(viewer, picture)
    settle(widget)
    widget.choice.best.click()
    settle(widget)
    assert widget.choice.ranked.count() == widget.seen.channels
    assert widget.choice.channel.value() == widget.choice.ranked.itemData(0)


# --- attention ---------------------------------------------------------------------------------


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
    # Still held: the map follows while the point is on its way.
    moved = widget.attention.answer
    assert moved is not first
    assert moved.cell[0].start <= 6 < moved.cell[0].stop
    mouse_release_callbacks(
        points, read_only_mouse_event(type="mouse_release", position=tuple(end), **about)
    )


def test_point_outside_says_so(looked, settle):
    looked.attention.place.click()
    settle(looked)
    looked.attention.points.data = np.array([[-200.0, 3.0]])
    settle(looked)
    assert "lies outside of what the network sees" in looked.attention.line.text()


# --- which pixels decided ----------------------------------------------------------------------


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


def test_no_mask_for_a_decision_says_so(looked):
    choose(looked.decisions.where, "mask")
    looked.decisions.gradcam.click()
    assert "no mask is chosen" in looked.decisions.line.text()


# --- saving ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["map.png", "map.svg", "map.nii.gz", "map.tif"])
def test_map_is_saved(looked, settle, tmp_path, monkeypatch, name):
    file = tmp_path / name
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    looked.export.map.click()
    settle(looked)
    assert f'Wrote "{name}"' in looked.bar.line.text()
    assert file.stat().st_size > 100


# --- stopping and closing ----------------------------------------------------------------------


class Stop:
    """Holds a run at its first step until it may go on."""

    def __init__(self, monkeypatch):
        self.reached, self.go = threading.Event(), threading.Event()
        original = inspect_jobs.look

        def held(*arguments):
            yield Progress(0, 0, "held")
            self.reached.set()
            assert self.go.wait(30)
            return (yield from original(*arguments))

        monkeypatch.setattr(inspect_jobs, "look", held)


def test_cancel_leaves_everything_as_it_was(looked, settle, viewer, monkeypatch, qtbot):
    before, names = looked.looked, [layer.name for layer in viewer.layers]
    stop = Stop(monkeypatch)
    looked.run()
    qtbot.waitUntil(stop.reached.is_set)
    looked.bar.cancel.click()
    stop.go.set()
    settle(looked)
    assert looked.looked is before
    assert [layer.name for layer in viewer.layers] == names
    assert "Stopped" in looked.bar.line.text()
    hooks = [m for m in before.inspection.model.network.modules() if m._forward_hooks]
    assert hooks == []


def test_image_closed_while_the_network_runs(
    open_inspect, settle, viewer, picture, checkpoint_2d, monkeypatch, qtbot
):
    image = viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    stop = Stop(monkeypatch)
    widget.run()
    qtbot.waitUntil(stop.reached.is_set)
    viewer.layers.remove(image)
    stop.go.set()
    settle(widget)
    assert len(viewer.layers) == 0
    assert "closed in the meantime" in widget.bar.line.text()


def test_widget_closed_while_the_network_runs(
    open_inspect, viewer, picture, checkpoint_2d, monkeypatch, qtbot
):
    viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    stop = Stop(monkeypatch)
    widget.run()
    qtbot.waitUntil(stop.reached.is_set)
    background = widget.queue._background
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    stop.go.set()
    qtbot.waitUntil(lambda: not background.running, timeout=60_000)
    assert [type(layer) for layer in viewer.layers] == [Image]
    viewer.add_image(picture, name="another")


def test_closing_the_image_forgets_what_was_seen(looked, settle, viewer):
    viewer.layers.remove(viewer.layers["scan"])
    settle(looked)
    assert looked.looked is None
    assert not looked.choice.stage.isEnabled()
    assert not looked.export.map.isEnabled()
    looked.choice.changed.emit()
    settle(looked)
    assert len(maps_of(viewer, FEATURES)) == 1


# --- another checkpoint ------------------------------------------------------------------------


def test_two_checkpoints_side_by_side(looked, settle, viewer, picture, checkpoint_2d, tmp_path):
    widget = looked
    section = widget.comparison
    mask = viewer.add_labels(
        (picture > 150).astype(np.uint8),
        name="truth",
        scale=(0.5, 2.0),
        translate=(3, -4),
        rotate=20,
    )
    widget.choice.masks.choose(mask)
    settle(widget)
    # The same checkpoint differs in nothing.
    section.checkpoint.choose(checkpoint_2d)
    section.compare.click()
    settle(widget)
    assert np.allclose(section.answer.difference.data, 0, atol=1e-6)
    assert section.answer.correlation == pytest.approx(1)
    other = tmp_path / "other.safetensors"
    model = checkpoints.load(checkpoint_2d)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(1.2)
    checkpoints.save(other, model)
    section.checkpoint.choose(str(other))
    section.compare.click()
    settle(widget)
    [difference] = maps_of(viewer, DIFFERENCE)
    assert difference.visible
    assert np.abs(section.answer.difference.data).max() > 1e-3
    assert section.table.rowCount() == 2
    choose(section.shown, OTHER)
    [second] = maps_of(viewer, OTHER)
    [first] = maps_of(viewer, FEATURES)
    assert second.visible
    assert not first.visible
    assert not difference.visible
    assert np.allclose(affine_of(second), affine_of(first))
    assert np.allclose(first.data + difference.data, second.data, atol=1e-4)
