"""Several images with their masks: list, numbers, plot, files."""

import csv

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.adapters.inspect_cases import OTHER, UNTRAINED
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.inspect.control import untrained
from napari_lgmsnet.core.inspect.features import features
from tests.widgets.inspect.helpers import choose

PLACES = {"a": {"scale": (0.5, 2.0), "translate": (3, -4)}, "b": {"rotate": 30}, "c": {}}


@pytest.fixture
def images(viewer, picture):
    """Add three images with masks, one of which is empty, and one without."""
    added = {}
    for number, (name, place) in enumerate(PLACES.items()):
        image = np.roll(picture, 3 * number, axis=0)
        mask = np.roll(np.uint8(picture > 150), 3 * number, axis=0) * (name != "c")
        viewer.add_image(image, name=name, **place)
        viewer.add_labels(mask, name=f"{name} mask", **place)
        added[name] = image, mask
    viewer.add_image(picture[:20], name="bare")
    return added


@pytest.fixture
def cases(open_inspect, images, checkpoint_2d):
    return open_inspect(checkpoint_2d).cases


def listed(cases):
    return [cases.list.item(row).text() for row in range(cases.list.count())]


def tick(cases, row, on):
    cases.list.item(row).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


def table(file):
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def column(cases, name):
    shown = cases.table
    titles = [shown.horizontalHeaderItem(i).text() for i in range(shown.columnCount())]
    return [shown.item(row, titles.index(name)).text() for row in range(shown.rowCount())]


def test_images_with_masks_are_listed_and_ticks_kept(open_inspect, viewer, images):
    cases = open_inspect().cases
    assert listed(cases) == ["a with a mask", "b with b mask", "c with c mask"]
    tick(cases, 1, on=False)
    viewer.layers.remove("a mask")
    assert listed(cases) == ["b with b mask", "c with c mask"]
    assert cases.list.item(0).checkState() == Qt.CheckState.Unchecked
    tick(cases, 1, on=False)
    assert not cases.score.isEnabled()
    assert cases.line.text() == "Tick an image first."
    viewer.layers.clear()
    assert "Open images and their masks first" in cases.line.text()
    assert not cases.score.isEnabled()


def test_numbers_are_those_of_each_image_alone(
    cases, settle, images, checkpoint_2d, tmp_path, monkeypatch
):
    widget = cases._owner
    choose(cases.beside, UNTRAINED)
    cases.score.click()
    settle(widget)
    assert "2 images scored" in cases.line.text()
    assert "c: the mask is empty" in cases.line.text()
    model = checkpoints.load(checkpoint_2d)
    for one, label in ((model, "small-2d"), (untrained(model), "small-2d, random weights")):
        for name in "ab":
            image, mask = images[name]
            alone = features(one, image, mask, stages="all").numbers
            mine = [row for row in cases.rows if (row.case, row.checkpoint) == (name, label)]
            assert [row.stage for row in mine] == [row.stage for row in alone]
            np.testing.assert_allclose(
                [(row.energy, row.auc) for row in mine],
                [(row.energy, row.auc) for row in alone],
                rtol=1e-4,
            )
    assert column(cases, "image") == ["a", "a", "b", "b"]
    assert column(cases, "by") == ["small-2d", "random weights"] * 2
    assert not cases.picture.empty
    # Nothing was run for the map: the table is that of the usual stage until another is chosen.
    first = column(cases, "AUC")
    widget.images.choose(widget.viewer.layers["a"])
    widget.run()
    settle(widget)
    choose(widget.choice.stage, "decoder2")
    settle(widget)
    assert column(cases, "AUC") != first
    expected = [f"{round(row.auc, 2):.4g}" for row in cases.rows if row.stage == "decoder2"]
    assert column(cases, "AUC") == expected
    for button, name, count in (
        (cases.save_numbers, "numbers.csv", len(cases.rows)),
        (cases.save_summary, "summary.csv", 2 * 10 * 7),
    ):
        file = tmp_path / name
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, f=file: (str(f), ""))
        button.click()
        settle(widget)
        assert len(table(file)) == count
    file = tmp_path / "shares.svg"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    cases.save_plot.click()
    settle(widget)
    assert "random weights" in file.read_text(encoding="utf-8")


def test_another_checkpoint_stands_beside_it(cases, settle, checkpoint_2d):
    widget = cases._owner
    tick(cases, 2, on=False)
    choose(cases.beside, OTHER)
    widget.comparison.checkpoint.choose(checkpoint_2d)
    cases.score.click()
    settle(widget)
    assert {row.checkpoint for row in cases.rows} == {"small-2d", "small-2d (2)"}
    assert cases.line.text() == "2 images scored."


def test_scoring_can_be_cancelled(cases, settle, qtbot):
    widget = cases._owner
    cases.score.click()
    assert widget.bar.cancel.isEnabled()
    assert not widget.bar.run.isEnabled()
    widget.bar.cancel.click()
    settle(widget)
    assert cases.rows == []
    assert cases.score.isEnabled()
    assert "Stopped" in widget.bar.line.text()
