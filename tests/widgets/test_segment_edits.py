"""The threshold of the Segment widget, and edits in masks, which are the person's."""

import numpy as np
import pytest

from napari_lgmsnet.adapters import jobs
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.widgets.region import SLICE
from tests.widgets.segment_helpers import click, mask_of, no_question, painted, region

# --- the threshold -----------------------------------------------------------------------------


def test_threshold_moves_the_mask_without_the_network(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    no_question(monkeypatch)
    monkeypatch.setattr(jobs, "segment", lambda _request: pytest.fail("the network ran again"))
    prediction = widget.results.of(viewer.layers["scan"]).prediction
    mask = mask_of(viewer)
    sizes = []
    for threshold in (0.2, 0.4, 0.6, 0.8):
        widget.threshold.setValue(threshold)
        finish(widget)
        np.testing.assert_array_equal(mask.data, prediction.at_threshold(threshold).labels)
        sizes.append((mask.data > 0).sum())
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    assert mask.metadata[METADATA]["settings"]["threshold"] == 0.8
    mask.undo()
    assert (mask.data > 0).sum() == sizes[-1]


def test_threshold_asks_before_it_overwrites_edits(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    mask = mask_of(viewer)
    mask.data_setitem((np.array([2]), np.array([3]), np.array([4])), 9)
    before = mask.data.copy()
    asked = click(monkeypatch, "Cancel")
    widget.threshold.setValue(0.7)
    finish(widget)
    assert asked == ['You have edited "scan mask".']
    assert widget.threshold.value() == 0.5
    np.testing.assert_array_equal(mask.data, before)
    click(monkeypatch, "Replace")
    widget.threshold.setValue(0.7)
    finish(widget)
    prediction = widget.results.of(viewer.layers["scan"]).prediction
    np.testing.assert_array_equal(mask.data, prediction.labels)
    mask.undo()
    np.testing.assert_array_equal(mask.data, before)


def test_threshold_moved_while_the_network_runs(open_widget, finish, viewer, volume, checkpoint_3d):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    widget.threshold.setValue(0.8)
    finish(widget)
    prediction = widget.results.of(viewer.layers["scan"]).prediction
    assert prediction.settings.threshold == widget.threshold.value() == 0.8
    np.testing.assert_array_equal(mask_of(viewer).data, prediction.labels)


# --- edits are the person's --------------------------------------------------------------------


def test_running_again_updates_its_own_layers(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    no_question(monkeypatch)
    image = viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    layers, first = list(viewer.layers), mask_of(viewer).data.copy()
    image.data = volume[:, ::-1] ** 2
    widget.run()
    finish(widget)
    assert list(viewer.layers) == layers
    assert (mask_of(viewer).data != first).any()


def test_run_keeps_edits_in_a_layer_of_their_own(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    widget, mask, edited = painted(open_widget, finish, viewer, volume, checkpoint_3d)
    click(monkeypatch, "Keep")
    widget.run()
    finish(widget)
    np.testing.assert_array_equal(mask.data, edited)
    assert mask.name == "scan mask edited"
    assert viewer.layers["scan mask"].data[2, 3, 4] != 9


def test_run_replaces_edits_and_undo_brings_them_back(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    widget, mask, edited = painted(open_widget, finish, viewer, volume, checkpoint_3d)
    asked = click(monkeypatch, "Replace")
    widget.run()
    finish(widget)
    assert len(asked) == 1
    assert mask.data[2, 3, 4] != 9
    mask.undo()
    np.testing.assert_array_equal(mask.data, edited)


def test_run_can_be_given_up_for_the_edits(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    widget, mask, edited = painted(open_widget, finish, viewer, volume, checkpoint_3d)
    click(monkeypatch, "Cancel")
    widget.run()
    assert not widget.busy
    np.testing.assert_array_equal(mask.data, edited)


def test_edits_made_while_it_runs_are_asked_about(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch
):
    widget, mask, _ = painted(open_widget, finish, viewer, volume, checkpoint_3d)
    asked = click(monkeypatch, "Replace")
    widget.run()
    mask.data_setitem((np.array([1]), np.array([1]), np.array([1])), 8)
    edited = mask.data.copy()
    click(monkeypatch, "Cancel")
    finish(widget)
    assert len(asked) == 1
    np.testing.assert_array_equal(mask.data, edited)


def test_undone_edits_are_no_edits(open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch):
    widget, mask, _ = painted(open_widget, finish, viewer, volume, checkpoint_3d)
    mask.undo()
    no_question(monkeypatch)
    widget.run()
    finish(widget)
    assert mask_of(viewer) == mask


def test_edits_outside_of_the_region_stay_without_a_question(
    open_widget, finish, viewer, volume, checkpoint_2d, monkeypatch
):
    no_question(monkeypatch)
    widget, mask, _ = painted(open_widget, finish, viewer, volume, checkpoint_2d)
    region(widget, SLICE)
    viewer.dims.set_point(0, 5)
    widget.run()
    finish(widget)
    assert mask.data[2, 3, 4] == 9


def test_closed_mask_is_made_anew(open_widget, finish, viewer, volume, checkpoint_3d):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    viewer.layers.remove(mask_of(viewer))
    widget.threshold.setValue(0.3)
    widget.run()
    finish(widget)
    assert mask_of(viewer).name == "scan mask"


def test_a_result_leaves_the_brush_in_the_layer_where_it_is(
    open_widget, finish, viewer, volume, checkpoint_3d
):
    scan = viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    finish(widget)
    other = viewer.add_labels(np.zeros(volume.shape, np.uint8), name="other")
    assert viewer.layers.selection.active == other
    widget.run()
    finish(widget)
    assert viewer.layers.selection.active == other
    viewer.layers.selection.active = scan
    widget.run()
    finish(widget)
    assert viewer.layers.selection.active == mask_of(viewer)
