"""Random masks, scopes, and the tools under one name."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import EVERYWHERE, Change, Scope
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Progress

Tool = Callable[[np.ndarray, tuple[float, ...], Scope], Generator[Progress, None, Change]]
SPACINGS = (0.5, 1.0, 1.5, 3.0)


def after(labels: np.ndarray, job: Generator[Progress, None, Change]) -> np.ndarray:
    """Return the mask as a tool wants it."""
    copy = labels.copy()
    run(job).apply(copy)
    return copy


def spacing_of(ndim: int) -> tuple[float, ...]:
    """Return an anisotropic spacing."""
    return (3.0, 1.0, 0.5)[-ndim:]


@st.composite
def masks(draw: st.DrawFn, ndim: int | None = None, highest: int = 3) -> np.ndarray:
    """Return masks of lumps and specks, as people and networks make them, with up to 3 labels."""
    ndim = ndim or draw(st.sampled_from([2, 3]))
    coarse = tuple(draw(st.integers(1, 4)) for _ in range(ndim))
    kinds = st.sampled_from([0, 0, 1, 1, 2, highest])
    lumps = draw(arrays(np.uint8, coarse, elements=kinds))
    for axis in range(ndim):
        lumps = np.repeat(lumps, draw(st.integers(1, 3)), axis=axis)
    for _ in range(draw(st.integers(0, 6))):
        voxel = tuple(draw(st.integers(0, size - 1)) for size in lumps.shape)
        lumps[voxel] = draw(kinds)
    return lumps


@st.composite
def scopes(draw: st.DrawFn, shape: tuple[int, ...]) -> Scope:
    """Return scopes for a mask."""
    booleans = arrays(np.bool_, shape)
    region: list[Any] = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start + 1, size))
        region.append(draw(st.sampled_from([start, slice(start, stop), slice(None)])))
    axes = st.sampled_from([None, 0, 1, 2]) if len(shape) == 3 else st.none()
    return Scope(
        region=draw(st.sampled_from([None, tuple(region)])),
        selection=draw(st.one_of(st.none(), booleans)),
        axis=draw(axes),
        locked_labels=draw(st.frozensets(st.integers(2, 3))),
        locked=draw(st.one_of(st.none(), booleans)),
    )


def tools(shape: tuple[int, ...]) -> dict[str, Tool]:
    """Return every tool with settings that suit masks of a shape; label 1 is never locked."""
    proposal = np.resize(np.array([0, 1, 1, 2, 3, 1, 0], np.uint8), shape)
    found: dict[str, Tool] = {
        "keep largest": edit.keep_largest,
        "keep largest of 1": lambda *a: edit.keep_largest(*a, label=1),
        "islands": lambda *a: edit.remove_islands(*a, smaller_than=4),
        "islands of 1": lambda *a: edit.remove_islands(*a, smaller_than=4, label=1),
        "holes": edit.fill_holes,
        "holes of 1": lambda *a: edit.fill_holes(*a, label=1),
        "small holes": lambda *a: edit.fill_holes(*a, up_to=2),
        "smooth": lambda *a: edit.smooth(*a, width=1.1),
        "smooth 1": lambda *a: edit.smooth(*a, width=1.1, label=1),
        "grow": lambda *a: edit.grow(*a, distance=1.5),
        "grow 1": lambda *a: edit.grow(*a, distance=1.5, label=1),
        "grow 1 over others": lambda *a: edit.grow(*a, distance=1.5, label=1, overwrite=True),
        "shrink": lambda *a: edit.shrink(*a, distance=1.5),
        "shrink 1": lambda *a: edit.shrink(*a, distance=1.5, label=1),
        "split by a line": lambda *a: edit.split(*a, label=1, waist=1.0),
        "split into labels": lambda *a: edit.split(*a, label=1, waist=1.0, into="labels"),
        "replace": lambda *a: edit.replace(*a, label=1, by=0),
        "put": lambda *a: edit.put(*a, proposal=proposal),
        "put over": lambda *a: edit.put(*a, proposal=proposal, overwrite=True),
    }
    if len(shape) == 3:
        last = shape[0] - 1
        found |= {
            "interpolate": edit.interpolate,
            "interpolate 1": lambda *a: edit.interpolate(*a, label=1, axis=1, overwrite=True),
            "copy": lambda *a: edit.copy_slice(*a, source=0, target=last),
            "copy 1 over": lambda *a: edit.copy_slice(
                *a, source=0, target=last, label=1, overwrite=True
            ),
        }
    return found


def ball(shape: tuple[int, ...], radius: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Return a disc or ball of a radius in mm in the middle."""
    grid = np.indices(shape, dtype=float)
    squares = sum(
        ((g - (n - 1) / 2) * s) ** 2 for g, n, s in zip(grid, shape, spacing, strict=True)
    )
    return np.asarray(squares <= radius**2 + 1e-9, dtype=np.uint8)


def everything(tool: Tool, labels: np.ndarray, scope: Scope = EVERYWHERE) -> np.ndarray:
    """Return the mask after a tool, on the usual spacing."""
    return after(labels, tool(labels, spacing_of(labels.ndim), scope))
