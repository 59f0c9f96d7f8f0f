"""Numbers of the map on screen and of all stages, their plots and files."""

import csv
import threading

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.adapters.inspect_layers import ATTENTION, FEATURES
from napari_lgmsnet.adapters.inspect_plots import REDUNDANCY
from napari_lgmsnet.core.inspect import scores
from napari_lgmsnet.core.inspect.numbers import number_stages
from napari_lgmsnet.core.inspect.redundancy import spectrum
from tests.widgets.inspect.helpers import add_mask, choose, maps_of


def table(file):
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def shown(widget):
    """Return the words of the table of the map on screen."""
    table = widget.features.numbers.table
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def expected(widget, mask):
    """Return the same as the library computes it."""
    rows, _spectra = number_stages(widget.looked.inspection, mask.data)
    [row] = [row for row in rows if row.stage == "encoder5"]
    even = row.energy / row.foreground
    figures = (row.energy, even, row.auc, row.pointing, row.dice)
    return [["lesion", *(f"{figure:.2f}" for figure in figures)]]


def test_numbers_against_a_mask(looked, settle, viewer, picture):
    widget = looked
    assert "Choose a mask" in widget.features.numbers.line.text()
    mask = add_mask(viewer, picture)
    assert widget.choice.masks.currentText() == "truth"
    settle(widget)
    assert shown(widget) == expected(widget, mask)
    widget.choice.masks.setCurrentIndex(widget.choice.masks.findText("none"))
    settle(widget)
    assert shown(widget) == []


def test_a_mask_that_is_there_is_chosen_by_the_first_run(
    open_inspect, settle, viewer, picture, checkpoint_2d
):
    image = viewer.add_image(picture, name="scan")
    add_mask(viewer, picture)
    viewer.add_labels(np.ones((5, 5), np.uint8), name="of something else")
    viewer.layers.selection.active = image
    widget = open_inspect(checkpoint_2d)
    assert widget.choice.masks.currentText() == "none"
    widget.run()
    settle(widget)
    assert widget.choice.masks.currentText() == "truth"
    widget.choice.masks.setCurrentIndex(widget.choice.masks.findText("none"))
    widget.run()
    settle(widget)
    assert widget.choice.masks.currentText() == "none"


def test_numbers_follow_the_brush_and_undo(looked, settle, viewer, picture, monkeypatch):
    widget = looked
    mask = add_mask(viewer, picture)
    settle(widget)
    widget.stages.plot.click()
    widget.attention.place.click()
    settle(widget)
    [attention] = maps_of(viewer, ATTENTION)
    before, plotted = shown(widget), widget.stages.plotted
    threads = set()
    original = scores.score
    monkeypatch.setattr(
        scores,
        "score",
        lambda *arguments: threads.add(threading.get_ident()) or original(*arguments),
    )
    mask.brush_size = 20
    mask.paint((44, 10), 1)
    settle(widget)
    assert shown(widget) == expected(widget, mask) != before
    painted = widget.stages.plotted
    assert [row.energy for row in painted.rows] != [row.energy for row in plotted.rows]
    assert not widget.stages.picture.empty
    # What a person looks at stays on screen, and the window is not made to wait.
    assert attention.visible
    assert not maps_of(viewer, FEATURES)[0].visible
    monkeypatch.undo()
    assert threads
    assert threading.get_ident() not in threads
    mask.undo()
    settle(widget)
    assert shown(widget) == before
    mask.data[:] = 0
    mask.refresh()
    settle(widget)
    assert shown(widget) == []
    assert "mask is empty" in widget.features.numbers.line.text()
    assert widget.stages.picture.empty


def test_mask_of_another_image_is_refused(looked, settle, viewer):
    viewer.add_labels(np.ones((9, 9), np.uint8), name="elsewhere")
    settle(looked)
    assert '"elsewhere" (9 × 9) does not have the voxels' in looked.features.numbers.line.text()
    assert looked.features.numbers.table.rowCount() == 0


def test_mask_that_was_moved_is_refused(looked, settle, viewer, picture):
    mask = add_mask(viewer, picture)
    settle(looked)
    mask.translate = mask.translate + 5
    looked.features.see()
    settle(looked)
    assert "in the same place" in looked.features.numbers.line.text()


def test_plot_of_all_stages_and_their_table(looked, settle, viewer, picture, tmp_path, monkeypatch):
    widget = looked
    add_mask(viewer, picture)
    settle(widget)
    widget.stages.plot.click()
    settle(widget)
    assert not widget.stages.picture.empty
    file = tmp_path / "numbers.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), "Table (*.csv)"))
    widget.stages.save_numbers.click()
    settle(widget)
    rows = table(file)
    assert [row["stage"] for row in rows][:2] == ["stem", "encoder1"]
    assert len(rows) == len(widget.looked.inspection.stages)


def test_a_mask_that_was_selected_before_is_followed_too(
    open_inspect, settle, viewer, picture, checkpoint_2d
):
    viewer.add_image(picture, name="scan")
    mask = add_mask(viewer, picture)
    widget = open_inspect(checkpoint_2d)
    assert widget.choice.masks.currentText() == "truth"
    widget.run()
    settle(widget)
    before = shown(widget)
    mask.paint((44, 10), 1)
    settle(widget)
    assert shown(widget) == expected(widget, mask) != before


def test_channel_redundancy_needs_no_mask(looked, settle, viewer, tmp_path, monkeypatch):
    widget = looked
    stages = widget.stages
    assert not stages.plot.isEnabled()
    assert "Choose a mask first" in stages.line.text()
    choose(stages.measure, REDUNDANCY)
    stages.plot.click()
    settle(widget)
    assert not stages.picture.empty
    inspection = widget.looked.inspection
    names = [stage.name for stage in inspection.stages]
    assert set(stages.plotted.spectra) == set(names)
    one = spectrum(inspection.features("encoder5"))
    assert stages.plotted.spectra["encoder5"].effective_rank == one.effective_rank
    file = tmp_path / "values.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    stages.save_numbers.click()
    settle(widget)
    rows = [row for row in table(file) if row["stage"] == "encoder5"]
    values = [float(row["singular value"]) for row in rows]
    np.testing.assert_allclose(values, one.values, rtol=1e-5)
    assert float(rows[0]["effective rank"]) == pytest.approx(one.effective_rank, rel=1e-5)


@pytest.mark.parametrize("name", ["plot.png", "plot.svg"])
def test_plot_is_saved(looked, settle, tmp_path, monkeypatch, name):
    widget = looked
    choose(widget.stages.measure, REDUNDANCY)
    widget.stages.plot.click()
    settle(widget)
    file = tmp_path / name
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    widget.stages.save_plot.click()
    settle(widget)
    assert f'Wrote "{name}"' in widget.bar.line.text()
    assert file.stat().st_size > 1000


def test_numbers_of_the_map_are_saved(looked, settle, viewer, picture, tmp_path, monkeypatch):
    add_mask(viewer, picture)
    settle(looked)
    file = tmp_path / "numbers"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), "Table (*.csv)"))
    looked.export.numbers.click()
    settle(looked)
    [row] = table(tmp_path / "numbers.csv")
    assert float(row["energy"]) == pytest.approx(looked.features.rows[0].energy, rel=1e-5)
    # A name without its ending may hit a file that the dialog did not ask about.
    looked.export.numbers.click()
    assert "choose it by its whole name" in looked.bar.line.text()


def test_channels_are_ranked(looked, settle, viewer, picture):
    widget = looked
    choose(widget.choice.reduce, "channel")
    assert not widget.choice.best.isEnabled()
    add_mask(viewer, picture)
    settle(widget)
    widget.choice.best.click()
    settle(widget)
    assert widget.choice.ranked.count() == widget.features.seen.channels
    assert widget.choice.channel.value() == widget.choice.ranked.itemData(0)


@pytest.mark.parametrize("name", ["map.png", "map.svg", "map.nii.gz", "map.tif"])
def test_map_is_saved(looked, settle, tmp_path, monkeypatch, name):
    file = tmp_path / name
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    looked.export.map.click()
    settle(looked)
    assert f'Wrote "{name}"' in looked.bar.line.text()
    assert file.stat().st_size > 100
