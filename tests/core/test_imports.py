"""The core must work where there is no window: nothing in it may load Qt or the viewer."""

import json
import subprocess
import sys

import pytest

import napari_lgmsnet

WINDOW = ["PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui", "napari", "qtpy", "superqt"]

IMPORT_ONE_BY_ONE = """
import importlib, json, pkgutil, sys

import napari_lgmsnet.core as core

forbidden = set(json.loads(sys.argv[1]))
modules = [core.__name__]
modules += [found.name for found in pkgutil.walk_packages(core.__path__, core.__name__ + ".")]
loaded_by = {}
for module in modules:
    importlib.import_module(module)
    for name in forbidden & set(sys.modules):
        loaded_by.setdefault(name, module)
print(json.dumps({"modules": modules, "loaded_by": loaded_by}))
"""


def run_fresh(code: str, *arguments: str) -> str:
    """Run code in an interpreter that has loaded nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_no_core_module_loads_the_window() -> None:
    # One interpreter for all modules: each fresh one would load torch again for seconds.
    answer = json.loads(run_fresh(IMPORT_ONE_BY_ONE, json.dumps(WINDOW)))
    assert "napari_lgmsnet.core.errors" in answer["modules"]
    assert answer["loaded_by"] == {}


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {*WINDOW, "monai", "numpy", "scipy", "skimage", "torch", "napari_lgmsnet.core"}
    loaded = run_fresh("import json, sys, napari_lgmsnet; print(json.dumps(list(sys.modules)))")
    assert heavy.isdisjoint(json.loads(loaded))


def test_reading_files_loads_what_decodes_them_when_a_file_needs_it() -> None:
    decoders = {"SimpleITK", "dask", "highdicom", "nibabel", "pydicom", "tifffile", "zarr"}
    code = "import json, sys, napari_lgmsnet.core.io; print(json.dumps(list(sys.modules)))"
    assert decoders.isdisjoint(json.loads(run_fresh(code)))


@pytest.mark.parametrize("name", napari_lgmsnet.__all__)
def test_public_name_exists(name: str) -> None:
    assert name in dir(napari_lgmsnet)
    assert getattr(napari_lgmsnet, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
        _ = napari_lgmsnet.segment_everything
