"""Saving a mask beside its image, with real files in a real viewer."""

import shutil
import subprocess
from pathlib import Path

import napari_builtins
import nibabel
import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.layers import Labels
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest
from qtpy.QtWidgets import QMessageBox

from napari_lgmsnet.adapters.layers import geometry_of, source_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core.io import read_labels, write, write_labels
from napari_lgmsnet.core.types import Volume
from napari_lgmsnet.widgets.save_bar import SaveBar
from napari_lgmsnet.widgets.save_beside import save_selected_mask

AFFINE = np.array([[2.0, 0, 0, -7], [0, 0.5, 0, 30], [0, 0, 0.5, 4], [0, 0, 0, 1]])


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def open_scan(viewer, path, data=None):
    if data is None:
        data = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    axes = "ZYX"[-data.ndim :]
    write(path, Volume(data, axes, AFFINE[-data.ndim - 1 :, -data.ndim - 1 :], "mm"))
    [layer] = viewer.open(path, plugin="napari-lgmsnet")
    return layer


def mask_of(viewer, image):
    """Add a mask as the Segment widget does, and paint in it."""
    metadata = {METADATA: {"role": "mask", "checkpoint": "brain"}, "source": source_of(image)}
    mask = Labels(np.zeros(image.data.shape, np.uint8), metadata=metadata, **geometry_of(image))
    viewer.add_layer(mask)
    mask.data_setitem((np.array([1]), np.array([2]), np.array([3])), 2)
    return mask


@pytest.fixture
def bar(registered, viewer, qtbot):
    bar = SaveBar(viewer)
    viewer.window.add_dock_widget(bar, name="Save")
    yield bar
    qtbot.waitUntil(lambda: not bar.saver.busy)
    bar.leave()


@pytest.fixture
def press(bar, qtbot):
    """Press the button and wait until it is done."""

    def it():
        bar.button.click()
        qtbot.waitUntil(lambda: not bar.saver.busy, timeout=60_000)
        return bar.line.text()

    return it


def answer_with(monkeypatch, words):
    asked = []

    def answer(box):
        asked.append(box.text())
        [button] = [one for one in box.buttons() if words in one.text()]
        button.click()

    monkeypatch.setattr(QMessageBox, "exec", answer)
    return asked


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_button_waits_for_a_mask(bar, viewer, folder):
    assert not bar.button.isEnabled()
    assert "select a mask" in bar.button.toolTip()
    image = open_scan(viewer, folder / "scan.nii.gz")
    assert not bar.button.isEnabled()
    mask = mask_of(viewer, image)
    assert bar.button.isEnabled()
    viewer.layers.remove(mask)
    assert not bar.button.isEnabled()


def test_mask_is_saved_beside_its_image(bar, viewer, folder, press):
    mask_of(viewer, open_scan(viewer, folder / "scan.nii.gz"))
    text = press()
    assert text.startswith('Saved and checked: "scan_mask.nii.gz" in')
    stored, image = (nibabel.load(folder / f"scan{end}.nii.gz") for end in ("_mask", ""))
    assert stored.header["srow_x"].tobytes() == image.header["srow_x"].tobytes()
    assert np.argwhere(np.asarray(stored.dataobj)).tolist() == [[3, 2, 1]]
    assert files(folder) == {"scan.nii.gz", "scan_mask.nii.gz"}


@pytest.mark.parametrize(
    ("words", "value", "names"),
    [
        ("Replace", 2, {"scan_mask.nii.gz"}),
        ("scan_mask-2", 1, {"scan_mask.nii.gz", "scan_mask-2.nii.gz"}),
        ("Cancel", 1, {"scan_mask.nii.gz"}),
    ],
)
def test_existing_file(bar, viewer, folder, press, monkeypatch, words, value, names):
    mask_of(viewer, open_scan(viewer, folder / "scan.nii.gz"))
    old = folder / "scan_mask.nii.gz"
    write_labels(old, Volume.from_array(np.ones((3, 4, 5)), "ZYX"))
    asked = answer_with(monkeypatch, words)
    text = press()
    assert asked == ['"scan_mask.nii.gz" exists already.']
    assert read_labels(old).data.max() == value
    assert files(folder) - {"scan.nii.gz"} == names
    assert ("Not saved" in text) == (words == "Cancel")


def test_saved_again_it_asks(bar, viewer, folder, press, monkeypatch):
    mask = mask_of(viewer, open_scan(viewer, folder / "scan.nii.gz"))
    press()
    asked = answer_with(monkeypatch, "Replace")
    mask.data_setitem((np.array([0]), np.array([0]), np.array([0])), 3)
    press()
    assert len(asked) == 1
    assert read_labels(folder / "scan_mask.nii.gz").data.max() == 3


def test_mask_is_saved_as_it_was_when_the_button_was_pressed(bar, viewer, folder, qtbot):
    mask = mask_of(viewer, open_scan(viewer, folder / "scan.nii.gz"))
    bar.button.click()
    mask.data_setitem((np.array([0]), np.array([0]), np.array([0])), 9)
    qtbot.waitUntil(lambda: not bar.saver.busy)
    assert read_labels(folder / "scan_mask.nii.gz").data.max() == 2


def test_mask_that_a_person_added_belongs_to_the_image_under_it(bar, viewer, folder, press):
    open_scan(viewer, folder / "other.nii.gz", np.zeros((3, 4, 9), np.float32))
    image = open_scan(viewer, folder / "scan.nii.gz")
    by_hand = Labels(np.ones((3, 4, 5), int), **geometry_of(image))
    viewer.add_layer(by_hand)
    assert '"scan_mask.nii.gz"' in press()
    # Two images under it: nobody knows.
    open_scan(viewer, folder / "again.nii.gz")
    viewer.layers.selection.active = by_hand
    assert "File > Save Selected Layer(s)" in press()


def test_picture_opened_by_napari_itself(bar, viewer, folder, press, npe2pm):
    builtins = Path(napari_builtins.__file__).with_name("builtins.yaml")
    npe2pm.register(PluginManifest.from_file(builtins))
    write(folder / "photo.png", Volume.from_array(np.eye(6, dtype=np.uint8), "YX"))
    (folder / "photo.png").rename(folder / "photo.jpg")
    [image] = viewer.open(folder / "photo.jpg", plugin="napari")
    mask = Labels(
        np.eye(6, dtype=np.uint8),
        metadata={METADATA: {"role": "mask"}, "source": source_of(image)},
        **geometry_of(image),
    )
    viewer.add_layer(mask)
    assert '"photo_mask.png"' in press()
    assert np.array_equal(read_labels(folder / "photo_mask.png").data, np.eye(6))


def test_mask_of_nothing_that_is_known(bar, viewer, press):
    viewer.add_labels(np.eye(5, dtype=int), name="by hand")
    assert 'from which file the image under "by hand" was opened' in press()


def test_folder_that_went_away_is_said_at_once(bar, viewer, folder, press):
    (folder / "x").mkdir()
    mask_of(viewer, open_scan(viewer, folder / "x" / "scan.nii.gz"))
    (folder / "x" / "scan.nii.gz").unlink()
    (folder / "x").rmdir()
    assert "there is no folder" in press()
    assert viewer.layers[-1].data.max() == 2


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        done = 1
    if done:
        pytest.skip("needs the right to mount a small disk in memory")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_read_only_and_full_disks_lose_nothing(bar, viewer, small_disk, press, monkeypatch):
    image = open_scan(viewer, small_disk / "scan.nii", np.zeros((3, 40, 50), np.float32))
    mask = mask_of(viewer, image)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "cannot write into the folder" in press()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    press()
    before = (small_disk / "scan_mask.nii").read_bytes()
    answer_with(monkeypatch, "Replace")
    (small_disk / "film.bin").write_bytes(bytes(shutil.disk_usage(small_disk).free - 8192))
    mask.data = np.random.default_rng(0).integers(0, 2**31, mask.data.shape)
    assert "the disk is full" in press()
    assert (small_disk / "scan_mask.nii").read_bytes() == before
    assert files(small_disk) == {"scan.nii", "scan_mask.nii", "film.bin"}


def test_window_that_closes_meanwhile_does_not_stop_it(registered, viewer, folder, qtbot):
    mask = mask_of(viewer, open_scan(viewer, folder / "scan.nii.gz"))
    bar = SaveBar(viewer, lambda: mask)
    job = bar.saver._job
    bar.button.click()
    bar.leave()
    bar.deleteLater()
    qtbot.waitUntil(lambda: not job.running)
    assert read_labels(folder / "scan_mask.nii.gz").data.max() == 2


def test_command_in_the_menu(registered, viewer, folder, qtbot):
    notification_manager.records.clear()
    save_selected_mask()
    mask_of(viewer, open_scan(viewer, folder / "scan.nii.gz"))
    get_app_model().commands.execute_command("napari-lgmsnet.save_mask").result()
    qtbot.waitUntil(lambda: (folder / "scan_mask.nii.gz").exists())

    def told():
        return [record.message for record in notification_manager.records]

    qtbot.waitUntil(lambda: any("Saved and checked" in text for text in told()))
    assert told()[0].startswith("Select a mask")
    viewer.add_labels(np.eye(5, dtype=int), name="by hand")
    save_selected_mask()
    assert "by hand" in told()[-1]
