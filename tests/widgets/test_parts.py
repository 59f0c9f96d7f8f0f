"""Words for a person, and the time that is left."""

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtWidgets import QComboBox

from napari_lgmsnet.adapters.layers import image_of
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets import run_bar, text
from napari_lgmsnet.widgets.combos import refill
from napari_lgmsnet.widgets.run_bar import RunBar


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (90, "2 min"), (5400, "1.5 h")]
)
def test_duration(seconds, words):
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("shape", "millimetres", "words"),
    [
        ((4, 5), None, "4 × 5 pixels"),
        ((3, 4, 5), None, "3 × 4 × 5 voxels, size in mm unknown"),
        ((3, 4, 5), 0.5, "3 × 4 × 5 voxels, 0.5 × 0.5 × 0.5 mm"),
        ((9, 3, 4, 5), 1.0, "3 × 4 × 5 voxels, 1 × 1 × 1 mm, 9 frames"),
    ],
)
def test_size(shape, millimetres, words):
    unit, step = ("pixel", 1.0) if millimetres is None else ("mm", millimetres)
    scale = (1.0,) * (len(shape) - 3) + (step,) * min(3, len(shape))
    units = ("pixel",) * (len(shape) - 3) + (unit,) * min(3, len(shape))
    layer = Image(np.zeros(shape), scale=scale, units=units)
    assert text.size_of(image_of(layer)) == words


def test_time_left_is_told_when_a_step_has_shown_how_long_one_takes(qtbot, monkeypatch):
    now = iter([100.0, 110.0, 130.0])
    monkeypatch.setattr(run_bar.time, "monotonic", lambda: next(now))
    bar = RunBar()
    qtbot.addWidget(bar)
    bar.begin()
    bar.show_progress(Progress(0, 0, "reading the image"))
    assert bar.line.text() == "Reading the image …"
    bar.show_progress(Progress(0, 7, "window 1 of 7"))
    assert bar.line.text() == "Window 1 of 7 …"
    bar.show_progress(Progress(1, 7, "window 2 of 7"))
    assert bar.line.text() == "Window 2 of 7, about 1 min left"
    # After running out of memory it starts again, and so does the clock.
    bar.show_progress(Progress(0, 56, "window 1 of 56"))
    assert bar.line.text() == "Window 1 of 56 …"


def test_choice_survives_new_items(qtbot):
    combo = QComboBox()
    qtbot.addWidget(combo)
    refill(combo, [("one", "1"), ("two", "2")])
    combo.setCurrentIndex(1)
    refill(combo, [("zero", "0"), ("one", "1"), ("deux", "2")])
    assert combo.currentText() == "deux"
    refill(combo, [("zero", "0")])
    assert combo.currentText() == "zero"
