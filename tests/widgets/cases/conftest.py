"""The Cases widget, empty, and with a project of three pictures."""

from __future__ import annotations

import pytest

from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.io import read
from napari_lgmsnet.widgets.cases import CasesWidget
from tests.core.project.helpers import write_picture
from tests.widgets.cases.helpers import PICTURE
from tests.widgets.conftest import telling_model


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three pictures."""
    for number in range(3):
        write_picture(tmp_path / "images" / f"picture {number}.png", number, PICTURE)
    return tmp_path / "images"


@pytest.fixture(scope="session")
def checkpoint_2d(tmp_path_factory):
    """Return a network that takes about half of a picture for a lesion."""
    folder = tmp_path_factory.mktemp("weights")
    write_picture(folder / "picture.png", 0, PICTURE)
    path = folder / "small-2d.safetensors"
    checkpoints.save(path, telling_model(read(folder / "picture.png")))
    return str(path)


@pytest.fixture
def open_widget(registered, viewer):
    def open_it() -> CasesWidget:
        widget = CasesWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Cases")
        return widget

    return open_it


@pytest.fixture
def settle(qtbot):
    """Wait until nothing is under way and everything is saved."""

    def settled(widget: CasesWidget) -> bool:
        saver = widget.desk.saver
        saved = saver is None or saver.state.status == "saved"
        return widget.desk.settled and saved

    return lambda widget: qtbot.waitUntil(lambda: settled(widget), timeout=60_000)


@pytest.fixture
def begun(open_widget, settle, tmp_path, folder):
    """Return a widget with a new project of three pictures, the first one on screen."""
    widget = open_widget()
    widget.open_project(tmp_path / "project", create=True)
    settle(widget)
    widget.add([folder])
    settle(widget)
    return widget
