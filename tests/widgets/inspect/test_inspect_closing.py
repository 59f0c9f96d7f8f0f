"""Stopping, and closing what is being looked at."""

import threading

from napari.layers import Image

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import FEATURES
from napari_lgmsnet.core.types import Progress
from tests.widgets.inspect.helpers import maps_of


class Stop:
    """Holds a run at its first step until it may go on."""

    def __init__(self, monkeypatch):
        self.reached, self.go = threading.Event(), threading.Event()
        original = inspect_jobs.look

        def held(*arguments):
            yield Progress(0, 0, "held")
            self.reached.set()
            assert self.go.wait(30)
            return (yield from original(*arguments))

        monkeypatch.setattr(inspect_jobs, "look", held)


def test_cancel_leaves_everything_as_it_was(looked, settle, viewer, monkeypatch, qtbot):
    before, names = looked.looked, [layer.name for layer in viewer.layers]
    stop = Stop(monkeypatch)
    looked.run()
    qtbot.waitUntil(stop.reached.is_set)
    looked.bar.cancel.click()
    stop.go.set()
    settle(looked)
    assert looked.looked is before
    assert [layer.name for layer in viewer.layers] == names
    assert "Stopped" in looked.bar.line.text()
    hooks = [m for m in before.inspection.model.network.modules() if m._forward_hooks]
    assert hooks == []


def test_image_closed_while_the_network_runs(
    open_inspect, settle, viewer, picture, checkpoint_2d, monkeypatch, qtbot
):
    image = viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    stop = Stop(monkeypatch)
    widget.run()
    qtbot.waitUntil(stop.reached.is_set)
    viewer.layers.remove(image)
    stop.go.set()
    settle(widget)
    assert len(viewer.layers) == 0
    assert "closed in the meantime" in widget.bar.line.text()


def test_widget_closed_while_the_network_runs(
    open_inspect, viewer, picture, checkpoint_2d, monkeypatch, qtbot
):
    viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    stop = Stop(monkeypatch)
    widget.run()
    qtbot.waitUntil(stop.reached.is_set)
    background = widget.queue._background
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    stop.go.set()
    qtbot.waitUntil(lambda: not background.running, timeout=60_000)
    assert [type(layer) for layer in viewer.layers] == [Image]
    viewer.add_image(picture, name="another")


def test_closing_the_image_forgets_what_was_seen(looked, settle, viewer):
    viewer.layers.remove(viewer.layers["scan"])
    settle(looked)
    assert looked.looked is None
    assert not looked.choice.stage.isEnabled()
    assert not looked.export.map.isEnabled()
    looked.choice.changed.emit()
    settle(looked)
    assert len(maps_of(viewer, FEATURES)) == 1
