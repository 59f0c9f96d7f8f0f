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


def loaded_after(code: str) -> set[str]:
    """Return which modules a fresh interpreter has loaded after some code."""
    return set(
        json.loads(run_fresh(f"import json, sys\n{code}\nprint(json.dumps([*sys.modules]))"))
    )


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import napari_lgmsnet")
    assert loaded.isdisjoint({*WINDOW, "monai", "numpy", "scipy", "skimage", "torch"})
    own = {name for name in loaded if name.startswith("napari_lgmsnet.")}
    assert own == {"napari_lgmsnet.core", "napari_lgmsnet.core.lazily"}


def test_the_controls_of_a_fine_tuning_do_not_wait_for_torch() -> None:
    loaded = loaded_after("from napari_lgmsnet.core.finetune import Control, TuneProgress")
    assert loaded.isdisjoint({"monai", "torch"})


def test_fine_tuning_in_a_process_of_its_own_loads_what_trains_only_there() -> None:
    loaded = loaded_after(
        "from napari_lgmsnet.core.finetune import fine_tune_apart, fine_tune_project, make_settings"
    )
    assert "napari_lgmsnet.core.finetune.apart" in loaded
    assert loaded.isdisjoint({"monai", "napari_lgmsnet.core.finetune.tuner"})


def test_reading_files_loads_what_decodes_them_when_a_file_needs_it() -> None:
    decoders = {"SimpleITK", "dask", "highdicom", "nibabel", "pydicom", "tifffile", "zarr"}
    assert decoders.isdisjoint(loaded_after("import napari_lgmsnet.core.io"))


@pytest.mark.parametrize("name", napari_lgmsnet.__all__)
def test_public_name_exists(name: str) -> None:
    assert name in dir(napari_lgmsnet)
    assert getattr(napari_lgmsnet, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
        _ = napari_lgmsnet.segment_everything
