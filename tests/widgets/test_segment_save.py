"""From a file to a mask beside it, with the Segment widget's own button."""

import nibabel
import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

# napari's word on what it draws of an oblique volume.
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

AFFINE = np.array([[-1.5, 0.1, 0, 40], [0, 1.4, 0.2, -30], [0.1, 0, 3, 7], [0, 0, 0, 1]])


@pytest.fixture
def scan(tmp_path, volume):
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume.T, AFFINE), path)
    return path


def saved(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.save.saver.busy, timeout=60_000)
    return widget.save.line.text()


def test_mask_is_saved_beside_its_image(open_widget, finish, viewer, qtbot, scan, checkpoint_3d):
    viewer.open(scan, plugin="napari-lgmsnet")
    widget = open_widget(checkpoint_3d)
    assert not widget.save.button.isEnabled()
    widget.bar.run.click()
    finish(widget)
    assert widget.save.button.isEnabled()
    [mask] = [one for one in viewer.layers if one.name == "scan mask"]
    mask.data_setitem((np.array([0]), np.array([1]), np.array([2])), 2)
    widget.save.button.click()
    assert "scan_mask.nii.gz" in saved(widget, qtbot)
    written = nibabel.load(scan.with_name("scan_mask.nii.gz"))
    np.testing.assert_array_equal(written.affine, nibabel.load(scan).affine)
    np.testing.assert_array_equal(np.asarray(written.dataobj), mask.data.T)


def test_mask_that_exists_is_asked_about(
    open_widget, finish, viewer, qtbot, scan, checkpoint_3d, monkeypatch
):
    viewer.open(scan, plugin="napari-lgmsnet")
    widget = open_widget(checkpoint_3d)
    widget.bar.run.click()
    finish(widget)
    existing = scan.with_name("scan_mask.nii.gz")
    existing.write_bytes(b"mine")
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()))
    widget.save.button.click()
    assert saved(widget, qtbot) == "Not saved."
    assert len(asked) == 1
    assert existing.read_bytes() == b"mine"
