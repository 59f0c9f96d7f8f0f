"""Make the pictures of the documentation anew, from the real window. Run by ``./run docs``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import napari
from qtpy.QtWidgets import QApplication

from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.samples import listed
from napari_lgmsnet.demo import PLUGIN, show_sample
from napari_lgmsnet.widgets.inspect_section import Scroller, Section
from napari_lgmsnet.widgets.tune import TuneWidget

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
    for file, show in (
        ("inspect.png", show_inspection),
        ("inspect-volume.png", show_inspected_volume),
        ("correct.png", show_correction),
        ("finetune.png", show_tuning),
        ("cases-new.png", partial(show_cases, steps=1)),
        ("cases.png", partial(show_cases, steps=2)),
        ("cases-accepted.png", partial(show_cases, steps=3)),
    ):
        viewer.layers.clear()
        with TemporaryDirectory() as folder, show(viewer, Path(folder)) as dock:
            viewer.reset_view()
            _rest()
            viewer.screenshot(IMAGES / file, canvas_only=False, flash=False)
            print(f"wrote {file}")
        viewer.window.remove_dock_widget(dock)
    viewer.close()


@contextmanager
def show_inspection(viewer: napari.Viewer, _folder: Path) -> Iterator[Any]:
    """Inspect a sample, compare the map with its reference, and score it beside the control."""
    dock, widget = _open(viewer, "Inspect")
    _show_sample(viewer, widget, "colin27-axial")
    widget.run()
    _wait(widget)
    _show_stages(widget)
    yield dock


@contextmanager
def show_inspected_volume(viewer: napari.Viewer, _folder: Path) -> Iterator[Any]:
    """Inspect a volume with a 3D checkpoint."""
    dock, widget = _open(viewer, "Inspect")
    _show_sample(viewer, widget, "colin27-hippocampus")
    widget.run()
    _wait(widget)
    widget.choice.stage.setCurrentIndex(widget.choice.stage.findData("decoder4"))
    _wait(widget)
    _show_stages(widget)
    reference = _show_on_top(viewer, "colin27-hippocampus reference")
    reference.contour = 1
    viewer.dims.set_current_step(0, int(reference.data.any(axis=(1, 2)).nonzero()[0].mean()))
    yield dock


def _show_stages(widget: Any) -> None:
    """Plot all stages of what was inspected."""
    for section in widget.findChildren(Section):
        section.button.setChecked(section.button.text() in ("Feature map", "All stages"))
    widget.stages.plot.click()
    _wait(widget)
    widget.findChild(Scroller).ensureWidgetVisible(widget.stages.save_plot)


@contextmanager
def show_correction(viewer: napari.Viewer, _folder: Path) -> Iterator[Any]:
    """Segment a sample, look where the network doubts, and correct by a click."""
    segmenting, segment = _open(viewer, "Segment")
    _show_sample(viewer, segment, "colin27-axial")
    segment.run()
    _wait(segment)
    viewer.window.remove_dock_widget(segmenting)
    dock, widget = _open(viewer, "Correct")
    _wait(widget)
    widget.doubt.show.click()
    _wait(widget)
    widget.clicks.switch.click()
    region = widget.doubt.tour.regions[0]
    widget.clicks.tool.click(widget.doubt.tour.target.point_of(region.centre))
    _wait(widget)
    yield dock


@contextmanager
def show_tuning(viewer: napari.Viewer, folder: Path) -> Iterator[Any]:
    """Teach a network the slices of a sample."""
    widget = TuneWidget(viewer, folder)
    dock = viewer.window.add_dock_widget(widget, name="Fine-tune (LGMSNet)")
    _show_sample(viewer, widget, "colin27-slices")
    _show_on_top(viewer, "colin27-slices reference")
    widget.source.refresh()
    widget.start()
    _wait(widget)
    yield dock


@contextmanager
def show_cases(viewer: napari.Viewer, folder: Path, steps: int) -> Iterator[Any]:
    """Open two samples as cases of a project; predict the first; correct and accept it."""
    dock, widget = _open(viewer, "Cases")
    samples = folder / "images"
    samples.mkdir()
    for name in ("colin27_axial_t1.png", "colin27_slices_t1.nii.gz"):
        shutil.copy(resource_folder("sample_data") / name, samples / name)
    widget.open_project(folder / "heads", create=True)
    _wait(widget)
    widget.checkpoint.choose("brain-t1-2d")
    widget.add([samples])
    _wait(widget)
    if steps > 1:
        widget.predict()
        _wait(widget)
    if steps > 2:
        mask = viewer.layers["colin27_axial_t1 mask"]
        mask.mode, mask.brush_size = "erase", 38
        for row in (90, 100, 110):
            mask.paint((row, 0), 0)
        widget.bar.accept.click()
        _wait(widget)
    yield dock
    widget.close_project(layers=False)


def _open(viewer: napari.Viewer, name: str) -> tuple[Any, Any]:
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)


def _show_sample(viewer: napari.Viewer, widget: Any, name: str) -> None:
    viewer.open_sample(PLUGIN, name)
    if hasattr(widget, "images"):
        widget.images.choose(viewer.layers[name])
    widget.checkpoint.choose(listed()[name]["checkpoint"])


def _show_on_top(viewer: napari.Viewer, name: str) -> Any:
    """Show a layer above all others, and return it."""
    layer = viewer.layers[name]
    layer.visible = True
    viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
    return layer


def _rest(seconds: float = 0.6) -> None:
    """Let the window lay itself out."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)


def _wait(widget: Any) -> None:
    """Let the window work until nothing is left to do, and lay itself out."""
    rested = 0
    while rested < 25:
        QApplication.processEvents()
        time.sleep(0.02)
        busy = widget.desk.busy if hasattr(widget, "desk") else widget.busy
        rested = 0 if busy else rested + 1


if __name__ == "__main__":
    main()
