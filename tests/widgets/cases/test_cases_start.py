"""From an empty window to a project with cases."""

from __future__ import annotations

from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.core.project import Project


def test_an_empty_window_says_what_to_do_first(open_widget):
    widget = open_widget()
    assert widget.start.isVisibleTo(widget)
    assert not widget.work.isVisibleTo(widget)
    assert not widget.progress.run.isVisibleTo(widget)
    assert widget.start.new.isEnabled()


def test_opens_from_the_menu_of_plugins(registered, viewer):
    _dock, widget = viewer.window.add_plugin_dock_widget("napari-lgmsnet", "Cases")
    assert widget.start.isVisibleTo(widget)


def test_a_new_project_by_its_buttons(open_widget, settle, tmp_path, folder, monkeypatch):
    widget = open_widget()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "project"))
    widget.start.new.click()
    settle(widget)
    assert Project.is_project(tmp_path / "project")
    assert widget.no_cases.isVisibleTo(widget)
    assert not widget.table.isVisibleTo(widget)
    (folder / "notes.txt").write_text("no image")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    widget.no_cases.folder.click()
    settle(widget)
    assert [case.name for case in widget.desk.cases()] == [f"picture {i}" for i in range(3)]
    assert "3 cases added" in widget.progress.line.text()
    assert not widget.no_cases.isVisibleTo(widget)
    # The first one is on screen, and listed projects offer this one the next time.
    assert widget.desk.case.name == "picture 0"
    files = [str(folder / "picture 1.png")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files, ""))
    widget.add_images()
    settle(widget)
    assert "1 was there already" in widget.progress.line.text()
    widget.close_project()
    assert [button.toolTip() for button in widget.start.recent] == [str(tmp_path / "project")]
    widget.start.recent[0].click()
    settle(widget)
    assert widget.desk.case.name == "picture 0"


def test_a_folder_that_is_no_project_is_said(open_widget, settle, tmp_path):
    widget = open_widget()
    widget.open_project(tmp_path)
    settle(widget)
    assert "is no project" in widget.progress.line.text()
    assert widget.start.isVisibleTo(widget)
