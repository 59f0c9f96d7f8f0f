"""Volumes: edits stay where they are, and the view comes back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.core.project import Project
from tests.widgets.case_helpers import SHAPE, write_sagittal
from tests.widgets.cases.helpers import drag, kept, mask_of


def test_axes_exchanged_for_viewing_keep_edits_where_they_are(
    open_widget, settle, viewer, qtbot, tmp_path
):
    order = write_sagittal(tmp_path / "sagittal.nii.gz")
    assert order != (0, 1, 2)
    widget = open_widget()
    widget.open_project(tmp_path / "project", create=True)
    settle(widget)
    widget.add([tmp_path / "sagittal.nii.gz"])
    settle(widget)
    layer = mask_of(widget)
    [image] = widget.desk.screen.view.images
    assert layer.data.shape == SHAPE
    np.testing.assert_array_equal(affine_of(layer), affine_of(image))
    layer.mode, layer.brush_size = "paint", 5
    drag(viewer, qtbot, layer, (2, 20, 30), pixels=40)
    assert layer.data[2, 20, 30] == 1
    with widget.desk.session.changing_by("click"):
        layer.data_setitem((np.array([6]), np.array([43]), np.array([51])), 3)
    layer.data[4, 10:40, 5:50] = 2
    layer.refresh()
    settle(widget)
    stored = kept(tmp_path / "project").labels
    np.testing.assert_array_equal(stored.transpose(order), layer.data)
    assert (stored == 3).sum() == 1
    [row] = widget.desk.project.ledger()
    assert (row.strokes, row.clicks) == (1, 1)
    painted = layer.data.copy()
    session, chosen = widget.desk.session, []
    session.mask_chosen.connect(lambda mask, image: chosen.append((mask, image)))
    widget.close_project()
    widget.open_project(tmp_path / "project")
    settle(widget)
    np.testing.assert_array_equal(mask_of(widget).data, painted)
    assert chosen == [(mask_of(widget), widget.desk.screen.view.images[0])]


def test_the_view_is_as_it_was(open_widget, settle, viewer, tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(2):
        write_sagittal(tmp_path / "images" / f"{number}.nii.gz", number)
    widget = open_widget()
    widget.open_project(tmp_path / "project", create=True)
    settle(widget)
    widget.add([tmp_path / "images"])
    settle(widget)
    widget.next_case()
    settle(widget)
    layer = mask_of(widget)
    layer.mode, layer.selected_label, layer.brush_size = "erase", 3, 17
    viewer.dims.set_current_step(0, 5)
    viewer.scene.camera.zoom = 3.21
    viewer.scene.camera.center = (0.0, 4.0, 5.0)
    settle(widget)
    point, center = viewer.dims.point, viewer.scene.camera.center
    assert Project.open(tmp_path / "project", read_only=True).view()["camera"]["zoom"] == 3.21
    widget.close_project()
    assert not viewer.layers
    viewer.scene.camera.zoom = 1
    widget.open_project(tmp_path / "project")
    settle(widget)
    assert widget.desk.case.name == "1"
    assert viewer.dims.point == pytest.approx(point)
    assert viewer.scene.camera.zoom == pytest.approx(3.21)
    assert viewer.scene.camera.center == pytest.approx(center)
    layer = mask_of(widget)
    assert (layer.mode, layer.selected_label, layer.brush_size) == ("erase", 3, 17)
