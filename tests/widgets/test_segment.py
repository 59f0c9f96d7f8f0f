"""The Segment widget in a real viewer, with real small networks: from a run to its layers."""

import numpy as np
import pytest

import napari_lgmsnet
from napari_lgmsnet import Volume
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.device import processor_has_bfloat16
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE, WHOLE
from napari_lgmsnet.widgets.segment import SegmentWidget
from tests.core.helpers import small_model
from tests.widgets.segment_helpers import TILTED, mask_of, region

PLACES = {
    "plain": {},
    "anisotropic": {"scale": (3.0, 0.5, 0.7), "translate": (4.0, 5.0, -6.0), "units": ("mm",) * 3},
    "rotated": {"scale": (1.0, 2.0, 2.0), "rotate": (0.0, 0.0, 30.0)},
    "sheared": {"shear": (0.0, 0.0, 0.4), "axis_labels": ("z", "y", "x")},
    "affine": {"affine": np.diag([2.0, -1.0, 3.0, 1.0]), "scale": (1.0, 2.0, 3.0)},
    "oblique": {"affine": TILTED, "units": ("um",) * 3},
}


# --- before anything is there ------------------------------------------------------------------


def test_empty_window_says_what_to_do_first(open_widget, checkpoint_3d, viewer, volume):
    widget = open_widget(checkpoint_3d)
    assert "Open an image first: File > Open" in widget.image_line.text()
    assert not widget.bar.run.isEnabled()
    viewer.add_image(volume, name="scan", scale=(3, 1, 1), units=("mm",) * 3)
    assert widget.images.currentText() == "scan"
    assert widget.image_line.text() == "6 × 40 × 36 voxels, 3 × 1 × 1 mm"
    assert widget.bar.run.isEnabled()


def test_opens_from_the_menu_of_plugins(registered, viewer):
    dock, widget = viewer.window.add_plugin_dock_widget("napari-lgmsnet", "Segment")
    assert dock.name.startswith("Segment")
    assert "Open an image first" in widget.image_line.text()


def test_checkpoint_is_described_before_it_is_loaded(open_widget, checkpoint_3d):
    widget = open_widget(checkpoint_3d)
    text = widget.checkpoint.line.text()
    for words in ("Small 3D", "for volumes", "front", "back", "CC0-1.0"):
        assert words in text


def test_a_checkpoint_is_offered_that_suits_the_image(registered, viewer, volume, checkpoint_3d):
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget)
    viewer.add_image(volume, name="scan")
    grey = widget.checkpoint.reference
    viewer.add_image(np.zeros((32, 32, 3), np.uint8), name="photo", rgb=True)
    widget.images.setCurrentText("photo")
    assert (grey, widget.checkpoint.reference) == ("brain-t1-2d", "polyp-2d")
    assert "Polyps" in widget.checkpoint.line.text()
    widget.images.setCurrentText("scan")
    assert widget.checkpoint.reference == grey
    widget.checkpoint.choose(checkpoint_3d)
    widget.images.setCurrentText("photo")
    assert widget.checkpoint.reference == checkpoint_3d, "a choice stays"


def test_official_checkpoint_is_read_to_see_what_it_is(open_widget, finish, tmp_path):
    from napari_lgmsnet.core.checkpoints import export_official

    export_official(tmp_path / "theirs.pth", small_model(2, in_channels=3))
    widget = open_widget(str(tmp_path / "theirs.pth"))
    finish(widget)
    assert "for images and slices" in widget.checkpoint.line.text()
    assert "Paper" in widget.options.recipe.itemText(0)


def test_useless_checkpoint_says_why_once(open_widget, finish, tmp_path, viewer, volume):
    (tmp_path / "empty.pth").touch()
    widget = open_widget(str(tmp_path / "empty.pth"))
    finish(widget)
    assert '"empty.pth" is empty' in widget.bar.line.text()
    assert "cannot be used" in widget.checkpoint.line.text()
    viewer.add_image(volume)
    assert not widget.busy
    assert '"empty.pth" is empty' in widget.bar.line.text()


def test_image_list_follows_the_viewer(open_widget, viewer, volume):
    widget = open_widget()
    first = viewer.add_image(volume, name="first")
    viewer.add_labels(np.zeros((3, 3), int))
    second = viewer.add_image(volume, name="second")
    assert [widget.images.itemText(i) for i in range(2)] == ["second", "first"]
    viewer.layers.selection.active = first
    assert widget.images.currentText() == "first"
    first.name = "renamed"
    assert widget.images.currentText() == "renamed"
    viewer.layers.remove(first)
    assert widget.images.currentText() == "second"
    viewer.layers.remove(second)
    assert widget.images.layer() is None


# --- from a run to its layers ------------------------------------------------------------------


def test_run_makes_a_mask_that_can_be_painted(open_widget, finish, viewer, volume, checkpoint_3d):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.bar.run.click()
    assert widget.bar.cancel.isEnabled()
    finish(widget)
    mask, probability = mask_of(viewer), viewer.layers["scan probability"]
    assert (mask.name, mask.data.shape, mask.data.dtype) == ("scan mask", volume.shape, np.uint8)
    assert viewer.layers.selection.active == mask
    mask.data_setitem((np.array([0]), np.array([1]), np.array([2])), 2)
    assert mask.data[0, 1, 2] == 2
    assert list(mask.features["class"]) == ["background", "front", "back"]
    for label, info in enumerate(widget.checkpoint.info.classes[1:], start=1):
        np.testing.assert_allclose(mask.colormap.map(label)[:3], np.array(info.colour) / 255, 0.01)
    assert probability.data.min() >= 0
    assert probability.data.max() <= 1
    assert probability.data.max() > 0
    about = mask.metadata[METADATA]
    assert about["checkpoint"] == "small-3d"
    assert about["sha256"] == widget.session.loaded.model.sha256
    assert about["settings"]["threshold"] == 0.5
    assert "small-3d" in about["description"]
    assert "scan mask" in widget.bar.line.text()
    assert widget.images.currentText() == "scan"


def test_answer_is_that_of_the_library(open_widget, finish, viewer, volume, checkpoint_3d):
    viewer.add_image(volume, name="scan", affine=np.diag([2.0, 1.0, 1.5, 1.0]), units=("mm",) * 3)
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)

    expected = napari_lgmsnet.predict(
        napari_lgmsnet.load(checkpoint_3d),
        Volume(volume, "ZYX", np.diag([2.0, 1.0, 1.5, 1.0]), "mm"),
    )
    np.testing.assert_array_equal(mask_of(viewer).data, expected.labels)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("place", PLACES)
def test_results_lie_exactly_over_the_image(
    open_widget, finish, viewer, volume, checkpoint_3d, place
):
    image = viewer.add_image(volume, name="scan", **PLACES[place])
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    for layer in (mask_of(viewer), viewer.layers["scan probability"]):
        np.testing.assert_array_equal(affine_of(layer), affine_of(image))
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
        np.testing.assert_array_equal(layer.extent.world, image.extent.world)


def test_results_follow_an_image_that_was_moved(open_widget, finish, viewer, volume, checkpoint_3d):
    image = viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    for scale in ((1, 1, 1), (3, 1, 2)):
        image.scale = scale
        widget.run()
        finish(widget)
        np.testing.assert_array_equal(affine_of(mask_of(viewer)), affine_of(image))


def test_colour_picture(open_widget, finish, viewer, tmp_path):
    from tests.core.helpers import small_model

    checkpoints.save(tmp_path / "rgb.safetensors", small_model(2, 3, colour="rgb"))
    picture = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    image = viewer.add_image(picture, name="photo", scale=(2, 3), rotate=20)
    widget = open_widget(str(tmp_path / "rgb.safetensors"))
    assert [widget.options.region.combo.itemData(i) for i in range(2)] == [WHOLE, RECTANGLE]
    widget.run()
    finish(widget)
    assert mask_of(viewer).data.shape == (40, 50)
    np.testing.assert_array_equal(affine_of(mask_of(viewer)), affine_of(image))


@pytest.mark.parametrize(("order", "axis"), [((0, 1, 2), 0), ((1, 0, 2), 1), ((2, 1, 0), 2)])
def test_this_slice_changes_no_other(
    open_widget, finish, viewer, volume, checkpoint_2d, order, axis
):
    viewer.add_image(volume, name="scan", scale=(3, 1, 1))
    widget = open_widget(checkpoint_2d)
    viewer.dims.order = order
    viewer.dims.set_point(axis, 3 * viewer.layers["scan"].scale[axis])
    region(widget, SLICE)
    widget.threshold.setValue(0.0)  # everything becomes foreground, but in this slice only
    widget.run()
    finish(widget)
    expected = np.zeros(volume.shape, np.uint8)
    expected[(slice(None),) * axis + (3,)] = 1
    np.testing.assert_array_equal(mask_of(viewer).data, expected)


def test_drawn_rectangle(open_widget, finish, viewer, volume, checkpoint_2d, checkpoint_3d):
    viewer.add_image(volume, name="scan", scale=(3, 2, 1), translate=(0, 10, 0))
    widget = open_widget(checkpoint_2d)
    region(widget, RECTANGLE)
    widget.run()
    assert "no rectangle is drawn" in widget.bar.line.text()
    widget.options.region.draw.click()
    shapes = viewer.layers["scan region"]
    assert shapes.mode == "add_rectangle"
    # Drawn on another slice than the one on screen, as a layer with a place of its own.
    shapes.add_rectangles(np.array([[5, 4, 6], [5, 4, 20], [5, 15, 20], [5, 15, 6]]))
    viewer.dims.set_point(0, 6)
    widget.threshold.setValue(0.0)
    widget.run()
    finish(widget)
    expected = np.zeros(volume.shape, np.uint8)
    expected[2, 4:16, 6:21] = 1
    np.testing.assert_array_equal(mask_of(viewer).data, expected)
    widget.checkpoint.choose(checkpoint_3d)
    region(widget, RECTANGLE)
    widget.threshold.setValue(0.0)
    widget.run()
    finish(widget)
    other = viewer.layers["scan mask [1]"].data > 0
    assert other[:, 4:16, 6:21].all()
    assert other.sum() == 6 * 12 * 15


def test_volumes_of_a_time_series(open_widget, finish, viewer, checkpoint_3d):
    series = np.random.default_rng(0).normal(size=(3, 5, 34, 33)).astype(np.float32)
    viewer.add_image(series, name="film")
    widget = open_widget(checkpoint_3d)
    assert "3 frames" in widget.image_line.text()
    viewer.dims.set_point(0, 1)
    widget.threshold.setValue(0.0)
    widget.run()
    finish(widget)
    mask = mask_of(viewer).data
    assert mask.shape == series.shape
    assert mask[1].all()
    assert not mask[[0, 2]].any()


def test_wrong_dimensions_are_explained(open_widget, finish, viewer, checkpoint_3d):
    viewer.add_image(np.zeros((40, 40)), name="flat")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    assert "works on volumes" in widget.bar.line.text()
    assert [layer.name for layer in viewer.layers] == ["flat"]
    assert widget.bar.run.isEnabled()


# --- what is remembered ------------------------------------------------------------------------


def test_used_checkpoints_are_offered_again(open_widget, finish, viewer, volume, checkpoint_3d):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    assert open_widget().checkpoint.combo.findData(checkpoint_3d) >= 0


def test_checkpoint_written_anew_is_read_anew(open_widget, finish, viewer, volume, tmp_path):
    from tests.core.helpers import small_model

    path = tmp_path / "training.safetensors"
    viewer.add_image(volume, name="scan")
    shas = [checkpoints.save(path, small_model(3, seed=1))]
    widget = open_widget(str(path))
    widget.run()
    finish(widget)
    shas.append(checkpoints.save(path, small_model(3, seed=2), overwrite=True))
    assert mask_of(viewer).metadata[METADATA]["sha256"] == shas[0]
    widget.run()
    finish(widget)
    assert mask_of(viewer).metadata[METADATA]["sha256"] == shas[1]


def test_preferences_are_the_starting_values(registered, viewer, checkpoint_2d):
    from napari.settings import get_plugin_settings

    from napari_lgmsnet.widgets.segment import SegmentWidget

    wishes = get_plugin_settings("napari-lgmsnet").segment
    wishes.checkpoint, wishes.device, wishes.flips = checkpoint_2d, "cpu", True
    wishes.overlap, wishes.threshold, wishes.engine = 0.25, 0.3, "fused"
    widget = SegmentWidget(viewer)
    assert widget.checkpoint.reference == checkpoint_2d
    assert widget.options.settings() == {
        "device": "cpu",
        "native": False,
        "engine": "fused",
        "overlap": 0.25,
        "flips": True,
    }
    assert widget.threshold.value() == 0.3


def test_the_engine_is_chosen_and_shown(open_widget, finish, viewer, volume, checkpoint_3d):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    engine = widget.options.engine
    assert engine.itemText(0) == "auto"
    engine.setCurrentIndex(engine.findData("fused"))
    widget.bar.run.click()
    finish(widget)
    assert "(fused)" in mask_of(viewer).metadata[METADATA]["description"]
    assert engine.currentData() == "fused"

    engine.setCurrentIndex(engine.findData("auto"))
    widget.bar.run.click()
    finish(widget)
    assert engine.itemText(0) == "auto (torch, plain)"  # too few windows for a trial
    assert engine.currentData() == "auto"


@pytest.mark.skipif(not processor_has_bfloat16(), reason="this processor has no bfloat16")
def test_reduced_precision_is_said(open_widget, finish, viewer):
    pytest.importorskip("openvino")
    # A network that learnt: one of random numbers may be too far from float32 to be let through.
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), name="photo", rgb=True)
    widget = open_widget("polyp-2d")
    engine = widget.options.engine
    for name, reduced in (("openvino", False), ("openvino-bfloat16", True)):
        engine.setCurrentIndex(engine.findData(name))
        widget.bar.run.click()
        finish(widget)
        assert ("reduced precision" in widget.bar.line.text()) is reduced
