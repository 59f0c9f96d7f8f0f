"""What tests of the Inspect widget ask of a viewer."""

import numpy as np


def choose(combo, value):
    """Choose an entry by its value."""
    index = combo.findData(value)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)


def maps_of(viewer, role):
    """Return the layers that hold a kind of map."""
    return [
        one for one in viewer.layers if one.metadata.get("napari-lgmsnet", {}).get("role") == role
    ]


def value_at(layer, world):
    """Return what a viewer shows at a point of the world."""
    index = np.rint(np.asarray(layer.world_to_data(world))).astype(int)
    return layer.data[tuple(index)]


def add_mask(viewer, picture, name="truth"):
    """Add the mask of the bright square, right on its picture."""
    image = viewer.layers["scan"]
    data = np.zeros(picture.shape, np.uint8)
    data[16:32, 32:48] = 1
    return viewer.add_labels(
        data, name=name, scale=image.scale, translate=image.translate, rotate=image.rotate
    )
