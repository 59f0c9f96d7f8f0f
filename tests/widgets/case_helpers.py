"""What the tests of the Cases widget share. Needs napari, but no viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

SHAPE = (7, 44, 52)
"""Of the volume in a process that is killed, as the viewer shows it."""


def stroke(layer: Labels, points: list[tuple[float, ...]], label: int) -> None:
    """Paint as the mouse does: several dabs, one undo step."""
    layer.mode = "paint"
    with layer.block_history():
        for before, after in zip([points[0], *points], points, strict=False):
            layer._draw(label, before, after)


def numbered_stroke(layer: Labels, number: int) -> None:
    """Paint what only the number decides."""
    rng = np.random.default_rng(number)
    plane = int(rng.integers(0, SHAPE[0]))
    layer.brush_size = int(rng.integers(2, 9))
    points = [(plane, *(float(rng.integers(0, n)) for n in SHAPE[1:])) for _ in range(3)]
    stroke(layer, points, int(rng.integers(1, 4)))


def labels_after(count: int) -> list[NDArray[np.uint8]]:
    """Return the mask after 0, 1, … numbered strokes."""
    layer = Labels(np.zeros(SHAPE, np.uint8))
    found = [layer.data.copy()]
    for number in range(count):
        numbered_stroke(layer, number)
        found.append(layer.data.copy())
    return found


def write_sagittal(path: Path, seed: int = 0) -> tuple[int, ...]:
    """Write a volume stored in sagittal slices; return the order in which a viewer shows its axes.

    It has :data:`SHAPE` as the viewer shows it.
    """
    import nibabel as nib

    from napari_lgmsnet.core.axis_order import viewing_order
    from napari_lgmsnet.core.io import read

    # The file's axes run from front to back, from head to feet and from left to right.
    affine = np.array(
        [[0, 0, 1.5, -20], [-0.8, 0, 0, 30], [0, -3.0, 0, 12], [0, 0, 0, 1]], dtype=float
    )
    noise = np.random.default_rng(seed).normal(100, 20, (SHAPE[1], SHAPE[0], SHAPE[2]))
    image = nib.Nifti1Image(noise.astype(np.float32), affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return viewing_order(read(path).affine)
