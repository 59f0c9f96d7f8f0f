"""The Correct widget on small masks."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.widgets.correct import CorrectWidget
from tests.widgets.conftest import telling_model
from tests.widgets.correct.helpers import LESION


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of a bright disc, and which of its pixels are the disc."""
    y, x = np.mgrid[:90, :110]
    inside = (y - 45) ** 2 + (x - 50) ** 2 < 25**2
    noise = np.random.default_rng(2).normal(0, 4, inside.shape)
    return (100 + 80 * inside + noise).astype(np.float32), inside


@pytest.fixture
def open_correct(registered, viewer):
    def open_it() -> CorrectWidget:
        widget = CorrectWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Correct")
        return widget

    return open_it


@pytest.fixture
def settle(qtbot):
    """Wait until nothing is left to do."""
    return lambda widget: qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


@pytest.fixture
def halved(open_correct, settle, viewer, disc):
    """Return a widget, and a mask of which the right half is missing."""
    picture, inside = disc
    place = {"scale": (1.0, 1.2), "translate": (3, -4), "rotate": 20}
    viewer.add_image(picture, name="scan", **place)
    half = inside.astype(np.uint8)
    half[:, 50:] = 0
    mask = viewer.add_labels(half, name="mask", features=LESION, **place)
    widget = open_correct()
    settle(widget)
    return widget, mask


@pytest.fixture
def solid(open_correct, settle, viewer):
    """Return a widget, and a mask of a volume with specks and a hole in each slice."""
    labels = np.zeros((5, 40, 50), np.uint8)
    labels[:, 8:30, 10:34] = 1
    labels[:, 15:18, 15:18] = 0
    labels[:, 35:37, 40:42] = 1
    labels[2:4, 3:6, 40:46] = 2
    viewer.add_image(np.zeros(labels.shape), name="scan", scale=(3, 1, 1))
    mask = viewer.add_labels(labels, name="mask", features=LESION, scale=(3, 1, 1))
    widget = open_correct()
    settle(widget)
    return widget, mask


@pytest.fixture
def predicted(open_widget, finish, open_correct, settle, viewer, disc, tmp_path):
    """Return a widget with a mask that a network made."""
    picture, _ = disc
    path = tmp_path / "small-2d.safetensors"
    checkpoints.save(path, telling_model(picture))
    viewer.add_image(picture, name="scan", scale=(0.5, 0.5))
    segment = open_widget(str(path))
    segment.run()
    finish(segment)
    widget = open_correct()
    settle(widget)
    return widget, viewer.layers["scan mask"]
