"""What was done in the window is done again without one, with the same result."""

import nibabel
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.cli import main
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


def test_a_layer_that_no_network_made_has_no_settings(viewer, monkeypatch):
    viewer.add_labels(np.zeros((5, 5), np.uint8), name="painted")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: pytest.fail("asked"))
    shown = []
    monkeypatch.setattr("napari_lgmsnet.widgets.save_settings.show_error", shown.append)
    save_settings()
    assert len(shown) == 1
    assert "painted" in shown[0]
