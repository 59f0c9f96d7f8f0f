"""Pyramids, channels, time and units in the Segment widget, in a real viewer with real networks."""

import threading

import dask.array as da
import numpy as np
import pytest

import napari_lgmsnet
from napari_lgmsnet import Volume
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core import inference as core_inference
from napari_lgmsnet.widgets.image_part import AUTOMATIC, EACH
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)
TILTED = np.array(
    [[2.0, 0.3, 0.0, -7.0], [0.1, 0.4, -1.5, 30.0], [0.0, 0.9, 0.2, 4.0], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture
def checkpoint(tmp_path):
    """Return a function that stores a small network and names its file."""

    def make(dimensions, channels=1, **recipe):
        path = tmp_path / f"{dimensions}-{channels}-{len(recipe)}.safetensors"
        checkpoints.save(path, small_model(dimensions, channels, **recipe))
        return str(path)

    return make


def masks_of(viewer):
    return [one for one in viewer.layers if one.metadata.get(METADATA, {}).get("role") == "mask"]


def choose(combo, value):
    index = combo.findData(value)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)


def shown(widget):
    """Return which rows of choices there are."""
    part = widget.part
    rows = {
        "axis": part.axis,
        "channels": part._channel_row,
        "level": part.level,
        "time": part.time,
    }
    return {name for name, row in rows.items() if not row.isHidden()}


def corners(layer, shape):
    """Return where the outer edges of a layer's first and last voxel lie in the world."""
    edges = np.array([[-0.5, n - 0.5] for n in shape])
    grid = np.stack(np.meshgrid(*edges, indexing="ij"), axis=-1).reshape(-1, len(shape))
    affine = affine_of(layer)
    return grid @ affine[:-1, :-1].T + affine[:-1, -1]


def state_of(layer):
    """Return everything that a layer lets one read of itself, to compare it with later."""
    data, state, kind = layer.as_layer_data_tuple()
    levels = list(data) if state.get("multiscale") or kind == "shapes" else [data]
    state["numbers"] = [np.asarray(one).tobytes() for one in levels]
    state["world"] = affine_of(layer).tobytes()
    return repr({key: _plain(value) for key, value in sorted(state.items())})


def _plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


# --- pyramids ----------------------------------------------------------------------------------


PLACES = {
    "plain": {},
    "scaled": {"scale": (0.5, 0.25), "translate": (3, -4), "units": ("mm",) * 2},
    "turned": {"scale": (2, 1), "rotate": 30, "shear": (0.2,)},
}


@pytest.mark.parametrize("place", PLACES)
def test_level_suits_the_recipe_and_the_mask_covers_the_image(
    open_widget, finish, viewer, checkpoint, place
):
    finest = GENERATOR.normal(size=(303, 260)).astype(np.float32)
    # Sizes that are no halves, rounded up and down, as programs that make pyramids do.
    levels = [finest, finest[::2, ::2], finest[2:-2:4, 2:-2:4], finest[:38, :33]]
    image = viewer.add_image(levels, name="slide", multiscale=True, **PLACES[place])
    before = state_of(image)
    widget = open_widget(checkpoint(2, size=(64, 64), window=(64, 64)))
    assert shown(widget) == {"level"}
    assert widget.part.level.currentText().startswith("level 3 of 4: ")
    assert "(auto)" in widget.part.level.currentText()
    widget.run()
    finish(widget)
    [mask] = masks_of(viewer)
    assert mask.name == "slide mask (level 3)"
    assert mask.data.shape == levels[2].shape
    expected = napari_lgmsnet.predict(napari_lgmsnet.load(widget.checkpoint.reference), levels[2])
    np.testing.assert_array_equal(mask.data, expected.labels)
    np.testing.assert_allclose(
        corners(mask, levels[2].shape), corners(image, finest.shape), atol=1e-9
    )
    assert mask.units == image.units
    assert state_of(image) == before


def test_level_can_be_chosen_and_gets_layers_of_its_own(open_widget, finish, viewer, checkpoint):
    finest = GENERATOR.normal(size=(256, 192)).astype(np.float32)
    levels = [finest, finest[::2, ::2], finest[::4, ::4]]
    viewer.add_image(levels, name="slide", multiscale=True, scale=(0.1, 0.1), units=("mm",) * 2)
    widget = open_widget(checkpoint(2, size=(64, 64), window=(64, 64)))
    names = [widget.part.level.itemText(i) for i in range(widget.part.level.count())]
    assert names == [
        "level 2 of 3: 0.2 mm (auto)",
        "level 1 of 3: 0.1 mm",
        "level 2 of 3: 0.2 mm",
        "level 3 of 3: 0.4 mm",
    ]
    # An image shown at its own size is not shrunk by the recipe.
    widget.options.native.setChecked(True)
    assert widget.part.level.currentText() == "level 1 of 3: 0.1 mm (auto)"
    widget.options.native.setChecked(False)
    widget.run()
    finish(widget)
    choose(widget.part.level, 2)
    widget.run()
    finish(widget)
    assert [mask.data.shape for mask in masks_of(viewer)] == [(128, 96), (64, 48)]
    first = masks_of(viewer)[1]
    widget.run()
    finish(widget)
    assert len(masks_of(viewer)) == 2
    assert first in viewer.layers
    # A new image starts with the level that suits.
    viewer.add_image(levels, name="other", multiscale=True)
    assert widget.part.level.currentData() == AUTOMATIC


def test_rectangle_and_slice_at_a_level(open_widget, finish, viewer, checkpoint):
    finest = GENERATOR.normal(size=(16, 256, 256)).astype(np.float32)
    levels = [finest[:: 2**n, :: 2**n, :: 2**n] for n in range(3)]
    image = viewer.add_image(levels, name="scan", multiscale=True, scale=(2, 1, 1))
    widget = open_widget(checkpoint(2, size=(64, 64), window=(64, 64)))
    assert widget.part.level.currentText().startswith("level 3 of 3: 4 × 64 × 64")
    widget.threshold.setValue(0.0)
    viewer.dims.set_point(0, 2 * 7)  # slice 7 of the finest level is inside of slice 1 of this one
    choose(widget.options.region.combo, SLICE)
    widget.run()
    finish(widget)
    [mask] = masks_of(viewer)
    assert mask.data.shape == (4, 64, 64)
    assert mask.data[1].all()
    assert not mask.data[[0, 2, 3]].any()
    # Slices 4 to 7 of the finest level are what it was made of.
    planes = [round(mask.world_to_data((2.0 * z, 100.0, 100.0))[0]) for z in range(16)]
    assert planes == [z // 4 for z in range(16)]

    choose(widget.options.region.combo, RECTANGLE)
    assert "rectangle" in widget.part.level.currentText()
    widget.options.region.draw.click()
    shapes = viewer.layers["scan region"]
    shapes.add_rectangles(np.array([[7, 32, 64], [7, 32, 200], [7, 180, 200], [7, 180, 64]]))
    widget.run()
    finish(widget)
    # 149 x 137 pixels: the second level still has 64 of them along each axis, the third has not.
    other = masks_of(viewer)[-1]
    assert other.name == "scan mask (level 2)"
    assert other.data.shape == (8, 128, 128)
    expected = np.zeros(other.data.shape, np.uint8)
    expected[3, 16:91, 32:101] = 1
    np.testing.assert_array_equal(other.data, expected)
    np.testing.assert_allclose(
        corners(other, other.data.shape), corners(image, finest.shape), atol=1e-9
    )


def test_spacing_of_a_volume_chooses_the_level(open_widget, finish, viewer, checkpoint):
    finest = GENERATOR.normal(size=(32, 64, 64)).astype(np.float32)
    levels = [finest, finest[:, ::2, ::2], finest[::2, ::4, ::4]]
    viewer.add_image(
        levels, name="scan", multiscale=True, scale=(1, 0.5, 0.5), units=("mm",) * 3,
        axis_labels=("z", "y", "x"),
    )  # fmt: skip
    widget = open_widget(checkpoint(3, orientation="RAS", spacing=(1.5, 1.5, 1.5)))
    assert widget.part.level.currentText() == "level 2 of 3: 1 mm (auto)"
    widget.run()
    finish(widget)
    [mask] = masks_of(viewer)
    assert mask.data.shape == (32, 32, 32)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[1:3, 3] = 0.25
    expected = napari_lgmsnet.predict(
        napari_lgmsnet.load(widget.checkpoint.reference), Volume(levels[1], "ZYX", affine, "mm")
    )
    np.testing.assert_array_equal(mask.data, expected.labels)


# --- lazy data ---------------------------------------------------------------------------------


def counted(shape, chunks):
    """Return a dask array that remembers which of its chunks were computed."""
    computed = []

    def block(block_info=None):
        place = block_info[None]["chunk-location"]
        computed.append(place)
        size = block_info[None]["chunk-shape"]
        return np.random.default_rng(list(place)).normal(size=size).astype(np.float32)

    return da.map_blocks(block, chunks=da.core.normalize_chunks(chunks, shape), dtype=np.float32), (
        computed
    )


@pytest.mark.parametrize("scope", ["slice", "frame"])
def test_only_what_is_segmented_is_read(open_widget, finish, viewer, checkpoint, scope):
    series = scope == "frame"
    shape, chunks = ((5, 7, 40, 36), (1, 1, 40, 36)) if series else ((9, 40, 36), (1, 40, 36))
    data, computed = counted(shape, chunks)
    viewer.add_image(
        data, name="huge", contrast_limits=(-3, 3), cache=False,
        axis_labels=("t", "z", "y", "x")[-len(shape) :],
    )  # fmt: skip
    widget = open_widget(checkpoint(2, size=(32, 32)))
    viewer.dims.set_point(0, 3)
    if not series:
        choose(widget.options.region.combo, SLICE)
    computed.clear()
    hidden = [layer for layer in viewer.layers if layer.name == "huge"]
    hidden[0].visible = False  # what the viewer reads to draw is not what is asked here
    computed.clear()
    widget.run()
    finish(widget)
    assert masks_of(viewer)
    expected = {(3, z, 0, 0) for z in range(7)} if series else {(3, 0, 0)}
    assert set(computed) == expected
    assert len(computed) == len(expected)


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
