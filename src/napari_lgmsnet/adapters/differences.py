"""The layer that shows where a mask and a reference differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.adapters.layers import geometry_of
from napari_lgmsnet.adapters.results import METADATA

if TYPE_CHECKING:
    from napari import Viewer

COLOURS: dict[int | None, Any] = {
    1: (0.2, 0.6, 1.0, 1.0),
    2: (1.0, 0.45, 0.2, 1.0),
    3: (1.0, 0.9, 0.2, 1.0),
}
"""Missed, extra, other class: told apart by people who do not see red and green, too."""


def show_difference(viewer: Viewer, target: Target, difference: NDArray[np.uint8]) -> Labels:
    """Show in a layer of its own, over the mask, where it is not what the reference says."""
    name = f"{target.mask.name} difference"
    layer: Any = next((one for one in viewer.layers if one.name == name), None)
    if not isinstance(layer, Labels) or layer.data.shape != target.mask.data.shape:
        colours = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0), **COLOURS}
        layer = Labels(
            np.zeros(target.mask.data.shape, np.uint8),
            name=name,
            colormap=DirectLabelColormap(color_dict=colours),
            features={"index": [0, 1, 2, 3], "class": ["same", "missed", "extra", "other class"]},
            metadata={METADATA: {"role": "difference"}},
            **geometry_of(target.mask),
        )
        viewer.add_layer(layer)
        viewer.layers.selection.active = target.mask
    layer.data[target.box] = difference
    layer.refresh()
    return layer
