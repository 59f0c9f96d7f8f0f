"""One map from a stage's many channels, placed on the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import CellGrid, Interpolation
from napari_lgmsnet.core.inspect.inspection import Inspection
from napari_lgmsnet.core.types import Volume

Reduction = Literal["mean", "maximum", "norm", "components", "channel"]
REDUCTIONS: dict[str, str] = {
    "mean": "mean of the channels",
    "maximum": "maximum of the channels",
    "norm": "L2 norm over the channels",
    "components": "first three principal components as colour",
    "channel": "one channel",
}
"""Every way to make one map of many channels, and what a person calls it."""

_CHUNK = 2**16


@dataclass(frozen=True)
class CoarseMap:
    """A map on a grid of cells, each of which covers the very pixels that it came from.

    Parameters
    ----------
    data : float32 array (*cells), or uint8 array (*cells, 3)
        Along the volume's spatial axes.
    cells : CellGrid
        Where they lie on the volume.
    volume : Volume
        The image; its geometry places the map.
    stage : str
        What it was made from.
    kind : str
        How it was made, in a person's words.
    signed : bool
        Whether zero is neutral, as in differences.
    """

    data: NDArray[Any]
    cells: CellGrid
    volume: Volume
    stage: str
    kind: str
    signed: bool = False

    @property
    def name(self) -> str:
        """Return what a person calls it."""
        return f"{self.volume.name} {self.stage}, {self.kind}"

    @property
    def colours(self) -> bool:
        """Return whether it holds colours instead of numbers."""
        return self.data.ndim > len(self.cells.shape)

    def as_volume(self) -> Volume:
        """Return the cells as a volume of their own, with the affine that places them exactly."""
        axes = self.volume.spatial_axes + ("C" if self.colours else "")
        affine = self.cells.affine(self.volume.affine)
        return replace(self.volume, data=self.data, axes=axes, affine=affine, name=self.name)

    def on_grid(self, interpolation: Interpolation = "nearest") -> Volume:
        """Return the map on the image's own grid.

        Parameters
        ----------
        interpolation : "nearest" or "linear"
            With nearest, each pixel has the value of the cell that covers it.

        Returns
        -------
        Volume
            NaN (colours: black) where a recipe cut away and the network saw nothing.
        """
        axes = self.volume.spatial_axes + ("C" if self.colours else "")
        data = self.cells.to_voxels(self.data, interpolation)
        return self.volume.with_data(data, axes, self.name)


def stage_map(
    inspection: Inspection, stage: str, reduce: str = "mean", channel: int | None = None
) -> CoarseMap:
    """Make one map of a stage.

    Parameters
    ----------
    inspection : Inspection
        With the stage loaded.
    stage : str
    reduce : str
        One of :data:`REDUCTIONS`.
    channel : int, optional
        Which channel, for ``channel``.

    Returns
    -------
    CoarseMap

    Raises
    ------
    InputError
        If there is no such stage, reduction or channel.
    """
    kind = check_reduction(reduce, channel)
    features = inspection.features(stage)
    if reduce == "channel":
        assert channel is not None
        if not 0 <= channel < len(features):
            raise InputError(
                f'stage "{stage}" has no channel {channel}: choose one from 0 to '
                f"{len(features) - 1}"
            )
        kind = f"channel {channel}"
    data = reduced(features, reduce, channel)
    return CoarseMap(data, inspection.cells(stage), inspection.volume, stage, kind)


def check_reduction(reduce: str, channel: int | None = None) -> str:
    """Return what a person calls a reduction.

    Raises
    ------
    InputError
        If there is none of that name, or a channel is missing or not wanted.
    """
    if reduce not in get_args(Reduction):
        raise InputError(
            f'no reduction is called "{reduce}": choose one of {", ".join(REDUCTIONS)}'
        )
    if (reduce == "channel") != (channel is not None):
        raise InputError('give a channel with the reduction "channel", and with no other')
    return REDUCTIONS[reduce]


def reduced(features: NDArray[np.float32], reduce: str, channel: int | None = None) -> NDArray[Any]:
    """Return one map (*cells), or colours (*cells, 3), of features (C, *cells)."""
    if reduce == "components":
        return principal_components(features)
    if reduce == "channel":
        return np.array(features[channel])
    if reduce == "norm":
        squares: NDArray[np.float32] = np.einsum("c...,c...->...", features, features)
        return np.sqrt(squares)
    whole: NDArray[np.float32] = features.mean(axis=0) if reduce == "mean" else features.max(axis=0)
    return whole


def principal_components(features: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the first three principal components of features as red, green and blue.

    The channels of each cell are a point; components are in the order of their variance, and
    each points to where its largest weight (by size) is positive, so that the same features
    always give the same colours. Each is stretched from its 1 to its 99 percentile.

    Parameters
    ----------
    features : float32 array (C, *cells)

    Returns
    -------
    uint8 array (*cells, 3)
    """
    flat = features.reshape(len(features), -1)
    mean = flat.mean(axis=1, dtype=np.float64)
    covariance = gram(flat) / flat.shape[1] - np.outer(mean, mean)
    _, vectors = np.linalg.eigh(covariance)
    colours = np.zeros((flat.shape[1], 3), dtype=np.uint8)
    for place, vector in enumerate(vectors.T[::-1][:3]):
        upright = vector * np.sign(vector[np.abs(vector).argmax()])
        scores = upright.astype(np.float32) @ flat - np.float32(upright @ mean)
        low, high = np.percentile(scores, (1, 99))
        if high > low:
            scaled = np.clip((scores - low) / (high - low), 0, 1)
            colours[:, place] = np.rint(255 * scaled)
    return colours.reshape(*features.shape[1:], 3)


def gram(flat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the products of all pairs of rows of (C, n), summed in double precision."""
    total = np.zeros((len(flat), len(flat)))
    for chunk in _chunks(flat):
        total += chunk @ chunk.T
    return total


def _chunks(flat: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    # A copy in double precision of a whole fine stage would not fit beside it.
    for start in range(0, flat.shape[1], _CHUNK):
        yield flat[:, start : start + _CHUNK].astype(np.float64)
