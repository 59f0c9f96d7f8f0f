"""Opening files by the menu, without the question which plugin shall do it."""

from pathlib import Path

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.adapters.saving import snapshot, target_of
from napari_lgmsnet.core.io import read, write
from napari_lgmsnet.core.types import Volume
from tests.core.dicoms import series, volume_numbers

PIXELS = volume_numbers((4, 12, 10))


@pytest.fixture
def choose(registered, viewer, monkeypatch):
    """Choose files or a folder by the command in the menu."""

    def run(*paths: Path) -> list[str]:
        files, folder = [str(path) for path in paths], str(paths[0]) if paths else ""
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files, ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: folder)
        notification_manager.records.clear()
        command = "open_folder" if paths and paths[0].is_dir() else "open_files"
        get_app_model().commands.execute_command(f"napari-lgmsnet.{command}").result()
        return [record.message for record in notification_manager.records]

    return run


def test_tiff_keeps_its_voxel_size_and_one_bad_file_does_not_stop_the_rest(
    choose, viewer, tmp_path
):
    write(tmp_path / "a.ome.tif", Volume.from_array(PIXELS, "ZYX", (2.5, 0.5, 0.25)))
    write(tmp_path / "b.nii.gz", Volume.from_array(PIXELS, "ZYX", (2.5, 0.5, 0.25)))
    (tmp_path / "bad.nii.gz").write_text("no image")
    [told] = choose(tmp_path / "bad.nii.gz", tmp_path / "a.ome.tif", tmp_path / "b.nii.gz")
    assert "bad.nii.gz" in told
    for layer, name in zip(viewer.layers, ("a.ome.tif", "b.nii.gz"), strict=True):
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
        np.testing.assert_array_equal(affine_of(layer), read(tmp_path / name).affine)
        np.testing.assert_array_equal(layer.data, PIXELS)
    mask = viewer.add_labels(np.ones(PIXELS.shape, np.uint8), affine=affine_of(viewer.layers[0]))
    content = snapshot(mask, [viewer.layers[0]])
    assert target_of(mask, content) == tmp_path / "a_mask.ome.tif"


def test_folders(choose, viewer, tmp_path):
    series(tmp_path / "ct", PIXELS)
    assert choose(tmp_path / "ct") == []
    assert np.array_equal(viewer.layers[0].data, PIXELS)
    (tmp_path / "empty").mkdir()
    [told] = choose(tmp_path / "empty")
    assert "holds no DICOM" in told
    assert len(viewer.layers) == 1


def test_a_changed_mind_opens_nothing(choose, viewer):
    assert choose() == []
    assert not viewer.layers
