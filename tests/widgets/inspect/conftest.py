"""The Inspect widget in a real viewer, with real small networks."""

import numpy as np
import pytest

from napari_lgmsnet.widgets.inspect import InspectWidget


@pytest.fixture
def picture() -> np.ndarray:
    picture = np.random.default_rng(1).normal(100, 10, (50, 70)).astype(np.float32)
    picture[16:32, 32:48] += 80
    return picture


@pytest.fixture
def open_inspect(registered, viewer, qtbot):
    def open_it(checkpoint: str = "") -> InspectWidget:
        widget = InspectWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Inspect")
        if checkpoint:
            widget.checkpoint.choose(checkpoint)
        return widget

    return open_it


@pytest.fixture
def settle(qtbot):
    """Wait until nothing is left to do."""
    return lambda widget: qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


@pytest.fixture
def looked(open_inspect, settle, viewer, picture, checkpoint_2d):
    """Return a widget that has run."""
    viewer.add_image(picture, name="scan", scale=(0.5, 2.0), translate=(3, -4), rotate=20)
    widget = open_inspect(checkpoint_2d)
    widget.run()
    settle(widget)
    return widget
