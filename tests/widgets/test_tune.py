"""The Fine-tune widget in a real viewer: learn, see it, accept, go back, stop, cancel."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QMessageBox

from napari_lgmsnet.adapters.settings import recent_checkpoints
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Project
from napari_lgmsnet.widgets.segment import SegmentWidget
from napari_lgmsnet.widgets.tune import TuneWidget
from napari_lgmsnet.widgets.tune_source import SCRIBBLES


def bright_squares(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return noisy images of a bright square each, and where it is."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        picture = random.normal(100, 10, (64, 64)).astype(np.float32)
        y, x = random.integers(6, 36, 2)
        mask = np.zeros((64, 64), np.uint8)
        mask[y : y + 22, x : x + 22] = 1
        found.append((picture + 90 * mask, mask))
    return found


@pytest.fixture
def open_tune(registered, viewer, tmp_path, checkpoint_2d):
    def open_it(count: int = 6) -> TuneWidget:
        for number, (picture, mask) in enumerate(bright_squares(count)):
            viewer.add_image(picture, name=f"case {number}")
            viewer.add_labels(mask, name=f"case {number} mask")
        widget = TuneWidget(viewer, tmp_path / "kept")
        viewer.window.add_dock_widget(widget, name="Fine-tune")
        widget.checkpoint.choose(checkpoint_2d)
        widget.options.seconds.setValue(8)
        return widget

    return open_it


def test_colour_images_begin_with_the_checkpoint_for_them(registered, viewer, tmp_path):
    widget = TuneWidget(viewer, tmp_path / "kept")
    viewer.window.add_dock_widget(widget, name="Fine-tune")
    assert widget.checkpoint.reference == "brain-t1-2d"
    viewer.add_image(np.zeros((32, 32, 3), np.uint8), name="photo", rgb=True)
    viewer.add_labels(np.eye(32, dtype=np.uint8), name="photo mask")
    assert widget.checkpoint.reference == "polyp-2d"


@pytest.fixture
def settle(qtbot):
    return lambda widget: qtbot.waitUntil(lambda: not widget.busy, timeout=120_000)


def learning(qtbot, widget: TuneWidget) -> None:
    qtbot.waitUntil(lambda: len(widget.curve.losses) > 1, timeout=60_000)


def test_learn_accept_and_go_back(open_tune, settle, qtbot, viewer, checkpoint_2d):
    widget = open_tune()
    segment = SegmentWidget(viewer)
    viewer.window.add_dock_widget(segment, name="Segment")
    segment.checkpoint.choose(checkpoint_2d)
    before = Path(checkpoint_2d).read_bytes()
    masks = {one.name: one.data.copy() for one in viewer.layers if "mask" in one.name}
    widget.options.epochs.setValue(100)
    widget.bar.run.click()
    learning(qtbot, widget)
    assert widget.curve.losses[0][1] > 0
    settle(widget)
    result = widget.tuned.result
    assert result.verdict.better, result.describe()
    assert result.verdict.dice_after > result.verdict.dice_before + 0.1
    assert widget.verdict.isVisibleTo(widget)
    assert widget.verdict.accept.isVisibleTo(widget)
    names = [change.name for change in result.changes]
    assert len(names) == 2
    for name in (*names, names[0]):
        widget.verdict.changes.click()
        learnt = [one.name for one in viewer.layers if one.name.endswith(" learnt")]
        assert learnt == [f"{name} learnt"], "one at a time, each in turn"
        own, held_out, layer = (viewer.layers[name + end] for end in ("", " held out", " learnt"))
        assert list(viewer.layers)[-2:] == [held_out, layer]
        assert np.array_equal(held_out.data, own.data)
        assert np.array_equal(held_out.extent.world, own.extent.world)
        assert np.array_equal(layer.extent.world, own.extent.world)
    assert f"{names[1]} (2 of 2)" in widget.verdict.changes.text()
    widget.verdict.accept.click()
    settle(widget)
    [kept] = widget.folder.glob("checkpoints/*.safetensors")
    child, parent = checkpoints.load(str(kept)), checkpoints.load(checkpoint_2d)
    assert child.info.parent_sha256 == parent.sha256
    assert segment.checkpoint.reference == widget.checkpoint.reference == str(kept)
    assert recent_checkpoints()[0] == str(kept)
    tree = widget.lineage.tree
    assert [tree.topLevelItemCount(), tree.topLevelItem(0).childCount()] == [1, 1]
    assert tree.topLevelItem(0).child(0).text(2) == "in use"
    widget.verdict.parent_again.click()
    settle(widget)
    assert tree.topLevelItem(0).text(2) == "in use"
    assert segment.checkpoint.reference == widget.checkpoint.reference == checkpoint_2d
    assert Path(checkpoint_2d).read_bytes() == before
    for name, mask in masks.items():
        assert np.array_equal(viewer.layers[name].data, mask)


def test_masks_of_other_images_are_not_accepted(open_tune, settle, viewer, tmp_path):
    widget = open_tune(6)
    for number, (_, mask) in enumerate(bright_squares(6, seed=9)):
        viewer.layers[f"case {number} mask"].data = mask
    widget.options.epochs.setValue(30)
    widget.start()
    settle(widget)
    assert not widget.tuned.result.verdict.better, widget.tuned.result.describe()
    assert widget.verdict.line.text().startswith("Not better")
    assert not widget.verdict.accept.isVisibleTo(widget)
    assert not (tmp_path / "kept").exists()


def test_stop_keeps_the_best_and_pause_holds_the_time(open_tune, settle, qtbot):
    widget = open_tune()
    widget.options.seconds.setValue(600)
    widget.start()
    learning(qtbot, widget)
    widget.pause.click()
    qtbot.waitUntil(lambda: "Paused" in widget.bar.line.text(), timeout=20_000)
    steps = len(widget.curve.losses)
    qtbot.wait(800)
    assert len(widget.curve.losses) <= steps + 1
    widget.pause.click()
    qtbot.waitUntil(lambda: len(widget.curve.losses) > steps + 2, timeout=60_000)
    widget.stop.click()
    settle(widget)
    assert widget.tuned.result.stopped
    assert widget.tuned.result.steps > 0


def test_cancel_leaves_everything_as_it_was(open_tune, settle, qtbot, tmp_path):
    widget = open_tune()
    widget.options.seconds.setValue(600)
    widget.start()
    learning(qtbot, widget)
    widget.bar.cancel.click()
    settle(widget)
    assert "nothing was changed" in widget.bar.line.text()
    assert widget.tuned is None
    assert not (tmp_path / "kept").exists()
    assert widget.bar.run.isEnabled()


def test_one_can_go_on_painting_meanwhile(open_tune, settle, qtbot, viewer):
    widget = open_tune()
    widget.options.seconds.setValue(600)
    widget.start()
    learning(qtbot, widget)
    mask = viewer.layers["case 0 mask"]
    mask.data_setitem((np.array([0, 0]), np.array([0, 1])), 1)
    widget.bar.cancel.click()
    settle(widget)
    assert mask.data[0, 0] == 1
    mask.undo()
    assert mask.data[0, 0] == 0


def test_closing_asks_first(open_tune, qtbot, monkeypatch, settle):
    widget = open_tune()
    widget.options.seconds.setValue(600)
    widget.start()
    learning(qtbot, widget)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: answers.pop(0))
    assert not widget._may_close(stays=False)
    assert widget.busy
    assert widget._may_close(stays=False)
    settle(widget)
    assert not answers


def test_taken_out_of_the_window_it_stops_and_does_not_ask(
    open_tune, qtbot, monkeypatch, settle, viewer
):
    widget = open_tune()
    widget.options.seconds.setValue(600)
    widget.start()
    learning(qtbot, widget)

    def asked(*_arguments, **_options):
        raise AssertionError("there is nothing to choose any more")

    monkeypatch.setattr(QMessageBox, "question", asked)
    assert widget._may_close(stays=True)
    settle(widget)
    assert widget.tuned is None


def test_nothing_to_learn_from_is_said(registered, viewer, tmp_path):
    widget = TuneWidget(viewer, tmp_path)
    viewer.window.add_dock_widget(widget, name="Fine-tune")
    assert "Open images" in widget.source.line.text()
    widget.start()
    assert "nothing to learn from" in widget.bar.line.text()
    widget.source.kind.setCurrentIndex(1)
    assert "Open a project" in widget.source.line.text()


def test_each_mask_is_learnt_with_its_own_image(open_tune, viewer):
    widget = open_tune(3)
    pairs = widget.source.pairs()
    assert {pair.name for pair in pairs} == {"case 0", "case 1", "case 2"}
    for pair in pairs:
        assert pair.labels is viewer.layers[f"{pair.name} mask"].data
        assert pair.image.levels[0] is viewer.layers[pair.name].data


def test_earlier_images_are_kept_in_mind(open_tune, settle, tmp_path):
    widget = open_tune(4)
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for number, (picture, _) in enumerate(bright_squares(4, seed=5)):
        tifffile.imwrite(earlier / f"{number}.tif", picture)
    (earlier / "notes.txt").write_text("no image")
    widget.options.references.choose(earlier)
    widget.options.epochs.setValue(3)
    widget.start()
    settle(widget)
    result = widget.tuned.result
    assert result.plan.guard == "replay"
    # Half of them are practised on, and half of them measure.
    assert result.forgetting.cases == 2
    assert "reference" in widget.verdict.detail.text()
    widget.options.references.choose(tmp_path / "empty")
    widget.start()
    settle(widget)
    assert "reference images" in widget.bar.line.text()
    widget.options.references.clear.click()
    assert widget.options.references.folder is None


def test_scribbles_leave_the_rest_open(open_tune, settle, viewer):
    widget = open_tune(2)
    widget.source.rest.setCurrentIndex(widget.source.rest.findData(SCRIBBLES))
    widget.source.background.setValue(2)
    for number in range(2):
        mask = viewer.layers[f"case {number} mask"]
        scribble = np.zeros_like(mask.data)
        scribble[30, :] = np.where(mask.data[30] == 1, 1, 2)
        scribble[10, :] = np.where(mask.data[10] == 1, 1, 2)
        mask.data = scribble
    widget.options.seconds.setValue(5)
    widget.start()
    settle(widget)
    assert widget.tuned is not None, widget.bar.line.text()
    model = widget.tuned.result.candidate
    assert model is None or len(model.info.classes) == 2


def test_accepted_cases_of_a_project(registered, viewer, settle, qtbot, tmp_path, checkpoint_2d):
    folder = tmp_path / "project"
    with Project.create(folder) as project:
        for number, (picture, mask) in enumerate(bright_squares(5)):
            image = tmp_path / f"image-{number}.tif"
            tifffile.imwrite(image, picture)
            [case] = run(project.add([image])).cases
            run(project.labels.store(case.id, labels=mask))
            project.cases.set_state(case.id, "in correction")
            project.cases.set_state(case.id, "accepted")
    with Project.open(folder) as project:
        widget = TuneWidget(viewer, tmp_path / "kept")
        viewer.window.add_dock_widget(widget, name="Fine-tune")
        widget.checkpoint.choose(checkpoint_2d)
        widget.session.use_project(project)
        assert widget.source.from_project
        assert "5 accepted cases" in widget.source.line.text()
        widget.options.epochs.setValue(100)
        widget.start()
        settle(widget)
        assert widget.tuned is not None, widget.bar.line.text()
        assert widget.tuned.result.verdict.better, widget.tuned.result.describe()
        widget.verdict.accept.click()
        settle(widget)
        current = project.checkpoints.current()
        assert current.sha256 == widget.tuned.checkpoint.sha256
        assert widget.checkpoint.reference == str(project.checkpoints.path(current.sha256))
        widget.verdict.parent_again.click()
        settle(widget)
        assert project.checkpoints.current_sha256() == widget.tuned.loaded.model.sha256
        assert widget.checkpoint.reference == checkpoint_2d
        widget.session.use_project(None)
        assert "Open a project" in widget.source.line.text()
