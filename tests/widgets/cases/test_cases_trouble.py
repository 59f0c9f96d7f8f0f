"""What may go wrong: it is said, and nothing is lost."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.widgets import cases as module
from napari_lgmsnet.widgets.cases import CasesWidget
from napari_lgmsnet.widgets.cases_questions import Unsaved
from tests.core.project.helpers import write_picture
from tests.widgets.case_helpers import stroke
from tests.widgets.cases.helpers import PICTURE, kept, mask_of, states


def test_a_mask_of_another_size_is_said(begun, settle, tmp_path):
    widget = begun
    mask_of(widget).data = np.zeros((4, 4), np.uint8)
    settle(widget)
    assert "another size (4 × 4)" in widget.progress.line.text()
    assert kept(tmp_path / "project").labels.shape == PICTURE


def test_a_second_window_is_told_and_changes_nothing(begun, settle, registered, viewer, tmp_path):
    first = begun
    second = CasesWidget(viewer)
    viewer.window.add_dock_widget(second, name="Second")
    second.open_project(tmp_path / "project")
    settle(second)
    assert second.notice.isVisibleTo(second)
    assert "another window of this program" in second.notice.line.text()
    assert second.desk.case.name == "picture 0"
    assert not mask_of(second).editable
    for button in (second.bar.accept, second.bar.reject, second.progress.run):
        assert not button.isEnabled()
        assert "only be looked at" in button.toolTip()
    mask_of(second).data[:] = 1
    mask_of(second).refresh()
    second.accept()
    assert states(first)[0] == "new"
    stroke(mask_of(first), [(10, 10), (10, 30)], 1)
    settle(first)
    assert second.close_project()
    second.open_project(tmp_path / "project")
    settle(second)
    np.testing.assert_array_equal(mask_of(second).data, mask_of(first).data)


@pytest.mark.skipif(os.name == "nt", reason="limits on the size of files are POSIX")
def test_a_full_disk_is_said_and_edits_stay(begun, settle, qtbot, tmp_path, monkeypatch):
    import resource

    widget, project = begun, tmp_path / "project"
    layer, rng = mask_of(widget), np.random.default_rng(0)
    where = tuple(index.ravel() for index in np.indices(PICTURE))

    def scribble() -> None:
        layer.data_setitem(where, rng.integers(0, 200, where[0].size, dtype=np.uint8))

    for _ in range(60):
        scribble()
    settle(widget)
    (journal,) = (project / "journal").iterdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert journal.stat().st_size > 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 100, limits[1]))
    try:
        scribble()
        qtbot.waitUntil(lambda: widget.desk.saver.state.status == "failed", timeout=20_000)
        qtbot.waitUntil(lambda: "disk is full" in widget.save_line.text(), timeout=5000)
        assert "color" in widget.save_line.styleSheet()
        scribble()
        # It is asked before anything is lost.
        asked = []
        monkeypatch.setattr(
            module, "ask_about_unsaved", lambda _w, why: asked.append(why) or Unsaved.STAY
        )
        assert not widget.close_project()
        assert "disk is full" in asked[0]
        assert widget.desk.project is not None
        widget.accept()
        assert "disk is full" in widget.progress.line.text()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    qtbot.waitUntil(lambda: widget.save_line.text() == "All saved", timeout=30_000)
    assert widget.save_line.styleSheet() == ""
    np.testing.assert_array_equal(kept(project).labels, layer.data)


@pytest.mark.skipif(os.name == "nt", reason="limits on the size of files are POSIX")
def test_edits_that_cannot_be_saved_can_be_given_up(begun, settle, tmp_path, monkeypatch, qtbot):
    widget = begun
    stroke(mask_of(widget), [(10, 10), (10, 30)], 1)
    settle(widget)
    shutil.rmtree(tmp_path / "project" / "journal")
    widget.desk.project.labels.close()
    (tmp_path / "project" / "journal").write_text("no folder any more")
    stroke(mask_of(widget), [(20, 10), (20, 30)], 1)
    qtbot.waitUntil(lambda: widget.desk.saver.state.status == "failed", timeout=20_000)
    answers = [Unsaved.AGAIN, Unsaved.LOSE]
    monkeypatch.setattr(module, "ask_about_unsaved", lambda *_: answers.pop(0))
    assert widget.close_project()
    assert answers == []
    assert widget.desk.project is None


def test_a_moved_image_is_asked_for_and_found(begun, settle, tmp_path, monkeypatch):
    widget = begun
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "images" / "picture 1.png").rename(tmp_path / "elsewhere" / "other name.png")
    (tmp_path / "images" / "picture 2.png").rename(tmp_path / "elsewhere" / "third.png")
    widget.next_case()
    settle(widget)
    assert widget.notice.isVisibleTo(widget)
    assert "picture 1.png" in widget.notice.line.text()
    assert widget.desk.case.name == "picture 0"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "images"))
    widget.notice.answer.click()
    settle(widget)
    assert "is not in" in widget.notice.line.text()
    assert widget.notice.isVisibleTo(widget)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "elsewhere"))
    widget.notice.answer.click()
    settle(widget)
    assert widget.desk.case.name == "picture 1"
    assert not widget.notice.isVisibleTo(widget)
    assert "2 images were found" in widget.progress.line.text()
    widget.next_case()
    settle(widget)
    assert widget.desk.case.name == "picture 2"


def test_an_image_that_was_changed_is_not_painted_over(begun, settle, tmp_path):
    widget = begun
    write_picture(tmp_path / "images" / "picture 1.png", 77, PICTURE)
    widget.next_case()
    settle(widget)
    assert "changed or replaced" in widget.notice.line.text()
    assert widget.desk.case.name == "picture 0"
