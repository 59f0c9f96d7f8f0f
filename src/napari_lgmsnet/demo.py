"""The main job on the bundled samples, in a real window: open, segment, compare with the reference.

Run by ``./run demo``. With a screen the window stays open; unattended it is closed after pictures
of it and the figures were written.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_lgmsnet.core.samples import listed, score

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.widgets.segment import SegmentWidget

PLUGIN = "napari-lgmsnet"
SHOWN = ("colin27-axial", "colin27-hippocampus")
PATIENCE = 300.0
"""Seconds after which a run counts as stuck."""


class DemoError(Exception):
    """The window did not do what was asked of it."""


def show_sample(viewer: Viewer, widget: SegmentWidget, name: str) -> dict[str, Any]:
    """Open a sample, segment it as a person would, and compare with its reference.

    Returns
    -------
    dict
        Dice coefficients and the time taken.
    """
    sample = listed()[name]
    viewer.layers.clear()
    viewer.open_sample(PLUGIN, name)
    widget.images.choose(viewer.layers[name])
    widget.checkpoint.choose(sample["checkpoint"])
    start = time.perf_counter()
    widget.run()
    _wait(widget)
    seconds = time.perf_counter() - start
    result = widget.results.of(viewer.layers[name])
    if result is None:
        raise DemoError(f"{name}: {widget.bar.line.text()}")
    reference = viewer.layers[f"{name} reference"]
    dice = score(sample, result.mask.data, reference.data, result.prediction.info)
    _arrange(viewer, result.mask)
    return {
        "sample": name,
        "checkpoint": sample["checkpoint"],
        "dice": {classes: round(value, 4) for classes, value in dice.items()},
        "seconds_with_loading": round(seconds, 2),
        "seconds_of_network": round(result.prediction.seconds, 2),
    }


def _arrange(viewer: Viewer, mask: Any) -> None:
    """Show the slice with most of the mask, and fit it into the window."""
    if mask.ndim == 3 and mask.data.any():
        areas = np.count_nonzero(mask.data, axis=(1, 2))
        index = [int(areas.argmax()), *(n // 2 for n in mask.data.shape[1:])]
        viewer.dims.point = tuple(mask.data_to_world(index))
    viewer.reset_view()
    _settle(0.5)


def _settle(seconds: float) -> None:
    """Let the window lay itself out."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def _wait(widget: SegmentWidget) -> None:
    """Let the window work until the run is over."""
    deadline = time.monotonic() + PATIENCE
    while widget.busy:
        if time.monotonic() > deadline:
            raise DemoError(f"no result after {PATIENCE:.0f} s")
        _settle(0.02)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--unattended", action="store_true", help="close the window at the end")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    import napari

    viewer = napari.Viewer(title="napari-lgmsnet demo")
    viewer.window.resize(1500, 940)
    _dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    figures = []
    for name in SHOWN:
        figures.append(show_sample(viewer, widget, name))
        scores = ", ".join(f"{classes} {dice:.3f}" for classes, dice in figures[-1]["dice"].items())
        picture = options.output / f"{name}.png"
        viewer.screenshot(picture, canvas_only=False, flash=False)
        print(
            f"{name}: Dice {scores} with {figures[-1]['checkpoint']} in "
            f"{figures[-1]['seconds_of_network']:.1f} s; picture in {picture}"
        )
    (options.output / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    if options.unattended:
        viewer.close()
    else:
        print("Paint in the mask to correct it; close the window to end the demo.")
        napari.run()


if __name__ == "__main__":
    main()
