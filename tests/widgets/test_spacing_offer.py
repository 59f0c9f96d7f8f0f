"""TIFF files that napari opened in pixels are opened again with their voxel size, if asked."""

from pathlib import Path

import napari_builtins
import numpy as np
import pytest
import tifffile
from npe2 import PluginManager, PluginManifest

from napari_lgmsnet.adapters.pixel_layers import opened_in_pixels
from napari_lgmsnet.widgets.segment import SegmentWidget


@pytest.fixture
def open_file(registered, viewer, qtbot):
    builtins = Path(napari_builtins.__file__).parent / "builtins.yaml"
    PluginManager.instance().register(PluginManifest.from_file(builtins))

    def open_it(path) -> SegmentWidget:
        viewer.open(str(path), plugin="napari")
        widget = SegmentWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Segment")
        qtbot.waitUntil(lambda: not widget.spacing.busy)
        return widget

    return open_it


@pytest.fixture
def ome_file(tmp_path):
    path = tmp_path / "cells.ome.tif"
    metadata = {
        "axes": "YX", "PhysicalSizeY": 500.0, "PhysicalSizeX": 250.0,
        "PhysicalSizeYUnit": "µm", "PhysicalSizeXUnit": "µm",
    }  # fmt: skip
    data = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    tifffile.imwrite(path, data, metadata=metadata)
    return path


def test_offered_and_opened_beside_the_other(open_file, ome_file, viewer, qtbot):
    widget = open_file(ome_file)
    mine = viewer.layers[0]
    qtbot.waitUntil(lambda: widget.spacing.isVisibleTo(widget))
    assert "0.5 × 0.25 mm" in widget.spacing.text()
    widget.spacing.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    new = viewer.layers[-1]
    assert np.allclose(new.data_to_world((2, 4)), (1.0, 1.0))
    assert str(new.units[0]) == "millimeter"
    assert np.array_equal(np.asarray(new.data), np.asarray(mine.data))
    assert np.allclose(mine.data_to_world((2, 4)), (2.0, 4.0))
    assert widget.images.layer() == new
    assert not widget.spacing.isVisibleTo(widget)
    widget.images.choose(mine)
    qtbot.waitUntil(lambda: widget.spacing.isVisibleTo(widget))


def test_nothing_is_offered_where_a_file_knows_no_size(open_file, tmp_path):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.zeros((20, 30), np.uint8), resolution=(300, 300))
    widget = open_file(path)
    assert not widget.spacing.isVisibleTo(widget)


def test_a_layer_that_was_given_a_scale_is_left_in_peace(open_file, ome_file, viewer):
    widget = open_file(ome_file)
    viewer.layers[0].scale = (2, 2)
    assert opened_in_pixels(viewer.layers[0]) is None
    widget.spacing.suit(viewer.layers[0])
    assert not widget.spacing.isVisibleTo(widget)


def test_a_file_that_is_gone_is_said(open_file, ome_file, viewer, qtbot):
    widget = open_file(ome_file)
    qtbot.waitUntil(lambda: widget.spacing.isVisibleTo(widget))
    ome_file.unlink()
    widget.spacing.click()
    qtbot.waitUntil(lambda: "cells.ome.tif" in widget.bar.line.text())
    assert len(viewer.layers) == 1
