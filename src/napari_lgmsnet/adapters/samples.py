"""Samples: an image, and the reference that a mask can be compared with, hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.samples import listed

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.layers import LayerData
    from napari_lgmsnet.core.types import Volume


def open_sample(name: str) -> list[LayerData]:
    """Return the layers of a sample.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    from napari_lgmsnet.core.io import read, read_labels

    samples = listed()
    if name not in samples:
        raise InputError(f'no sample is called "{name}": choose one of {", ".join(samples)}')
    sample, folder = samples[name], resource_folder("sample_data")
    image, reference = read(folder / sample["image"]), read_labels(folder / sample["reference"])
    return sample_layers(name, image, reference)


def sample_layers(name: str, image: Volume, reference: Volume) -> list[LayerData]:
    """Return the layers of a sample: its reference, hidden, and its image."""
    from napari_lgmsnet.adapters.layers import layer_data_of

    layers = [(data, {**about, "name": name}, kind) for data, about, kind in layer_data_of(image)]
    [(data, about, _kind)] = layer_data_of(reference)
    del about["rgb"]
    hidden = {"name": f"{name} reference", "visible": False, "opacity": 0.5}
    # Below the image, so that the image is the one that gets selected.
    return [(data, {**about, **hidden}, "labels"), *layers]


def colin27_hippocampus() -> list[LayerData]:
    """Open a volume around the left hippocampus."""
    return open_sample("colin27-hippocampus")


def colin27_axial() -> list[LayerData]:
    """Open an axial slice of a head."""
    return open_sample("colin27-axial")


def colin27_slices() -> list[LayerData]:
    """Open a stack of axial slices of a head."""
    return open_sample("colin27-slices")
