"""Layers to volumes and back, and the parts of an image that a person means."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import Dims
from napari.layers import Image, Labels, Shapes

from napari_lgmsnet.adapters import regions
from napari_lgmsnet.adapters.layers import (
    affine_of,
    geometry_of,
    image_of,
    layer_data_of,
    place_layer,
)
from napari_lgmsnet.adapters.saving import savable
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.types import Volume

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

OBLIQUE = np.array(
    [[2.0, 0.3, 0.0, -7.0], [0.1, 0.4, -1.5, 30.0], [0.0, 0.9, 0.2, 4.0], [0.0, 0.0, 0.0, 1.0]]
)


def view(*step, displayed=(1, 2)):
    return regions.View(step, displayed)


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"scale": (3, 1, 2), "translate": (1, 2, 3), "units": ("mm",) * 3},
        {"rotate": (10, 20, 30), "shear": (0.1, 0.2, 0.3), "affine": OBLIQUE, "scale": (1, 2, 3)},
    ],
)
def test_result_lies_exactly_over_the_image(place):
    image = Image(np.zeros((3, 4, 5)), axis_labels=("z", "y", "x"), **place)
    made = Labels(np.zeros((3, 4, 5), np.uint8), **geometry_of(image))
    moved = Labels(np.zeros((3, 4, 5), np.uint8), scale=(7, 7, 7))
    place_layer(moved, geometry_of(image))
    for layer in (made, moved):
        np.testing.assert_array_equal(affine_of(layer), affine_of(image))
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
    heard = []
    for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"):
        getattr(moved.events, name).connect(heard.append)
    # Where it lies already nothing is set, since that draws all layers anew.
    place_layer(moved, geometry_of(image))
    assert not heard
    moved.scale = (9, 9, 9)
    place_layer(moved, geometry_of(image))
    assert heard
    np.testing.assert_array_equal(affine_of(moved), affine_of(image))


def test_affine_is_the_whole_way_from_data_to_world():
    image = Image(np.zeros((3, 4, 5)), affine=OBLIQUE, scale=(1, 2, 3), rotate=(0, 30, 0))
    index = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose((affine_of(image) @ [*index, 1])[:3], image.data_to_world(index))


@pytest.mark.parametrize(
    ("units", "expected", "factor"),
    [("mm", "mm", 1.0), ("um", "mm", 0.001), ("pixel", "pixel", 1.0)],
)
def test_units(units, expected, factor):
    volume = image_of(Image(np.zeros((3, 4)), scale=(2, 3), units=(units,) * 2)).read(
        (slice(0, 3), slice(0, 4))
    )
    assert volume.units == expected
    assert volume.spacing == pytest.approx((2 * factor, 3 * factor))


def test_volume_survives_the_way_through_a_layer():
    volume = Volume(np.random.default_rng(0).normal(size=(3, 4, 5)), "ZYX", OBLIQUE, "mm", "scan")
    [(data, arguments, kind)] = layer_data_of(volume)
    assert kind == "image"
    layer = Image(data, **arguments)
    back = image_of(layer).read(tuple(slice(0, n) for n in data.shape))
    # Its second axis runs along x, its third along y: a viewer could not show that.
    np.testing.assert_array_equal(back.data, volume.data.transpose(0, 2, 1))
    np.testing.assert_allclose(back.affine, volume.affine[:, [0, 2, 1, 3]], atol=1e-12)
    assert (back.units, back.axes, back.name) == ("mm", "ZYX", "scan")
    saved = savable(*layer.as_layer_data_tuple()).volume
    np.testing.assert_array_equal(saved.data, volume.data)
    np.testing.assert_array_equal(saved.affine, volume.affine)


def test_colours_channels_and_time_as_layers():
    colours = Volume.from_array(np.zeros((4, 5, 3), np.uint8), "YXC", (1.0, 2.0))
    [(data, arguments, _)] = layer_data_of(colours)
    assert Image(data, **arguments).rgb
    assert image_of(Image(data, **arguments)).read((slice(0, 4), slice(0, 5))).axes == "YXC"
    vectors = Volume.from_array(np.zeros((3, 4, 5, 2)), "ZYXC", (1.0, 2.0, 3.0), "flow")
    names = [Image(data, **arguments).name for data, arguments, _ in layer_data_of(vectors)]
    assert names == ["flow channel 1", "flow channel 2"]
    film = Volume.from_array(np.zeros((6, 3, 4, 5)), "TZYX", (1.0, 2.0, 3.0))
    [(data, arguments, _)] = layer_data_of(film)
    frame = image_of(Image(data, **arguments)).read((4, slice(0, 3), slice(0, 4), slice(0, 5)))
    assert frame.axes == "ZYX"
    assert frame.spacing == pytest.approx((1.0, 2.0, 3.0))


def test_only_the_part_of_lazy_data_is_read():
    class Lazy:
        def __init__(self, data):
            self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
            self.asked = []

        def __getitem__(self, key):
            self.asked.append(key)
            return self.data[key]

    lazy = Lazy(np.arange(9 * 8 * 7).reshape(9, 8, 7))
    image = replace(image_of(Image(np.zeros((9, 8, 7)))), levels=(lazy,))
    part = (slice(2, 3), slice(1, 4), slice(0, 7))
    volume = image.read(part)
    assert lazy.asked == []
    np.testing.assert_array_equal(volume.loaded().data, lazy.data[part])
    [(planes, rows, columns)] = lazy.asked
    assert (planes, rows) == part[:2]
    assert columns.indices(7) == (0, 7, 1)


def test_finest_level_of_a_multiscale_image():
    levels = [np.ones((8, 8)), np.zeros((4, 4))]
    image = image_of(Image(levels, multiscale=True))
    assert image.shape == (8, 8)
    assert image.read((slice(0, 8), slice(0, 8))).data.all()


def test_time_mixed_with_space_is_refused():
    affine = np.eye(5)
    affine[1, 0] = 0.5
    with pytest.raises(GeometryError, match="time"):
        image_of(Image(np.zeros((2, 3, 4, 5)), affine=affine)).read((0, *(slice(None),) * 3))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_slice_is_the_one_on_screen(order):
    image = Image(np.arange(4 * 5 * 6).reshape(4, 5, 6), scale=(3, 2, 1), translate=(5, 6, 7))
    dims = Dims(ndim=3, order=order, range=((5, 14, 3), (6, 14, 2), (7, 12, 1)))
    dims = dims.model_copy()
    axis = order[0]
    dims.set_point(axis, float(image.translate[axis] + 2 * image.scale[axis]))
    seen = regions.view_of(image_of(image), dims)
    part = regions.plane(image_of(image), seen)
    volume = image_of(image).read(part)
    np.testing.assert_array_equal(volume.data, image.data.take([2], axis))
    assert volume.spacing == pytest.approx((3, 2, 1))


def test_image_with_fewer_axes_than_the_viewer():
    dims = Dims(ndim=4, order=(0, 1, 2, 3), range=((0, 9, 1),) * 4)
    dims.set_point(1, 2)
    seen = regions.view_of(image_of(Image(np.zeros((4, 5, 6)))), dims)
    assert seen.step[0] == 2
    assert seen.displayed == (1, 2)
    assert regions.view_of(image_of(Image(np.zeros((5, 6)))), dims).displayed == (0, 1)


def test_whole_of_a_series_is_one_time_point():
    image = image_of(Image(np.zeros((7, 3, 4, 5))))
    part = regions.whole(image, view(6, 0, 0, 0, displayed=(2, 3)))
    assert part == (6, slice(0, 3), slice(0, 4), slice(0, 5))


def test_view_along_time_has_no_slice():
    image = image_of(Image(np.zeros((7, 3, 4, 5))))
    with pytest.raises(InputError, match="along time"):
        regions.plane(image, view(0, 0, 0, 0, displayed=(0, 3)))


def test_drawn_shape_in_coordinates_of_its_own():
    image = Image(np.zeros((4, 30, 40)), scale=(3, 2, 1), translate=(0, 10, 0))
    corners = np.array([[12, 5], [12, 9], [20, 9], [20, 5]])  # world: y 12..20 and x 5..9
    shapes = Shapes([corners[:, ::-1]], shape_type="rectangle", affine=np.eye(3)[[1, 0, 2]])
    expected = (slice(2, 3), slice(1, 6), slice(5, 10))
    assert regions.drawn(image_of(image), view(2, 0, 0), shapes, all_slices=False) == expected
    through = regions.drawn(image_of(image), view(2, 0, 0), shapes, all_slices=True)
    assert through == (slice(0, 4), *expected[1:])


def test_selected_shape_comes_before_the_last_one():
    image = image_of(Image(np.zeros((30, 40))))
    boxes = [np.array([[a, a], [a, a + 5], [a + 5, a + 5], [a + 5, a]]) for a in (0, 10, 20)]
    shapes = Shapes(boxes, shape_type="rectangle")
    flat = view(0, 0, displayed=(0, 1))
    assert regions.drawn(image, flat, shapes, all_slices=False) == (slice(20, 26),) * 2
    shapes.selected_data = {1}
    assert regions.drawn(image, flat, shapes, all_slices=False) == (slice(10, 16),) * 2


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (Shapes(ndim=3), "no rectangle"),
        (Shapes([np.array([[90, 90], [90, 95], [95, 95], [95, 90]])]), "does not lie over"),
    ],
)
def test_useless_shapes_say_what_to_do(shapes, words):
    image = image_of(Image(np.zeros((4, 30, 40))))
    with pytest.raises(InputError, match=words):
        regions.drawn(image, view(0, 0, 0), shapes, all_slices=False)


def test_flat_shapes_in_a_turned_view_are_refused():
    image = image_of(Image(np.zeros((4, 30, 40))))
    shapes = Shapes([np.array([[1, 1], [1, 3], [3, 3], [3, 1]])])
    with pytest.raises(InputError, match="too few"):
        regions.drawn(image, view(0, 0, 0, displayed=(0, 2)), shapes, all_slices=False)
