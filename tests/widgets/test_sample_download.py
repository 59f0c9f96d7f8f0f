"""Downloadable samples in a real viewer, from a local server."""

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_lgmsnet.core import samples
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.widgets.sample_download import SampleDownload, get_sample_reader, open_sample
from tests.core.server import closed_port, serving, two_samples

PLUGIN = "napari-lgmsnet"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serving() as one:
        folder = two_samples(tmp_path, one)
        monkeypatch.setattr(samples, "resource_folder", lambda _name: folder)
        monkeypatch.setattr(samples, "cache_folder", lambda: tmp_path / "cache")
        yield one


@pytest.fixture
def dialog(registered, viewer, qtbot):
    """Choose a sample in the menu, and return the dialog that it opens."""

    def choose(name="spinal-cord-t2"):
        assert viewer.open_sample(PLUGIN, name) == []
        [one] = dialogs()
        return one

    yield choose
    for one in dialogs():
        one.close()
    qtbot.waitUntil(lambda: not dialogs())


def dialogs():
    widgets = QApplication.topLevelWidgets()
    return [one for one in widgets if isinstance(one, SampleDownload) and one.isVisible()]


def cached(tmp_path):
    return [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_layers_come_when_the_download_is_done(server, dialog, viewer, qtbot):
    dialog()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    reference, image = viewer.layers
    assert (image.name, reference.name) == ("spinal-cord-t2", "spinal-cord-t2 reference")
    assert not reference.visible
    assert viewer.layers.selection.active == image
    assert np.array_equal(np.asarray(image.data) > 50, reference.data)
    np.testing.assert_array_equal(reference.extent.world, image.extent.world)
    qtbot.waitUntil(lambda: not dialogs())
    # The second time it is there at once, and nothing is asked for.
    asked = list(server.asked)
    assert len(viewer.open_sample(PLUGIN, "spinal-cord-t2")) == 2
    assert server.asked == asked


def test_lesion_comes_as_labels(server, dialog, viewer, qtbot):
    dialog("breast-ultrasound")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    assert viewer.layers[0].data.sum() == 4 * 5


def test_viewer_goes_on_while_the_server_is_slow(server, dialog, viewer, qtbot, tmp_path):
    server.slow.add("t2.nii")
    one = dialog()
    for words in ("spinal-cord-t2, from 127.0.0.1", "Terms: MIT"):
        assert any(words in label.text() for label in one.findChildren(type(one.line)))
    qtbot.waitUntil(lambda: one.bar.value() > 0, timeout=60_000)
    assert " of 0.2 MB" in one.line.text()
    assert not one.isModal()
    viewer.add_image(np.zeros((4, 5)), name="meanwhile")
    # Chosen again, it is the same download.
    assert viewer.open_sample(PLUGIN, "spinal-cord-t2") == []
    assert dialogs() == [one]
    job = one._job
    qtbot.mouseClick(one.close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialogs() and not job.running)
    server.go_on.set()
    qtbot.waitUntil(lambda: not cached(tmp_path), timeout=60_000)
    assert [layer.name for layer in viewer.layers] == ["meanwhile"]
    assert server.asked == ["t2.nii"]


@pytest.mark.parametrize("trouble", ["wrong", "missing", "offline"])
def test_trouble_is_said_and_can_be_tried_again(
    server, dialog, viewer, qtbot, tmp_path, monkeypatch, trouble
):
    words = {"wrong": "not the expected file", "missing": "404", "offline": "no connection"}
    right = dict(server.files)
    if trouble == "wrong":
        server.files["t2.nii"] = b"x" * 1000
    elif trouble == "missing":
        del server.files["t2.nii"]
    else:
        index = tmp_path / "index.json"
        text = index.read_text()
        index.write_text(text.replace(server.url, closed_port()))
    notification_manager.records.clear()
    one = dialog()
    qtbot.waitUntil(one.again.isVisible, timeout=60_000)
    assert words[trouble] in one.line.text()
    assert str(tmp_path / "cache" / "samples" / "spinal-cord-t2") in one.line.text()
    assert one.close_button.text() == "&Close"
    assert cached(tmp_path) == []
    assert not viewer.layers
    # What is wrong is said once, in the dialog.
    assert not notification_manager.records
    server.files |= right
    if trouble == "offline":
        index.write_text(text)
    qtbot.mouseClick(one.again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)


def test_second_file_that_is_wrong_opens_nothing(server, dialog, viewer, qtbot):
    server.files["t2_seg.nii"] = b"x" * 1000
    one = dialog()
    qtbot.waitUntil(one.again.isVisible, timeout=60_000)
    assert '"t2_seg.nii" was not downloaded' in one.line.text()
    assert not viewer.layers


def test_without_a_window_it_is_opened_at_once(server, npe2pm):
    layers = open_sample("lgmsnet-sample://spinal-cord-t2")
    assert [kind for *_, kind in layers] == ["labels", "image"]


def test_reader_is_for_its_addresses_only():
    assert get_sample_reader("lgmsnet-sample://spinal-cord-t2") is open_sample
    assert get_sample_reader("scan.nii.gz") is None
    assert get_sample_reader(["lgmsnet-sample://spinal-cord-t2"]) is None


def test_menu_offers_what_the_index_lists(registered):
    from npe2 import PluginManager

    [entries] = [data for name, data in PluginManager.instance().iter_sample_data()]
    offered = {one.key: (one.display_name, one.uri) for one in entries if hasattr(one, "uri")}
    assert offered == {
        name: (entry["title"], f"lgmsnet-sample://{name}")
        for name, entry in samples.downloadable().items()
    }


def test_nothing_is_asked_for_unless_chosen(server, registered, viewer):
    for entry in samples.downloadable():
        assert not any(one.done for one in samples.downloads_of(entry).values())
    assert server.asked == []
    run(samples.download("spinal-cord-t2"))
    assert server.asked
