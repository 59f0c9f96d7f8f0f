"""Closing a case, the widget, or the window loses nothing."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from napari_lgmsnet.adapters import gradual
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.core.edit import Change
from napari_lgmsnet.core.project import Project
from napari_lgmsnet.widgets import cases as module
from napari_lgmsnet.widgets.cases_questions import Unsaved
from tests.widgets.case_helpers import stroke
from tests.widgets.cases.helpers import delete, kept, mask_of, window_of


def test_closing_the_window_saves(begun, viewer, tmp_path):
    stroke(mask_of(begun), [(10, 10), (10, 30)], 1)
    painted = mask_of(begun).data.copy()
    window_of(viewer).show()
    viewer.__wrapped__.close()
    assert begun.desk.project is None
    with Project.open(tmp_path / "project") as project:
        assert not project.read_only
        np.testing.assert_array_equal(project.labels.read(1).labels, painted)


def test_a_window_with_unsaved_edits_stays_if_the_person_wants(begun, viewer, monkeypatch):
    from napari_lgmsnet.core.errors import ProjectError

    window_of(viewer).show()
    real = begun.desk.close

    def fails(**_: object) -> None:
        raise ProjectError("the disk is full")

    monkeypatch.setattr(begun.desk, "close", fails)
    monkeypatch.setattr(module, "ask_about_unsaved", lambda *_: Unsaved.STAY)
    window_of(viewer).close()
    assert window_of(viewer).isVisible()
    assert begun.desk.project is not None
    monkeypatch.setattr(begun.desk, "close", real)


@pytest.mark.parametrize("way", ["closed", "deleted"])
def test_taking_the_widget_away_saves(begun, viewer, qtbot, tmp_path, way):
    widget = begun
    stroke(mask_of(widget), [(10, 10), (10, 30)], 1)
    painted = mask_of(widget).data.copy()
    if way == "closed":
        window_of(viewer).show()
        viewer.window.remove_dock_widget(widget)
        qtbot.waitUntil(lambda: widget.desk.project is None, timeout=10_000)
    else:
        delete(widget, qtbot)
    gc.collect()
    with Project.open(tmp_path / "project") as project:
        assert not project.read_only
        np.testing.assert_array_equal(project.labels.read(1).labels, painted)


def test_keys_are_offered_and_taken_back(begun, qtbot, viewer):
    session = begun.desk.session
    assert session.do("next_case")
    assert session.do("accept_case")
    delete(begun, qtbot)
    assert not session.do("next_case")
    viewer.layers.clear()


def test_a_case_that_is_closed_while_a_large_change_is_written_keeps_all_of_it(
    begun, viewer, settle, monkeypatch, tmp_path
):
    monkeypatch.setattr(gradual, "AT_ONCE", 40)
    monkeypatch.setattr(gradual, "BUDGET", 0)
    bench = Bench(viewer)
    bench.work_on(mask_of(begun), begun.desk.screen.view.images[0])
    where = np.nonzero(np.ones((20, 30), bool))
    change = Change(where, np.zeros(600, np.uint8), np.ones(600, np.uint8))
    bench.write(bench.target(), change, "tool")
    for _ in range(20):
        bench.session.writer._on_turn()
    assert 0 < np.count_nonzero(mask_of(begun).data) < 600, "it is on its way"
    begun.next_case()
    settle(begun)
    bench.leave()
    assert begun.desk.case.id == 2
    assert begun.close_project()
    labels = kept(tmp_path / "project").labels
    assert labels[:20, :30].all()
    assert np.count_nonzero(labels) == 600


def test_a_mask_that_is_taken_out_of_the_viewer_is_kept(begun, settle, viewer, tmp_path):
    widget = begun
    stroke(mask_of(widget), [(10, 10), (10, 30)], 1)
    painted = mask_of(widget).data.copy()
    viewer.layers.remove(mask_of(widget))
    settle(widget)
    assert widget.desk.case is None
    assert "it is saved" in widget.progress.line.text()
    np.testing.assert_array_equal(kept(tmp_path / "project").labels, painted)
    widget.open_case(1)
    settle(widget)
    np.testing.assert_array_equal(mask_of(widget).data, painted)
