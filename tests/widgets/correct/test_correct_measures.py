"""Measures and comparisons, live and on request."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.widgets import correct_measures


def test_a_mask_too_large_to_follow_says_why_and_is_measured_on_request(
    halved, settle, qtbot, monkeypatch
):
    widget, mask = halved
    qtbot.waitUntil(lambda: widget.measures.table.rowCount() > 0)
    monkeypatch.setattr(correct_measures, "LIVE", 100)
    mask.data_setitem((np.array([1]), np.array([1])), 1)
    qtbot.waitUntil(lambda: not widget.measures.line.isHidden())
    assert "older than your last edits" in widget.measures.line.text()
    assert "Choose Measure" in widget.measures.line.text()
    widget.measures.refresh.click()
    settle(widget)
    assert widget.measures.line.isHidden()
    index = widget.measures.columns["class"].index("lesion")
    assert widget.measures.columns["pixels"][index] >= 1


def test_measures_follow_the_mask(halved, qtbot, settle, tmp_path, monkeypatch):
    widget, mask = halved

    def area():
        headers = [
            widget.measures.table.horizontalHeaderItem(i).text()
            for i in range(widget.measures.table.columnCount())
        ]
        if "pixels" not in headers or not widget.measures.table.rowCount():
            return -1
        return int(widget.measures.table.item(0, headers.index("pixels")).text())

    qtbot.waitUntil(lambda: area() == np.sum(mask.data == 1), timeout=20_000)
    mask.data_setitem((np.array([0, 0]), np.array([0, 1])), 1)
    qtbot.waitUntil(lambda: area() == np.sum(mask.data == 1), timeout=20_000)
    assert list(mask.features["class"]) == ["lesion", "cyst"]
    assert "area (px²)" in mask.features.columns
    file = tmp_path / "measures.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(file), ""))
    widget.measures.save.click()
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert int(rows[0]["pixels"]) == np.sum(mask.data == 1)


def test_a_reference_shows_where_they_differ(halved, settle, viewer, disc):
    widget, mask = halved
    _, inside = disc
    place = {"scale": (1.0, 1.2), "translate": (3, -4), "rotate": 20}
    reference = viewer.add_labels(inside.astype(np.uint8), name="truth", **place)
    viewer.layers.selection.active = mask
    widget.measures.reference.choose(reference)
    widget.measures.compare.click()
    settle(widget)
    difference = viewer.layers["mask difference"].data
    assert np.array_equal(difference == 1, inside & (mask.data == 0))
    half = np.sum(mask.data == 1)
    dice = 2 * half / (half + inside.sum())
    assert widget.measures.columns["Dice"][0] == pytest.approx(dice)
    assert isinstance(viewer.layers["mask difference"], Labels)
    assert widget.bench.mask == mask
