"""Layers that show what a training changed on a held-out image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_lgmsnet.adapters.doubt_tour import go_to
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
_ROLES = ("held out", "change")


def show_change(viewer: Viewer, change: CaseChange) -> tuple[Image, Labels]:
    """Show a held-out image above all layers, and on it which voxels got right or wrong.

    The one that was shown before gives way. What a person opened or painted is left alone.

    Returns
    -------
    image, change : napari layers
    """
    for old in [
        one for one in viewer.layers if one.metadata.get(METADATA, {}).get("role") in _ROLES
    ]:
        viewer.layers.remove(old)
    order = viewing_order(change.volume.affine)
    data, arguments, _ = layer_data_of(change.volume)[0]
    names = (f"{change.name} held out", f"{change.name} learnt")
    made = [
        {"name": n, "metadata": {METADATA: {"role": r}}} for n, r in zip(names, _ROLES, strict=True)
    ]
    image = Image(data, **{**arguments, **made[0]})
    labels = Labels(
        change.change.transpose(order),
        colormap=DirectLabelColormap(color_dict=COLOURS),
        features={"index": [0, 1, 2, 3], "class": NAMES},
        **{key: arguments[key] for key in ("affine", "units", "axis_labels")},
        **made[1],
    )
    viewer.add_layer(image)
    viewer.add_layer(labels)
    go_to(viewer, np.asarray(labels.data_to_world(_most(change.change.transpose(order) > 0))))
    viewer.reset_view()
    return image, labels


def _most(changed: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return along each axis where most has changed; the middle if nothing has."""
    if not changed.any():
        return tuple(size // 2 for size in changed.shape)
    axes = range(changed.ndim)
    others = [tuple(other for other in axes if other != axis) for axis in axes]
    return tuple(int(changed.sum(axis=other).argmax()) for other in others)
