"""Channels, time and units in the Segment widget, in a real viewer with real networks."""

import threading

import numpy as np
import pytest

import napari_lgmsnet
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core import inference as core_inference
from napari_lgmsnet.widgets.image_part import EACH
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE
from tests.widgets.segment_helpers import TILTED, choose, masks_of, shown, state_of

GENERATOR = np.random.default_rng(0)


# --- channels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 3])
def test_one_of_several_channels(open_widget, finish, viewer, checkpoint, axis):
    volume = GENERATOR.normal(size=(5, 40, 36, 3)).astype(np.float32)
    labels = list("zyx")
    labels.insert(axis, "c")
    place = {"scale": np.insert([3.0, 1.0, 2.0], axis, 1.0), "translate": (1, 2, 3, 4)}
    image = viewer.add_image(
        np.moveaxis(volume, -1, axis), axis_labels=labels, name="cells", rgb=False, **place
    )
    viewer.dims.order = [
        *[i for i in range(4) if labels[i] in "zc"],
        *[i for i in range(4) if labels[i] in "yx"],
    ]
    before = state_of(image)
    widget = open_widget(checkpoint(2, size=(32, 32)))
    assert shown(widget) == {"channels"}
    assert widget.image_line.text() == "5 × 40 × 36 voxels, size in mm unknown, 3 channels"
    choose(widget.part.channels[0], 1)
    widget.run()
    finish(widget)
    [mask] = masks_of(viewer)
    expected = napari_lgmsnet.predict(
        napari_lgmsnet.load(widget.checkpoint.reference), volume[..., 1], axes="ZYX"
    ).labels
    np.testing.assert_array_equal(np.squeeze(mask.data), expected)
    assert "channels 2" in mask.metadata[METADATA]["description"]
    assert state_of(image) == before
    # Each voxel of the mask lies over its voxel of the image, for every channel.
    for channel in range(3):
        for index in ((0, 0, 0), (4, 39, 35), (2, 17, 5)):
            world = np.array(image.data_to_world(np.insert(index, axis, channel)))
            own = world[-mask.ndim :]
            found = np.rint(mask.world_to_data(own)).astype(int)
            wanted = index if axis == 0 else np.insert(index, axis, 0)
            np.testing.assert_array_equal(found, wanted)


def test_as_many_channels_as_the_network_expects(open_widget, finish, viewer, checkpoint):
    cells = GENERATOR.integers(0, 255, (4, 40, 36)).astype(np.uint8)
    viewer.add_image(cells, name="cells", axis_labels=("channel", "y", "x"))
    widget = open_widget(checkpoint(2, 3, colour="rgb", size=(32, 32)))
    assert [combo.currentData() for combo in widget.part.channels] == [0, 1, 2]
    for combo, channel in zip(widget.part.channels, (3, 0, 1), strict=True):
        choose(combo, channel)
    widget.run()
    finish(widget)
    [mask] = masks_of(viewer)
    expected = napari_lgmsnet.predict(
        napari_lgmsnet.load(widget.checkpoint.reference), np.moveaxis(cells[[3, 0, 1]], 0, -1)
    ).labels
    np.testing.assert_array_equal(mask.data, expected)
    assert mask.data.shape == (40, 36)


def test_person_says_which_axis_holds_channels(open_widget, finish, viewer, checkpoint):
    viewer.add_image(GENERATOR.normal(size=(5, 40, 36)), name="echoes")
    widget = open_widget(checkpoint(2, size=(32, 32)))
    assert shown(widget) == {"axis"}
    assert [widget.part.axis.itemText(i) for i in range(2)] == ["none", "axis 1, 5 long"]
    choose(widget.part.axis, 0)
    assert shown(widget) == {"axis", "channels"}
    assert widget.options.region.combo.itemText(0) == "Whole image"
    choose(widget.part.channels[0], 4)
    widget.run()
    finish(widget)
    assert masks_of(viewer)[0].data.shape == (40, 36)
    # It was said of this layer, not of others.
    viewer.add_image(np.zeros((6, 40, 36)), name="other")
    assert shown(widget) == {"axis"}
    viewer.add_image(np.zeros((6, 40, 36)), name="scan", axis_labels=("z", "y", "x"))
    assert shown(widget) == set()


# --- time --------------------------------------------------------------------------------------


def test_each_frame_or_the_one_on_screen(open_widget, finish, viewer, checkpoint):
    film = GENERATOR.normal(size=(4, 40, 36)).astype(np.float32)
    viewer.add_image(film, name="film", axis_labels=("t", "y", "x"), units=("s", "mm", "mm"))
    widget = open_widget(checkpoint(2, size=(32, 32)))
    assert shown(widget) == {"time"}
    assert widget.image_line.text() == "40 × 36 pixels, 1 × 1 mm, 4 frames"
    viewer.dims.set_point(0, 2)
    model = napari_lgmsnet.load(widget.checkpoint.reference)
    expected = np.stack([napari_lgmsnet.predict(model, frame).labels for frame in film])
    widget.run()
    finish(widget)
    [mask] = masks_of(viewer)
    np.testing.assert_array_equal(mask.data[2], expected[2])
    assert not mask.data[[0, 1, 3]].any()
    choose(widget.part.time, EACH)
    widget.run()
    finish(widget)
    assert masks_of(viewer) == [mask]
    np.testing.assert_array_equal(mask.data, expected)
    # The threshold moves all frames.
    widget.threshold.setValue(0.0)
    finish(widget)
    assert mask.data.all()


def test_series_stopped_between_frames_changes_nothing(
    open_widget, finish, viewer, checkpoint, qtbot, monkeypatch
):
    at_second, go_on = threading.Event(), threading.Event()
    original = core_inference.prepare
    calls = []

    def slow(*arguments, **more):
        calls.append(1)
        if len(calls) == 2:
            at_second.set()
            go_on.wait(30)
        return original(*arguments, **more)

    monkeypatch.setattr(core_inference, "prepare", slow)
    film = GENERATOR.normal(size=(5, 40, 36)).astype(np.float32)
    viewer.add_image(film, name="film", axis_labels=("t", "y", "x"))
    widget = open_widget(checkpoint(2, size=(32, 32)))
    choose(widget.part.time, EACH)
    widget.run()
    qtbot.waitUntil(at_second.is_set, timeout=60_000)
    widget.bar.cancel.click()
    go_on.set()
    finish(widget)
    assert len(calls) < 5
    assert "nothing was changed" in widget.bar.line.text()
    assert [layer.name for layer in viewer.layers] == ["film"]


# --- units, and layers that are the person's own -------------------------------------------------


def test_slice_on_screen_where_the_viewer_counts_in_other_units(
    open_widget, finish, viewer, checkpoint
):
    scan = GENERATOR.normal(size=(6, 40, 36)).astype(np.float32)
    viewer.add_image(scan, name="scan", scale=(2, 1, 1), units=("mm",) * 3)
    viewer.add_image(np.zeros((4, 4, 4)), name="cells", units=("um",) * 3)
    widget = open_widget(checkpoint(2, size=(32, 32)))
    widget.images.choose(viewer.layers["scan"])
    choose(widget.options.region.combo, SLICE)
    widget.threshold.setValue(0.0)
    viewer.dims.set_point(0, 8000)  # micrometres: the smallest unit of its layers
    widget.run()
    finish(widget)
    mask = masks_of(viewer)[0].data
    assert mask[4].all()
    assert mask.sum() == 40 * 36


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_lengths_and_pixels_together_are_explained_and_left_alone(
    open_widget, finish, viewer, checkpoint
):
    scan = viewer.add_image(
        GENERATOR.normal(size=(6, 40, 36)), name="scan", units=("mm",) * 3, affine=TILTED
    )
    widget = open_widget(checkpoint(2, size=(32, 32)))
    assert "plain numbers" not in widget.image_line.text()
    photo = viewer.add_image(GENERATOR.normal(size=(40, 36)), name="photo")
    drawn = viewer.add_shapes([np.array([[5, 4], [5, 20], [15, 20], [15, 4]])], name="mine")
    assert "in mm and some in pixels" in widget.image_line.text()
    before = [state_of(layer) for layer in (scan, photo, drawn)]
    for layer in (scan, photo):
        widget.images.choose(layer)
        choose(widget.options.region.combo, RECTANGLE)
        widget.run()
        finish(widget)
        mask = viewer.layers[f"{layer.name} mask"]
        assert mask.units == layer.units
        np.testing.assert_array_equal(affine_of(mask), affine_of(layer))
    assert [state_of(layer) for layer in (scan, photo, drawn)] == before
    viewer.layers.remove(photo)
    for name in ("photo mask", "photo probability", "mine"):
        viewer.layers.remove(name)
    widget.images.choose(scan)
    assert "plain numbers" not in widget.image_line.text()
