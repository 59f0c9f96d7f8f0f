"""A volume as the inputs that a network sees, and where those lie on it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import NetworkGrid
from napari_lgmsnet.core.inspect.stages import COARSEST
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.preprocess import Grid, prepare, turn
from napari_lgmsnet.core.slices import slices_of, slicing
from napari_lgmsnet.core.types import Progress, Volume
from napari_lgmsnet.core.windows import Tiling, importance, tile


@dataclass(frozen=True)
class Inputs:
    """What a network sees of a volume.

    Windows start at multiples of 16, the coarsest stride, so that the cells of all windows fall
    on one grid and can be blended; for that, a larger image is padded at its far ends, where a
    prediction moves its last windows inwards instead. Where one window holds all, both see the
    same.

    Parameters
    ----------
    volume : Volume
    pieces : tuple of float tensor (C, *S)
        The prepared and padded input: one, or one for each slice of a stack.
    stacked : bool
        Whether the pieces are slices.
    tiling : Tiling
        Where windows lie on a piece.
    grid : NetworkGrid
        Where the pieces lie on the volume.
    piece_grid : Grid
        The way back from one piece, as predictions go it.
    turned : Grid
        The way back from the stack of slices.
    """

    volume: Volume
    pieces: tuple[Tensor, ...]
    stacked: bool
    tiling: Tiling
    grid: NetworkGrid
    piece_grid: Grid
    turned: Grid

    @property
    def weights(self) -> Tensor:
        """Return the weights (*window) with which windows are blended."""
        return importance(self.tiling.window)

    @property
    def norm(self) -> Tensor:
        """Return the sum of all windows' weights on the padded input of a piece."""
        norm = torch.zeros(self.tiling.padded_size)
        for place in self.tiling.places:
            norm[place] += self.weights
        return norm

    def restore(self, logits: Tensor) -> Tensor:
        """Bring blended logits (K, pieces, *padded) to the volume's grid (K, *S)."""
        inside = logits[(slice(None), slice(None), *self.tiling.inside)]
        back = [self.piece_grid.restore(piece) for piece in inside.unbind(1)]
        return self.turned.restore(torch.stack(back, dim=1)) if self.stacked else back[0]


def prepare_inputs(
    model: Model, volume: Volume, settings: PredictSettings
) -> Generator[Progress, None, Inputs]:
    """Prepare a volume for a network that is to be looked into.

    Parameters
    ----------
    model : Model
    volume : Volume
        As for :func:`napari_lgmsnet.core.inference.iterate`.
    settings : PredictSettings
        ``native`` and ``overlap`` are used.

    Yields
    ------
    Progress
        One a slice.

    Returns
    -------
    Inputs

    Raises
    ------
    InputError
        If the volume does not suit the checkpoint.
    """
    recipe = model.info.recipe
    stacked = recipe.dimensions == 2 and volume.ndim_spatial == 3
    if recipe.dimensions > volume.ndim_spatial:
        raise InputError(
            f'"{model.info.name}" works on volumes, "{volume.name}" is an image: choose a volume, '
            "or a 2D checkpoint"
        )
    volume = volume.loaded()
    orientation = slicing(volume, recipe.orientation) if stacked else recipe.orientation
    turned_volume, turned = turn(volume, orientation)
    images = list(slices_of(turned_volume)) if stacked else [volume]
    arrays = []
    for done, image in enumerate(images):
        yield Progress(done, len(images), "preparing the image")
        channels = model.info.architecture.in_channels
        array, piece_grid = prepare(image, recipe, channels, whole=not settings.native)
        arrays.append(torch.from_numpy(array))
    overlap = recipe.overlap if settings.overlap is None else settings.overlap
    tiling = tile(tuple(arrays[0].shape[1:]), recipe.window, overlap, COARSEST)
    pieces = tuple(tiling.pad(array) for array in arrays)
    grid = _network_grid(piece_grid, tiling, turned, stacked=stacked)
    return Inputs(volume, pieces, stacked, tiling, grid, piece_grid, turned)


def _network_grid(piece: Grid, tiling: Tiling, turned: Grid, *, stacked: bool) -> NetworkGrid:
    """Collapse turning, resampling, cropping and padding into a shift and a scale an axis."""
    oriented = [piece.shape[axis] for axis in piece.order]
    step = [n / m for n, m in zip(oriented, piece.resampled, strict=True)]
    # Grid cells keep their extent in resampling, so their edges correspond, not their centres.
    first = [
        (cut.start - before + 0.5) * s - 0.5
        for cut, before, s in zip(piece.crop, tiling.before, step, strict=True)
    ]
    size, seen = tiling.padded_size, tiling.inside
    if stacked:
        count = turned.resampled[0]
        step, first = [1.0, *step], [0.0, *first]
        size, seen = (count, *size), (slice(0, count), *seen)
    return NetworkGrid(
        volume_shape=turned.shape,
        order=turned.order,
        flips=turned.flips,
        first=tuple(first),
        step=tuple(step),
        seen=seen,
        size=size,
    )
