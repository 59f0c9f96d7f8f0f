"""Undo and redo of large steps, piece by piece: as napari does it at once."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_lgmsnet.adapters import gradual
from napari_lgmsnet.adapters.recorder import Recorder
from napari_lgmsnet.adapters.session import session_of
from napari_lgmsnet.core.edit import Change
from tests.adapters.helpers import a_mask, random_step

SHAPE = (12, 30, 40)
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def session(viewer, monkeypatch):
    """Return the session of the viewer; steps above 50 voxels are large."""
    monkeypatch.setattr(gradual, "AT_ONCE", 40)
    monkeypatch.setattr(gradual, "UNDO_AT_ONCE", 50)
    monkeypatch.setattr(gradual, "BUDGET", 0)  # one piece a turn
    session = session_of(viewer)
    yield session
    session.writer.finish()


@pytest.fixture
def filled(session, viewer):
    """Return a mask with a small step and a large one, and how it was after each."""
    mask = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="mask")
    mask.data_setitem((np.array([5, 5]), np.array([10, 11]), np.array([10, 11])), 3)
    small = mask.data.copy()
    block = np.zeros(SHAPE, bool)
    block[3:9, 8:20, 8:20] = True
    mask.data_setitem(np.nonzero(block), 1)
    session.writer.take_keys(mask)
    return mask, small, mask.data.copy()


def native_of(viewer):
    window = viewer.__wrapped__.window
    window.show()
    return window._qt_viewer.canvas.native


def half_way(session, mask, whole, turns=9):
    """Let some pieces be undone; the mask is then neither as it was nor as it will be."""
    for _ in range(turns):
        session.writer._on_turn()
    assert session.writer.busy
    assert not np.array_equal(mask.data, whole)


def test_what_was_written_in_pieces_is_taken_back_in_pieces_by_the_key(session, viewer, qtbot):
    mask = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="mask")
    where = tuple(one.ravel() for one in np.mgrid[2:9, 5:25, 5:25])
    change = Change(where, mask.data[where], np.ones(where[0].size, np.uint8))
    box = tuple(slice(0, size) for size in SHAPE)
    session.writer.write(mask, change, box, nullcontext, lambda _written: None)
    qtbot.waitUntil(lambda: not session.writer.busy)
    assert np.count_nonzero(mask.data) == change.voxels
    viewer.layers.selection.active = mask
    QTest.keyClick(native_of(viewer), Qt.Key.Key_Z, CONTROL)
    assert session.writer.busy, "the window has its turn first"
    qtbot.waitUntil(lambda: not session.writer.busy)
    assert not mask.data.any()


def test_a_key_takes_it_back_and_forth_in_turns(session, filled, viewer, qtbot):
    mask, small, whole = filled
    native, drawn = native_of(viewer), []
    viewer.layers.selection.active = mask
    mask.events.set_data.connect(lambda _event: drawn.append(True))
    QTest.keyClick(native, Qt.Key.Key_Z, CONTROL)
    assert session.writer.busy, "the window has its turn first"
    half_way(session, mask, whole)
    assert (mask.data == 1).any()
    qtbot.waitUntil(lambda: not session.writer.busy)
    assert np.array_equal(mask.data, small)
    QTest.keyClick(native, Qt.Key.Key_Z, CONTROL)
    assert not session.writer.busy, "a small step goes at once"
    assert not mask.data.any()
    for expected in (small, whole):
        drawn.clear()
        QTest.keyClick(native, Qt.Key.Key_Z, CONTROL | SHIFT)
        qtbot.waitUntil(lambda: not session.writer.busy)
        assert np.array_equal(mask.data, expected)
        assert drawn
    QTest.keyClick(native, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert np.array_equal(mask.data, whole), "there is nothing more"


def test_undo_again_comes_after_the_rest(session, filled, viewer):
    mask, _small, whole = filled
    native = native_of(viewer)
    viewer.layers.selection.active = mask
    session.writer.undo(mask)
    half_way(session, mask, whole)
    QTest.keyClick(native, Qt.Key.Key_Z, CONTROL)
    assert not session.writer.busy
    assert not mask.data.any(), "both steps are undone"


def test_redo_in_between_brings_all_of_it_back(session, filled):
    mask, _small, whole = filled
    session.writer.undo(mask)
    half_way(session, mask, whole)
    session.writer.redo(mask)
    session.writer.finish()
    assert np.array_equal(mask.data, whole)


def test_a_stroke_comes_after_the_rest(session, filled, viewer):
    mask, small, whole = filled
    native = native_of(viewer)
    viewer.layers.selection.active = mask
    mask.mode, mask.selected_label, mask.brush_size = "paint", 2, 5
    session.writer.undo(mask)
    half_way(session, mask, whole)
    middle = native.rect().center()
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=middle)
    assert not session.writer.busy
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=middle + QPoint(1, 1))
    assert (mask.data == 2).any()
    assert np.array_equal(np.where(mask.data == 2, small, mask.data), small)
    mask.undo()
    assert np.array_equal(mask.data, small)
    session.writer.redo(mask)
    assert (mask.data == 2).any(), "a stroke made meanwhile is what can be redone"


def test_a_mask_that_is_removed_is_undone_whole(session, filled, viewer):
    mask, small, whole = filled
    session.writer.undo(mask)
    half_way(session, mask, whole)
    viewer.layers.remove(mask)
    assert np.array_equal(mask.data, small)
    session.writer.redo(mask)
    assert np.array_equal(mask.data, whole), "outside of a viewer it goes at once"


def test_any_history_goes_back_and_forth_as_napari_does_it(session, viewer):
    large = 0
    for seed in range(3):
        mask, twin = (Labels(a_mask((6, 30, 20), seed)) for _ in range(2))
        viewer.layers.append(mask)
        own, other = np.random.default_rng(seed), np.random.default_rng(seed)
        for _ in range(30):
            random_step(mask, own)
            random_step(twin, other)
        random = np.random.default_rng(seed)
        for _ in range(40):
            back = random.random() < 0.6
            (session.writer.undo if back else session.writer.redo)(mask)
            (twin.undo if back else twin.redo)()
            large += session.writer.busy
            if random.random() < 0.5:
                session.writer.finish()
                assert np.array_equal(mask.data, twin.data), f"seed {seed}"
        session.writer.finish()
        assert np.array_equal(mask.data, twin.data), f"seed {seed}"
    assert large > 10


def test_what_was_undone_is_recorded(session, filled, qtbot):
    mask, small, _whole = filled
    edits, known = [], mask.data.copy()
    recorder = Recorder(mask, edits.append)
    session.writer.undo(mask)
    qtbot.waitUntil(lambda: not session.writer.busy and not recorder.busy)
    for edit in edits:
        known[edit.where] = edit.new
    assert np.array_equal(known, small)
    assert {edit.author for edit in edits} == {"undo"}
    recorder.stop()
