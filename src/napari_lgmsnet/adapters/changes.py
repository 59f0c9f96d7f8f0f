"""Layers that show what a training changed on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_lgmsnet.adapters.layers import layer_data_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core.axis_order import viewing_order

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.finetune import CaseChange

COLOURS: dict[int | None, Any] = {
    None: "transparent",
    0: "transparent",
    1: (0.2, 0.8, 0.4, 1.0),
    2: (1.0, 0.3, 0.2, 1.0),
    3: (1.0, 0.9, 0.2, 1.0),
}
NAMES = ["same", "right now", "wrong now", "wrong in another way"]


def show_changes(viewer: Viewer, changes: Sequence[CaseChange]) -> list[Labels]:
    """Show in a layer for each held-out image which voxels got right and which got wrong."""
    shown = []
    for change in changes:
        _, arguments, _ = layer_data_of(change.volume)[0]
        order = viewing_order(change.volume.affine)
        name = f"{change.name} learnt"
        for layer in [one for one in viewer.layers if one.name == name]:
            viewer.layers.remove(layer)
        layer = Labels(
            change.change.transpose(order),
            name=name,
            colormap=DirectLabelColormap(color_dict=COLOURS),
            features={"index": [0, 1, 2, 3], "class": NAMES},
            affine=arguments["affine"],
            units=arguments["units"],
            axis_labels=arguments["axis_labels"],
            metadata={METADATA: {"role": "change"}},
        )
        viewer.add_layer(layer)
        shown.append(layer)
    return shown
