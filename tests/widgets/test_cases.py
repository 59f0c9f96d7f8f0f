"""The Cases widget in a real viewer, on real files: what a person does, and what is kept of it."""

from __future__ import annotations

import gc
import os
import shutil

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet import load, predict
from napari_lgmsnet.adapters import gradual
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.core.edit import Change
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Project, verify
from napari_lgmsnet.core.refine.refiner import Click, Refiner
from napari_lgmsnet.widgets import cases as module
from napari_lgmsnet.widgets.cases import CasesWidget
from napari_lgmsnet.widgets.cases_questions import Unsaved
from napari_lgmsnet.widgets.correct import CorrectWidget
from tests.core.project.helpers import write_picture
from tests.widgets.case_helpers import SHAPE, stroke, write_sagittal

PICTURE = (50, 60)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three pictures."""
    for number in range(3):
        write_picture(tmp_path / "images" / f"picture {number}.png", number, PICTURE)
    return tmp_path / "images"


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


def mask_of(widget):
    return widget.desk.screen.view.mask


def window_of(viewer):
    """Return the window behind a viewer's proxy, for what only Qt can do."""
    return viewer.__wrapped__.window._qt_window


def delete(widget, qtbot):
    """Delete a widget as Qt does with those of a window that is gone."""
    gone = []
    widget.destroyed.connect(lambda: gone.append(True))
    widget.deleteLater()
    qtbot.waitUntil(lambda: bool(gone))


def states(widget):
    return [case.state for case in widget.desk.project.cases.all()]


def kept(folder, case_id=1):
    """Return a case's mask as another program reads it."""
    with Project.open(folder, read_only=True) as project:
        return project.labels.read(case_id)


def point_at(viewer, layer, index, zoom=8):
    """Bring a voxel into the middle of the canvas; return the canvas and its middle."""
    window_of(viewer).show()
    native = window_of(viewer)._qt_viewer.canvas.native
    world = layer.data_to_world(index)
    for axis in viewer.dims.not_displayed:
        viewer.dims.set_point(axis, world[axis])
    viewer.scene.camera.center = tuple(world[axis] for axis in viewer.dims.displayed)
    viewer.scene.camera.zoom = zoom
    return native, QPoint(native.width() // 2, native.height() // 2)


def drag(viewer, qtbot, layer, index, pixels=60):
    """Paint a stroke with the mouse, from a voxel on to the right."""
    native, middle = point_at(viewer, layer, index)
    qtbot.waitUntil(lambda: native.width() > 50, timeout=5000)
    native, middle = point_at(viewer, layer, index)
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(native, left, pos=middle)
    for step in range(1, 4):
        QTest.mouseMove(native, middle + QPoint(step * pixels // 3, 0))
        qtbot.wait(20)
    QTest.mouseRelease(native, left, pos=middle + QPoint(pixels, 0))


# --- before there is anything --------------------------------------------------------------------


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


# --- from folder to accepted masks ---------------------------------------------------------------


def test_from_folder_to_accepted_masks(begun, settle, viewer, qtbot, checkpoint_2d, tmp_path):
    widget, project = begun, tmp_path / "project"
    widget.checkpoint.choose(checkpoint_2d)
    widget.predict()
    settle(widget)
    # The next one was predicted ahead of time, and no more than that.
    assert states(widget) == ["predicted", "predicted", "new"]
    assert all(case.doubt is not None for case in widget.desk.cases()[:2])
    prediction = kept(project).prediction
    np.testing.assert_array_equal(mask_of(widget).data, prediction)
    assert kept(project).settings["checkpoint"] == "small-2d"
    [known] = widget.desk.project.checkpoints.all()
    assert kept(project).checkpoint == known.sha256 != ""

    layer = mask_of(widget)
    layer.selected_label, layer.brush_size, layer.mode = 1, 3, "paint"
    layer.data_setitem((np.array([30]), np.array([30])), 0)
    before = layer.data.copy()
    drag(viewer, qtbot, layer, (25, 20))
    settle(widget)
    assert layer.data[25, 20] == 1
    assert not np.array_equal(layer.data, before)
    assert states(widget)[0] == "in correction"
    assert "in correction" in widget.table.cases.data(widget.table.cases.index(0, 1))
    mask = kept(project)
    np.testing.assert_array_equal(mask.labels, layer.data)
    assert not mask.touched[before == layer.data].any() or mask.touched[30, 30]
    painted = layer.data.copy()

    widget.bar.next.click()
    settle(widget)
    assert widget.desk.case.name == "picture 1"
    # With what a person paints stays from case to case.
    assert (mask_of(widget).mode, mask_of(widget).brush_size) == ("paint", 3)
    assert len(viewer.layers) == 2
    widget.bar.previous.click()
    settle(widget)
    np.testing.assert_array_equal(mask_of(widget).data, painted)

    stroke(mask_of(widget), [(10, 10), (10, 30)], 1)
    mask_of(widget).undo()
    settle(widget)
    np.testing.assert_array_equal(kept(project).labels, painted)
    [row] = [one for one in widget.desk.project.ledger() if one.case == "picture 0"]
    assert row.strokes >= 2
    assert row.checkpoint_sha256 == known.sha256
    assert row.minutes > 0

    widget.bar.accept.click()
    assert states(widget)[0] == "accepted"
    assert not widget.bar.accept.isVisibleTo(widget)
    assert not widget.progress.run.isEnabled()
    widget.bar.back.click()
    assert states(widget)[0] == "in correction"
    widget.bar.partial.click()
    assert widget.desk.case.partial
    widget.next_case()
    settle(widget)
    widget.bar.reject.click()
    assert states(widget)[:2] == ["accepted", "rejected"]
    errors = [one for one in run(verify(widget.desk.project)) if one.severity == "error"]
    assert errors == []


def test_edits_made_while_the_network_runs_stay(begun, settle, checkpoint_2d, tmp_path, qtbot):
    widget = begun
    widget.checkpoint.choose(checkpoint_2d)
    widget.predict()
    layer = mask_of(widget)
    label = 2
    while widget.desk.busy:
        stroke(layer, [(5 + label % 40, 5.0), (5 + label % 40, 50.0)], 2)
        label += 3
        qtbot.wait(5)
    settle(widget)
    mask = kept(tmp_path / "project")
    np.testing.assert_array_equal(mask.labels, layer.data)
    assert (mask.labels == 2).any()
    np.testing.assert_array_equal(mask.labels[~mask.touched], mask.prediction[~mask.touched])
    # Undo takes back the strokes, and the prediction with the last of them.
    for _ in range(200):
        layer.undo()
    settle(widget)
    np.testing.assert_array_equal(kept(tmp_path / "project").labels, layer.data)


def test_all_new_cases_are_predicted_in_the_background(begun, settle, checkpoint_2d):
    widget = begun
    widget.checkpoint.choose(checkpoint_2d)
    widget.predict_all()
    settle(widget)
    assert states(widget) == ["predicted"] * 3
    doubts = {case.name: case.doubt for case in widget.desk.cases()}
    widget.filter.order.setCurrentIndex(1)
    names = [widget.table.cases.data(widget.table.cases.index(row, 0)) for row in range(3)]
    assert names == sorted(doubts, key=lambda name: -doubts[name])
    widget.filter.doubt.setValue(max(doubts.values()) + 0.01)
    assert widget.table.cases.rowCount() == 0
    assert not widget.bar.next.isEnabled()
    widget.filter.doubt.setValue(0)
    widget.filter.states.setCurrentIndex(widget.filter.states.findText("New"))
    assert widget.table.cases.rowCount() == 0


def test_cancelling_keeps_what_is_there(begun, settle, checkpoint_2d):
    widget = begun
    widget.checkpoint.choose(checkpoint_2d)
    widget.predict_all()
    widget.progress.cancel.click()
    settle(widget)
    assert states(widget).count("predicted") < 3
    assert not widget.desk.busy
    widget.predict()
    settle(widget)
    assert widget.desk.case.state == "predicted"


def test_a_checkpoint_that_does_not_suit_is_said(begun, settle, checkpoint_3d):
    widget = begun
    widget.checkpoint.choose(checkpoint_3d)
    widget.predict()
    settle(widget)
    assert "works on volumes" in widget.progress.line.text()
    assert states(widget) == ["new"] * 3
    assert widget.progress.run.isEnabled()


def test_the_first_answer_may_be_nothing(begun, settle, tmp_path):
    """An image without a lesion is accepted as it is."""
    widget = begun
    widget.accept()
    assert states(widget)[0] == "accepted"
    assert not kept(tmp_path / "project").labels.any()


def test_one_click_opens_a_case_and_a_note_is_kept(begun, settle, qtbot, tmp_path):
    widget = begun
    table = widget.table
    table.clicked.emit(table.cases.index(2, 0))
    settle(widget)
    assert widget.desk.case.name == "picture 2"
    assert table.cases.setData(table.cases.index(0, 3), "look again")
    qtbot.waitUntil(lambda: widget.desk.project.cases.get(1).note == "look again")
    widget.next_case()
    assert "last case" in widget.progress.line.text()
    assert widget.desk.case.name == "picture 2"


def test_what_was_vouched_for_counts_as_known(begun, settle, tmp_path):
    widget = begun
    session = widget.desk.session
    session.vouched.emit(mask_of(widget), (slice(0, 20), slice(0, 30)))
    settle(widget)
    mask = kept(tmp_path / "project")
    assert mask.vouched[:20, :30].all()
    assert mask.vouched.sum() == 600
    widget.accept_touched()
    _labels, known = widget.desk.project.target(1)
    np.testing.assert_array_equal(known, mask.vouched)


def test_export_and_check(begun, settle, tmp_path, monkeypatch):
    widget = begun
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    widget.export()
    settle(widget)
    assert "no case is accepted yet" in widget.progress.line.text()
    stroke(mask_of(widget), [(10, 10), (10, 30)], 1)
    widget.accept()
    widget.export()
    settle(widget)
    assert "1 case exported" in widget.progress.line.text()
    assert (tmp_path / "out" / "masks" / "picture 0.png").is_file()
    widget.check()
    settle(widget)
    assert "as it should be" in widget.progress.line.text()


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


def test_a_mask_of_another_size_is_said(begun, settle, tmp_path):
    widget = begun
    mask_of(widget).data = np.zeros((4, 4), np.uint8)
    settle(widget)
    assert "another size (4 × 4)" in widget.progress.line.text()
    assert kept(tmp_path / "project").labels.shape == PICTURE


# --- volumes -------------------------------------------------------------------------------------


def test_axes_exchanged_for_viewing_keep_edits_where_they_are(
    open_widget, settle, viewer, qtbot, tmp_path
):
    order = write_sagittal(tmp_path / "sagittal.nii.gz")
    assert order != (0, 1, 2)
    widget = open_widget()
    widget.open_project(tmp_path / "project", create=True)
    settle(widget)
    widget.add([tmp_path / "sagittal.nii.gz"])
    settle(widget)
    layer = mask_of(widget)
    [image] = widget.desk.screen.view.images
    assert layer.data.shape == SHAPE
    np.testing.assert_array_equal(affine_of(layer), affine_of(image))
    layer.mode, layer.brush_size = "paint", 5
    drag(viewer, qtbot, layer, (2, 20, 30), pixels=40)
    assert layer.data[2, 20, 30] == 1
    with widget.desk.session.changing_by("click"):
        layer.data_setitem((np.array([6]), np.array([43]), np.array([51])), 3)
    layer.data[4, 10:40, 5:50] = 2
    layer.refresh()
    settle(widget)
    stored = kept(tmp_path / "project").labels
    np.testing.assert_array_equal(stored.transpose(order), layer.data)
    assert (stored == 3).sum() == 1
    [row] = widget.desk.project.ledger()
    assert (row.strokes, row.clicks) == (1, 1)
    painted = layer.data.copy()
    session, chosen = widget.desk.session, []
    session.mask_chosen.connect(lambda mask, image: chosen.append((mask, image)))
    widget.close_project()
    widget.open_project(tmp_path / "project")
    settle(widget)
    np.testing.assert_array_equal(mask_of(widget).data, painted)
    assert chosen == [(mask_of(widget), widget.desk.screen.view.images[0])]


def test_the_view_is_as_it_was(open_widget, settle, viewer, tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(2):
        write_sagittal(tmp_path / "images" / f"{number}.nii.gz", number)
    widget = open_widget()
    widget.open_project(tmp_path / "project", create=True)
    settle(widget)
    widget.add([tmp_path / "images"])
    settle(widget)
    widget.next_case()
    settle(widget)
    layer = mask_of(widget)
    layer.mode, layer.selected_label, layer.brush_size = "erase", 3, 17
    viewer.dims.set_current_step(0, 5)
    viewer.scene.camera.zoom = 3.21
    viewer.scene.camera.center = (0.0, 4.0, 5.0)
    settle(widget)
    point, center = viewer.dims.point, viewer.scene.camera.center
    assert Project.open(tmp_path / "project", read_only=True).view()["camera"]["zoom"] == 3.21
    widget.close_project()
    assert not viewer.layers
    viewer.scene.camera.zoom = 1
    widget.open_project(tmp_path / "project")
    settle(widget)
    assert widget.desk.case.name == "1"
    assert viewer.dims.point == pytest.approx(point)
    assert viewer.scene.camera.zoom == pytest.approx(3.21)
    assert viewer.scene.camera.center == pytest.approx(center)
    layer = mask_of(widget)
    assert (layer.mode, layer.selected_label, layer.brush_size) == ("erase", 3, 17)


# --- what may go wrong ---------------------------------------------------------------------------


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


def test_clicks_in_a_case_know_what_the_network_thought(
    begun, viewer, settle, qtbot, checkpoint_2d, tmp_path
):
    """A project keeps no probabilities: the network is asked again, once, at the first click."""
    begun.checkpoint.choose(checkpoint_2d)
    begun.predict()
    settle(begun)
    assert begun.close_project()
    begun.desk.session.loaded = None
    begun.open_project(tmp_path / "project")
    settle(begun)
    mask = mask_of(begun)
    image = begun.desk.screen.view.images[0]
    correct = CorrectWidget(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    correct.masks.choose(mask)
    tool, target = correct.clicks.tool, correct.bench.target()
    before = mask.data.copy()
    probability = predict(load(checkpoint_2d), np.asarray(image.data)).foreground
    for index in ((20, 25), (35, 40)):
        own = mask.data == 1
        refiner = Refiner(np.asarray(image.data), probability, target.spacing)
        for earlier in tool._clicked:
            refiner.click(before == 1, earlier.correction.click)
        expected = refiner.click(own, Click(index, not own[index]))
        tool.click(target.point_of(index))
        qtbot.waitUntil(lambda: not correct.busy, timeout=60_000)
        own[expected.box][expected.changed] = expected.click.positive
        np.testing.assert_array_equal(mask.data == 1, own)
        answer = tool._answer[2]
        np.testing.assert_allclose(answer.foreground, probability, atol=1e-5)
    assert begun.desk.session.loaded.reference == checkpoint_2d
    for way in range(2):
        correct.doubt.tour = None
        correct.doubt.way.setCurrentIndex(way)
        correct.doubt.ask()
        qtbot.waitUntil(lambda: not correct.busy, timeout=60_000)
        assert correct.doubt.tour is not None, "doubt is found in a case as well"
    settle(begun)


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
