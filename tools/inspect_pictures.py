r"""Pictures of the Inspect widget on real polyps, ultrasound, skin and hippocampus images.

    xvfb-run -a -s "-screen 0 1600x1000x24" python tools/inspect_pictures.py \
        --data DATASETS --out FOLDER [--only polyp] [--stage encoder5]

DATASETS holds the folders ``polypgen_256``, ``busi_256``, ``isic_256`` (each with ``images`` and
``masks``) and ``hippocampus`` (``images`` and ``labels``). The terms of these data sets do not let
their images be passed on with this project, so FOLDER must lie outside of it.

Each is shown to the checkpoint that was trained for it; another one can be named with
``--checkpoint``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtWidgets import QApplication

from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.training.data import read_mask
from napari_lgmsnet.demo import PLUGIN
from napari_lgmsnet.widgets.inspect_section import Section

PROJECT = Path(__file__).resolve().parents[1]
OUTLINES = DirectLabelColormap(
    color_dict={None: "transparent", 0: "transparent", 1: "cyan", 2: "lime"}
)
CASES = {
    "polyp": ("polypgen_256", "masks", "polyp-2d"),
    "ultrasound": ("busi_256", "masks", "breast-ultrasound-2d"),
    "skin": ("isic_256", "masks", "skin-2d"),
    "hippocampus": ("hippocampus", "labels", "hippocampus-3d"),
}


def first_case(folder: Path, masks: str) -> tuple[Path, Path]:
    """Return an image and its mask: the first of the validation list, or the tenth by name."""
    listed = folder / "val.txt"
    images = sorted((folder / "images").iterdir())
    if listed.is_file():
        stem = listed.read_text(encoding="utf-8").split("\n")[0].strip().removesuffix(".png")
        image = next(one for one in images if one.name.startswith(f"{stem}."))
    else:
        image = images[9]
    stem = image.name.split(".")[0]
    names = (f"{stem}.", f"{stem}_")
    return image, next(one for one in (folder / masks).iterdir() if one.name.startswith(names))


def work(widget: Any) -> None:
    """Let the window work until nothing is left to do, and lay itself out."""
    rested = 0
    while rested < 25:
        QApplication.processEvents()
        time.sleep(0.02)
        rested = 0 if widget.busy else rested + 1


def show(viewer: Any, image: Path, mask: Path, checkpoint: str, stage: str) -> None:
    """Inspect an image, with its mask as an outline."""
    solid = image.name.endswith(".nii.gz")
    [layer] = viewer.open(image, plugin=PLUGIN if solid else "napari")
    labels = np.asarray(read_labels(mask).data if solid else read_mask(mask, 127).data)
    reference = viewer.add_labels(
        labels, name="reference", affine=layer.affine, units=layer.units, colormap=OUTLINES
    )
    reference.contour = 1
    _dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Inspect")
    widget.images.choose(layer)
    widget.checkpoint.choose(checkpoint)
    widget.run()
    work(widget)
    if widget.looked is None:
        raise SystemExit(f"{image}: {widget.bar.line.text()}")
    widget.choice.masks.choose(reference)
    widget.choice.stage.setCurrentIndex(widget.choice.stage.findData(stage))
    for section in widget.findChildren(Section):
        section.button.setChecked(section.button.text() in ("Feature map", "All stages"))
    widget.stages.plot.click()
    work(widget)
    if solid:
        viewer.dims.set_current_step(0, int(np.argmax(labels.astype(bool).sum(axis=(1, 2)))))
    viewer.layers.move(viewer.layers.index(reference), len(viewer.layers))
    viewer.reset_view()
    work(widget)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--stage", default="encoder5")
    parser.add_argument("--checkpoint")
    options = parser.parse_args()
    out = options.out.resolve()
    if out.is_relative_to(PROJECT):
        raise SystemExit(f'"{out}" lies inside of the project, where these images must not be')
    out.mkdir(parents=True, exist_ok=True)
    for name, (folder, masks, checkpoint) in CASES.items():
        if options.only in (None, name):
            viewer = napari.Viewer(title="napari-lgmsnet")
            viewer.window.resize(1400, 880)
            image, mask = first_case(options.data / folder, masks)
            show(viewer, image, mask, options.checkpoint or checkpoint, options.stage)
            viewer.screenshot(out / f"{name}.png", canvas_only=False, flash=False)
            print(f"wrote {out / name}.png ({image.name})")
            viewer.close()


if __name__ == "__main__":
    main()
