"""The volume that is too large for memory, opened where it is needed, and prepared in parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.channels import choose_channels
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import crop
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.io import read_levels
from napari_lgmsnet.core.large.linear import Span, interpolate_part, needed
from napari_lgmsnet.core.preprocess import Grid, channels_first, turn
from napari_lgmsnet.core.types import Volume


@dataclass(frozen=True)
class Source:
    """A volume in a file.

    Parameters
    ----------
    path : Path
    level : int
        Of a pyramid, from 0.
    frame : int, optional
        Of a series, from 0.
    channels : tuple of int, optional
        As in :class:`~napari_lgmsnet.core.prediction.PredictSettings`.
    series : str, optional
        Of a DICOM folder.
    """

    path: Path
    level: int = 0
    frame: int | None = None
    channels: tuple[int, ...] | None = None
    series: str | None = None

    def open(self) -> Volume:
        """Return the volume; its data stay in the file.

        Raises
        ------
        InputError
            If it is no single volume, or has no such level, frame or channel.
        """
        return _open(self)


@lru_cache(maxsize=2)
def _open(source: Source) -> Volume:
    levels = read_levels(source.path, lazy=True, series=source.series)
    if source.level >= len(levels):
        raise InputError(
            f'there is no level {source.level + 1}: "{source.path}" has {len(levels)}. Choose '
            "another"
        )
    volume = levels[source.level]
    if source.frame is not None:
        volume = volume.frame(source.frame)
    if volume.axes.startswith("T") or volume.ndim_spatial != 3:
        raise InputError(
            f'"{source.path}" has the axes {volume.axes}: what is written block by block is one '
            "volume. Choose a frame, or segment it in memory"
        )
    return choose_channels(volume, source.channels)


class Prepared:
    """A volume as a 3D network sees it before its intensities are scaled, part by part.

    Parameters
    ----------
    source : Source
    info : ModelInfo

    Attributes
    ----------
    turned : Volume
        In the recipe's orientation.
    grid : Grid
        The way back to the file's own axes.
    shape, resampled : tuple of int
        Of the turned volume, and after resampling.
    """

    def __init__(self, source: Source, info: ModelInfo) -> None:
        self.volume = source.open()
        self.recipe, self.channels = info.recipe, info.architecture.in_channels
        self.turned, self.grid = turn(self.volume, self.recipe.orientation)
        self.shape = self.turned.spatial_shape
        self.resampled = self.shape
        if self.recipe.spacing is not None and self.turned.units == "mm":
            pairs = zip(self.shape, self.turned.spacing, self.recipe.spacing, strict=True)
            self.resampled = tuple(max(1, round(n * own / wish)) for n, own, wish in pairs)

    def part(self, box: tuple[Span, ...]) -> NDArray[np.float32]:
        """Return a part of the resampled volume, (C, *box) in float32."""
        read = [
            needed(span, n, m) for span, n, m in zip(box, self.shape, self.resampled, strict=True)
        ]
        piece = crop(self.turned, tuple(slice(*span) for span in read)).loaded()
        array = channels_first(piece, self.recipe, self.channels)
        start = [span[0] for span in read]
        return interpolate_part(array, start, self.shape, self.resampled, box)


def box_turned(grid: Grid, box: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return where a part of the file, given in its own axes, lies in the turned volume."""
    spans = []
    for place, axis in enumerate(grid.order):
        (start, stop), size = box[axis], grid.shape[axis]
        spans.append((size - stop, size - start) if place in grid.flips else (start, stop))
    return tuple(spans)
