"""Pyramids and lazy data in the Segment widget, in a real viewer with real networks."""

import dask.array as da
import numpy as np
import pytest

import napari_lgmsnet
from napari_lgmsnet import Volume
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.widgets.image_part import AUTOMATIC
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE
from tests.widgets.segment_helpers import choose, masks_of, shown, state_of

GENERATOR = np.random.default_rng(0)


def corners(layer, shape):
    """Return where the outer edges of a layer's first and last voxel lie in the world."""
    edges = np.array([[-0.5, n - 0.5] for n in shape])
    grid = np.stack(np.meshgrid(*edges, indexing="ij"), axis=-1).reshape(-1, len(shape))
    affine = affine_of(layer)
    return grid @ affine[:-1, :-1].T + affine[:-1, -1]


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
