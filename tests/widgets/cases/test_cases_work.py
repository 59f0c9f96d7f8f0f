"""From a folder to accepted masks: prediction, painting, clicks, states, export."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet import load, predict
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import verify
from napari_lgmsnet.core.refine.refiner import Click, Refiner
from napari_lgmsnet.widgets.correct import CorrectWidget
from tests.widgets.case_helpers import stroke
from tests.widgets.cases.helpers import drag, kept, mask_of, states


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
        # Which engine answers is measured; "fused" is 1.2e-5 away from plain torch here.
        np.testing.assert_allclose(answer.foreground, probability, atol=1e-4)
    assert begun.desk.session.loaded.reference == checkpoint_2d
    for way in range(2):
        correct.doubt.tour = None
        correct.doubt.way.setCurrentIndex(way)
        correct.doubt.ask()
        qtbot.waitUntil(lambda: not correct.busy, timeout=60_000)
        assert correct.doubt.tour is not None, "doubt is found in a case as well"
    settle(begun)
