"""Make the pictures of the documentation anew, from the real window. Run by ``./run docs``."""

from __future__ import annotations

from pathlib import Path

import napari

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
    viewer.close()


if __name__ == "__main__":
    main()
