"""Make the pictures of the documentation anew, from the real window. Run by ``./run docs``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QApplication

from napari_lgmsnet.core.samples import listed
from napari_lgmsnet.demo import PLUGIN, show_sample

IMAGES = Path(__file__).resolve().parent / "images"
PICTURES = {"segment.png": "colin27-axial", "segment-volume.png": "colin27-hippocampus"}


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    viewer = napari.Viewer(title="napari-lgmsnet")
    viewer.window.resize(1400, 880)
    _dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    for file, sample in PICTURES.items():
        show_sample(viewer, widget, sample)
        viewer.screenshot(IMAGES / file, canvas_only=False, flash=False)
        print(f"wrote {file}")
    viewer.window.remove_dock_widget(_dock)
    show_inspection(viewer, "colin27-axial")
    viewer.screenshot(IMAGES / "inspect.png", canvas_only=False, flash=False)
    print("wrote inspect.png")
    viewer.close()


def show_inspection(viewer: napari.Viewer, name: str) -> None:
    """Open a sample in the Inspect widget and compare it with its reference."""
    viewer.layers.clear()
    _dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Inspect")
    viewer.open_sample(PLUGIN, name)
    widget.images.choose(viewer.layers[name])
    widget.checkpoint.choose(listed()[name]["checkpoint"])
    widget.run()
    _wait(widget)
    widget.choice.masks.choose(viewer.layers[f"{name} reference"])
    _wait(widget)
    widget.numbers.plot.click()
    _wait(widget)
    viewer.reset_view()
    _wait(widget)


def _wait(widget: Any) -> None:
    """Let the window work until nothing is left to do, and lay itself out."""
    rested = 0
    while rested < 25:
        QApplication.processEvents()
        time.sleep(0.02)
        rested = 0 if widget.busy else rested + 1


if __name__ == "__main__":
    main()
