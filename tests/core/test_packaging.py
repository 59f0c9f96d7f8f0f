"""What the package asks for, and where it finds what it brings."""

import re
import tomllib
from pathlib import Path

import pytest

import napari_lgmsnet
from napari_lgmsnet.core import resources
from napari_lgmsnet.core.errors import LGMSNetError

PROJECT = Path(__file__).resolve().parents[2]
VIEWER = {"magicgui", "napari", "psygnal", "pyqtgraph", "qtpy", "superqt"}
BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6", "pyside6-essentials"}


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return match.group().lower()


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_base_is_the_headless_half_and_the_bare_viewer(pyproject: dict) -> None:
    base = pyproject["project"]["dependencies"]
    headless = pyproject["dependency-groups"]["headless"]
    assert set(headless) == {entry for entry in base if name_of(entry) not in VIEWER}
    assert {name_of(entry) for entry in base} >= VIEWER


def test_base_brings_no_binding_and_no_extras(pyproject: dict) -> None:
    base = pyproject["project"]["dependencies"]
    assert BINDINGS.isdisjoint(name_of(entry) for entry in base)
    assert not [entry for entry in base if "[" in entry]


def test_everything_asked_for_is_pinned(pyproject: dict) -> None:
    pins = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name_of(line) for line in pins if re.match(r"[A-Za-z0-9._-]+==", line)}
    asked = [*pyproject["project"]["dependencies"]]
    for group in pyproject["dependency-groups"].values():
        asked += [entry for entry in group if isinstance(entry, str)]
    assert {name_of(entry) for entry in asked} <= pinned


@pytest.mark.parametrize("name", ["sample_data", "weights"])
def test_bundled_folder_is_found(name: str) -> None:
    assert resources.resource_folder(name).name == name


def test_bundled_folder_of_an_installed_package_lies_inside_it() -> None:
    package = Path(napari_lgmsnet.__file__).resolve().parent
    expected = PROJECT if package.is_relative_to(PROJECT / "src") else package
    assert resources.resource_folder("weights").parent == expected


def test_missing_folder_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site-packages" / "napari_lgmsnet")
    with pytest.raises(LGMSNetError, match=r'"weights" is missing: there is no .*napari_lgmsnet'):
        resources.resource_folder("weights")


def test_folder_beside_an_installed_package_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site-packages" / "napari_lgmsnet")
    with pytest.raises(LGMSNetError):
        resources.resource_folder("weights")
