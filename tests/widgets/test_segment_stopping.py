"""Stopping the Segment widget, and what goes wrong in it."""

import threading

from napari_lgmsnet.adapters import jobs
from napari_lgmsnet.core.types import Progress
from tests.widgets.segment_helpers import mask_of


def test_cancel_midway_changes_nothing(
    open_widget, finish, viewer, volume, checkpoint_2d, qtbot, monkeypatch
):
    closed, steps = threading.Event(), []

    def endless(request):
        try:
            while True:
                steps.append(len(steps))
                yield Progress(len(steps) % 50, 50, "window")
        finally:
            closed.set()

    monkeypatch.setattr(jobs, "segment", endless)
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_2d)
    widget.run()
    qtbot.waitUntil(lambda: "left" in widget.bar.line.text())
    widget.bar.cancel.click()
    finish(widget)
    assert closed.is_set()
    assert "nothing was changed" in widget.bar.line.text()
    assert [layer.name for layer in viewer.layers] == ["scan"]
    assert widget.bar.run.isEnabled()
    assert not widget.bar.cancel.isEnabled()


def test_torch_error_in_the_worker_is_shown(
    open_widget, finish, viewer, volume, checkpoint_3d, monkeypatch, caplog
):
    from napari_lgmsnet.core import inference

    def broken(model, volume, settings):
        import torch

        yield Progress(0, 1, "window")
        torch.zeros(2, 3) @ torch.zeros(2, 3)

    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    with monkeypatch.context() as patch:
        patch.setattr(inference, "iterate", broken)
        widget.run()
        finish(widget)
    text = widget.bar.line.text()
    assert "RuntimeError" in text
    assert "shapes cannot be multiplied" in text
    assert "Traceback" in widget.bar.line.toolTip()
    assert [layer.name for layer in viewer.layers] == ["scan"]
    widget.bar.run.click()
    finish(widget)
    assert mask_of(viewer).name == "scan mask"


def test_image_closed_while_running(open_widget, finish, viewer, volume, checkpoint_3d):
    image = viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_3d)
    widget.run()
    viewer.layers.remove(image)
    finish(widget)
    assert len(viewer.layers) == 0
    assert "dropped" in widget.bar.line.text()


def test_closing_the_widget_stops_its_work(
    open_widget, viewer, volume, checkpoint_2d, qtbot, monkeypatch
):
    closed = threading.Event()

    def endless(request):
        try:
            while True:
                yield Progress(0, 0, "window")
        finally:
            closed.set()

    monkeypatch.setattr(jobs, "segment", endless)
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint_2d)
    widget.run()
    qtbot.waitUntil(lambda: widget.busy)
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.waitUntil(closed.is_set)
    viewer.add_image(volume, name="another")
