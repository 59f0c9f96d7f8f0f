"""The tree of checkpoints: real files in a real library, chosen, renamed, exported, deleted."""

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.adapters.lineage_jobs import Shelf
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.project import library
from napari_lgmsnet.widgets.lineage import AFTER, BEFORE, LineageView


@pytest.fixture
def family(tmp_path, checkpoint_2d):
    """Keep a parent, two children of it and a grandchild; the first child is in use."""
    model = checkpoints.load(checkpoint_2d)
    folder = tmp_path / "library"
    hashes = []
    with library(folder) as kept:
        for name, parent, dice in (
            ("parent", "", 0.5), ("first", 0, 0.7), ("second", 0, 0.6), ("third", 1, 0.8),
        ):  # fmt: skip
            info = model.info.model_copy(update={"name": name})
            file = tmp_path / f"{name}.safetensors"
            checkpoints.save(file, Model(model.network, info))
            one = kept.add(
                file,
                parent="" if parent == "" else hashes[parent],
                metrics={BEFORE: 0.5, AFTER: dice},
            )
            hashes.append(one.sha256)
        kept.accept(hashes[1])
    return folder, hashes


@pytest.fixture
def view(qtbot, family):
    widget = LineageView()
    qtbot.addWidget(widget)
    widget.show_shelf(Shelf(family[0]))
    qtbot.waitUntil(lambda: not widget.busy)
    return widget


def item(widget: LineageView, *way: int):
    found = widget.tree.topLevelItem(way[0])
    for place in way[1:]:
        found = found.child(place)
    return found


def choose(widget: LineageView, *way: int) -> None:
    widget.tree.clearSelection()
    item(widget, *way).setSelected(True)


def test_every_checkpoint_stands_below_its_parent(view):
    assert item(view, 0).text(0) == "parent"
    assert [item(view, 0, n).text(0) for n in range(2)] == ["first", "second"]
    assert item(view, 0, 0, 0).text(0) == "third"
    assert item(view, 0, 0).text(2) == "in use"
    assert item(view, 0, 0, 0).text(1) == "0.500 → 0.800"


def test_two_are_compared(view):
    item(view, 0, 0).setSelected(True)
    item(view, 0, 1).setSelected(True)
    table = view.figures
    headers = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount())]
    assert headers == ["Figure", "first", "second"]
    row = [table.item(n, 0).text() for n in range(table.rowCount())].index(AFTER)
    assert [table.item(row, n).text() for n in (1, 2)] == ["0.7", "0.6"]
    assert not view.use.isEnabled()


def test_an_older_one_is_used_again(view, family, qtbot):
    folder, hashes = family
    choose(view, 0)
    with qtbot.waitSignal(view.used) as told:
        view.use.click()
    assert told.args == [str(folder / "checkpoints" / f"{hashes[0]}.safetensors")]
    assert item(view, 0).text(2) == "in use"
    with library(folder) as kept:
        assert kept.current_sha256() == hashes[0]


def test_a_new_name_stays_and_none_is_refused(view, family, qtbot):
    choose(view, 0, 1)
    item(view, 0, 1).setText(0, "with ultrasound")
    qtbot.waitUntil(lambda: not view.busy)
    with library(family[0]) as kept:
        assert kept.get(family[1][2]).name == "with ultrasound"
    item(view, 0, 1).setText(0, "  ")
    qtbot.waitUntil(lambda: not view.busy)
    assert "needs a name" in view.line.text()
    assert item(view, 0, 1).text(0) == "with ultrasound"


def test_what_is_exported_is_the_same_network(view, family, qtbot, tmp_path, monkeypatch):
    target = tmp_path / "given away.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    choose(view, 0, 0, 0)
    view.export.click()
    qtbot.waitUntil(lambda: not view.busy)
    given = checkpoints.load(str(target)).network.state_dict()
    kept = checkpoints.load(str(tmp_path / "third.safetensors")).network.state_dict()
    assert all(np.array_equal(given[key], kept[key]) for key in kept)


def test_deleted_is_restorable_and_the_one_in_use_stays(view, family, qtbot):
    folder, hashes = family
    file = folder / "checkpoints" / f"{hashes[2]}.safetensors"
    choose(view, 0, 1)
    view.delete.click()
    qtbot.waitUntil(lambda: not view.busy)
    assert not file.exists()
    assert item(view, 0, 1).text(2) == "in the trash"
    assert view.delete.text() == "Restore"
    view.delete.click()
    qtbot.waitUntil(lambda: not view.busy)
    assert file.exists()
    choose(view, 0, 0)
    view.delete.click()
    qtbot.waitUntil(lambda: not view.busy)
    assert "in use" in view.line.text()
    assert (folder / "checkpoints" / f"{hashes[1]}.safetensors").exists()


def test_a_damaged_library_is_said_and_left_alone(qtbot, tmp_path):
    path = tmp_path / "library" / "project.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    widget = LineageView()
    qtbot.addWidget(widget)
    widget.show_shelf(Shelf(tmp_path / "library"))
    qtbot.waitUntil(lambda: not widget.busy)
    assert "damaged" in widget.line.text()
    assert path.read_bytes() == b"no database" * 1000
