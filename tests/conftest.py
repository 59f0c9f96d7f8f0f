"""What every test may use. Imports nothing that needs Qt, napari or torch."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything loads torch: results must not depend on how many cores a machine has, and threads
# of tests that run side by side, and of the programs that they start, would wait for each other.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Every run tries the same examples; `pytest --hypothesis-profile=default` looks for new ones.
settings.load_profile("ci")

# On a Wayland desktop Qt would open the windows there instead of on the virtual X screen.
if sys.platform == "linux":
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb")

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the person's data, settings and caches."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
            folder = tmp_path_factory.mktemp(kind.lower())
            patch.setenv(f"XDG_{kind}_HOME", str(folder))
        yield


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of data that is too large, or not free enough, for the repository."""
    folder = Path(os.environ.get("LGMSNET_SHARED") or PROJECT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f'needs the folder "{folder}"; LGMSNET_SHARED may name another place')
    return folder


def _inside(folder: Path, name: str) -> Path:
    if not (folder / name).is_dir():
        pytest.skip(f'needs the folder "{folder / name}"')
    return folder / name


@pytest.fixture(scope="session")
def datasets(shared_folder: Path) -> Path:
    """Real images with masks; see the README there for licences."""
    return _inside(shared_folder, "datasets")


@pytest.fixture(scope="session")
def fixtures_folder(shared_folder: Path) -> Path:
    """Inputs and answers of the released network."""
    return _inside(shared_folder, "fixtures")
