"""What napari is told: it must exist, be quick to open, and agree with the code."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_lgmsnet
from napari_lgmsnet.adapters import samples, settings
from napari_lgmsnet.adapters.reader import get_reader
from napari_lgmsnet.core.errors import InputError

MANIFEST = Path(napari_lgmsnet.__file__).with_name("napari.toml")

OPEN_THE_WIDGET = """
import json, sys
from npe2 import PluginManifest, PluginManager
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
PluginManager.instance().register(PluginManifest.from_file(sys.argv[1]))
viewer = ViewerModel()
viewer.add_image(__import__("numpy").zeros((3, 40, 40)))
from napari_lgmsnet.widgets.segment import SegmentWidget
widget = SegmentWidget(viewer)
heavy = {"torch", "monai", "nibabel", "scipy.ndimage"}
print(json.dumps(sorted(heavy & set(sys.modules) - set(json.loads(sys.argv[2])))))
"""
NAPARI_ALONE = """
import json, sys
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
import napari.qt.threading
viewer = ViewerModel()
viewer.add_image(__import__("numpy").zeros((3, 40, 40)))
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(MANIFEST)


def test_everything_named_exists(manifest):
    manifest.validate_imports()


def test_every_sample_is_offered(manifest):
    # Those to download are tested with the window that downloads them.
    bundled = [one for one in manifest.contributions.sample_data if hasattr(one, "command")]
    offered = {entry.key: entry.display_name for entry in bundled}
    assert offered == {name: entry["title"] for name, entry in samples.listed().items()}
    commands = {entry.id: entry.title for entry in manifest.contributions.commands}
    for entry in bundled:
        assert commands[entry.command] == entry.display_name


def test_menu_entry_opens_the_widget(manifest):
    entries = manifest.contributions.menus["napari/layers/segment"]
    commands = [entry.command for entry in entries]
    names = ("segment", "inspect", "correct", "tune", "save_mask", "save_settings")
    assert commands == [f"napari-lgmsnet.{name}" for name in names]
    assert set(commands[:4]) <= {widget.command for widget in manifest.contributions.widgets}


def test_menu_of_files_opens_without_asking_for_a_plugin(manifest):
    entries = manifest.contributions.menus["napari/file/io_utilities"]
    assert [entry.command.split(".")[1] for entry in entries] == ["open_files", "open_folder"]


def test_everything_that_can_be_read_can_be_opened(manifest):
    """PNG and TIFF napari opens itself; pages of other formats are for our reader."""
    from napari_lgmsnet.core.io import READABLE, itk, nifti

    [patterns] = [
        set(reader.filename_patterns)
        for reader in manifest.contributions.readers
        if reader.command == "napari-lgmsnet.get_reader"
    ]
    assert patterns >= {f"*{ending}" for ending in (*nifti.ENDINGS, *itk.ENDINGS)}
    assert {pattern[1:] for pattern in patterns if pattern.startswith("*.")} <= {*READABLE, ".zarr"}


def test_preferences_have_the_defaults_of_the_code(manifest):
    declared = manifest.contributions.configurations["segment"].properties
    defaults = {key: entry.default for key, entry in declared.items()}
    assert defaults == settings.Preferences().model_dump()


def fresh(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_opening_the_widget_does_not_wait_for_torch(qapp):
    alone = fresh(NAPARI_ALONE)
    assert fresh(OPEN_THE_WIDGET, str(MANIFEST), json.dumps(alone)) == []


@pytest.fixture
def registered(plugin_settings, npe2pm):
    npe2pm.register(PluginManifest.from_file(MANIFEST))


def test_recent_checkpoints(registered, tmp_path):
    assert settings.recent_checkpoints() == []
    files = [tmp_path / f"{i}.safetensors" for i in range(settings.RECENT + 2)]
    for file in files:
        file.touch()
        settings.remember_checkpoint(str(file))
    settings.remember_checkpoint(str(files[-2]))
    expected = [files[-2], files[-1], *files[-3:1:-1]]
    assert settings.recent_checkpoints() == [str(file) for file in expected]
    files[-2].unlink()
    assert settings.recent_checkpoints() == [str(file) for file in expected[1:]]


def test_settings_of_an_unknown_plugin_are_the_defaults(plugin_settings):
    assert settings.preferences() == settings.Preferences()
    settings.remember_checkpoint("somewhere.safetensors")
    assert settings.recent_checkpoints() == []


def test_nonsense_in_the_list_of_recent_checkpoints_is_no_error(registered):
    from napari.settings import get_plugin_settings

    for nonsense in ("not json", "3", '{"a": 1}', "[1, null]"):
        get_plugin_settings(settings.PLUGIN).history.checkpoints = nonsense
        assert settings.recent_checkpoints() == []


@pytest.mark.parametrize("name", samples.listed())
def test_sample_opens_in_a_viewer(registered, make_napari_viewer_proxy, name):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample(settings.PLUGIN, name)
    image, reference = viewer.layers[name], viewer.layers[f"{name} reference"]
    assert viewer.layers.selection.active == image
    assert not reference.visible
    assert reference.data.max() > 0
    np.testing.assert_array_equal(reference.extent.world, image.extent.world)


def test_unknown_sample_names_those_that_exist():
    with pytest.raises(InputError, match="colin27-axial"):
        samples.open_sample("lena")


def test_reader_is_used_for_nifti(registered, make_napari_viewer_proxy):
    from napari_lgmsnet.core import io
    from napari_lgmsnet.core.resources import resource_folder

    path = resource_folder("sample_data") / "colin27_hippocampus_t1.nii.gz"
    viewer = make_napari_viewer_proxy()
    viewer.open(path, plugin=settings.PLUGIN)
    [layer] = viewer.layers
    np.testing.assert_allclose(layer.affine.affine_matrix, io.read(path).affine)
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3


@pytest.mark.parametrize(
    ("path", "accepted"),
    [("a.nii", True), ("a.NII.GZ", True), ("a.png", True), ("a.txt", False), (["a.nii"], False)],
)
def test_reader_accepts(path, accepted):
    assert (get_reader(path) is not None) == accepted
