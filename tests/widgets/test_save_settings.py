"""What was done in the window is done again without one, with the same result."""

import nibabel
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.cli import main
from napari_lgmsnet.widgets.region import RECTANGLE
from napari_lgmsnet.widgets.save_settings import save_settings


def test_the_same_mask_from_the_command_line(
    open_widget, finish, viewer, tmp_path, volume, checkpoint_3d, monkeypatch
):
    scan, out = tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume.T, np.diag([1.5, 1.0, 3.0, 1.0])), scan)
    viewer.open(scan, plugin="napari-lgmsnet")
    widget = open_widget(checkpoint_3d)
    widget.threshold.setValue(0.45)
    widget.bar.run.click()
    finish(widget)
    [mask] = [one for one in viewer.layers if one.name == "scan mask"]
    assert mask.data.any()
    viewer.layers.selection.active = mask
    file = tmp_path / "how.toml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    save_settings()
    arguments = ["predict", str(scan), "-o", str(out), "--settings", str(file), "-q"]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    np.testing.assert_array_equal(np.asarray(nibabel.load(out).dataobj), mask.data.T)


@pytest.mark.parametrize("stored", ["axial", "sagittal"])
def test_the_same_part_from_the_command_line(
    open_widget, finish, viewer, tmp_path, volume, checkpoint_3d, monkeypatch, stored
):
    # A viewer shows a volume that is stored in sagittal slices with its axes exchanged.
    affine = np.diag([1.5, 1.0, 3.0, 1.0])
    affine = affine if stored == "axial" else affine[:, [2, 0, 1, 3]]
    scan, out = tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume.T, affine), scan)
    viewer.open(scan, plugin="napari-lgmsnet")
    image = viewer.layers["scan"]
    widget = open_widget(checkpoint_3d)
    combo = widget.options.region.combo
    combo.setCurrentIndex(combo.findData(RECTANGLE))
    shape = np.array(image.data.shape)
    low, high = (shape * (0, 0.25, 0.25)).astype(int), (shape * (0, 0.75, 0.6)).astype(int)
    corners = [[low[0], y, x] for y, x in ((low[1], low[2]), (low[1], high[2]),
                                           (high[1], high[2]), (high[1], low[2]))]  # fmt: skip
    drawn = [image.data_to_world(corner) for corner in corners]
    shapes = viewer.add_shapes(ndim=3, name="rectangle", units=image.units)
    shapes.add_rectangles(np.array(drawn))
    widget.bar.run.click()
    finish(widget)
    [mask] = [one for one in viewer.layers if one.name == "scan mask"]
    assert 0 < np.count_nonzero(mask.data) < mask.data.size / 2
    viewer.layers.selection.active = mask
    file = tmp_path / "how.toml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    save_settings()
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(scan), "-o", str(out), "--settings", str(file), "-q"])
    assert caught.value.code == 0
    again = viewer.open(out, plugin="napari-lgmsnet", layer_type="labels")[0]
    np.testing.assert_array_equal(again.data, mask.data)


def test_a_layer_that_no_network_made_has_no_settings(viewer, monkeypatch):
    viewer.add_labels(np.zeros((5, 5), np.uint8), name="painted")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: pytest.fail("asked"))
    shown = []
    monkeypatch.setattr("napari_lgmsnet.widgets.save_settings.show_error", shown.append)
    save_settings()
    assert len(shown) == 1
    assert "painted" in shown[0]
