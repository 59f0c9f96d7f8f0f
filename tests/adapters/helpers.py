"""Masks, and what may happen to them."""

from __future__ import annotations

import numpy as np


def a_mask(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 4, shape, dtype=np.uint8)


def stroke(layer, points, label):
    """Paint as the mouse does: several dabs, one undo step, drawn in between."""
    layer.mode = "paint"
    with layer.block_history():
        for before, after in zip([points[0], *points], points, strict=False):
            layer._draw(label, before, after)


def random_step(layer, rng):
    """Do one of the things that a person, a tool or a program does to a mask."""
    shape = layer.data.shape
    point = lambda: tuple(float(rng.integers(0, size)) for size in shape)  # noqa: E731
    label, kind = int(rng.integers(0, 5)), rng.integers(0, 9)
    layer.brush_size = int(rng.integers(1, 12))
    layer.n_edit_dimensions = int(rng.integers(2, len(shape) + 1))
    layer.mode = "paint"
    if kind == 0:
        stroke(layer, [point() for _ in range(rng.integers(1, 4))], label)
    elif kind == 1:
        layer.fill(point(), label)
    elif kind == 2:
        layer.paint(point(), label)
    elif kind == 3:  # repeated places, several values
        where = tuple(rng.integers(0, size, 40) for size in shape)
        layer.data_setitem(where, rng.integers(0, 5, 40, dtype=np.uint8))
    elif kind == 4:
        with layer.block_history():
            layer.data_setitem(tuple(rng.integers(0, size, 9) for size in shape), label)
            stroke(layer, [point(), point()], label)
    elif kind == 5:
        layer.data[tuple(slice(0, int(rng.integers(1, size))) for size in shape)] = label
        layer.refresh()
    elif kind == 6:
        layer.data = rng.integers(0, 4, shape, dtype=np.uint8)
        layer._reset_history()
    elif kind == 7:
        layer.undo()
    else:
        layer.redo()
