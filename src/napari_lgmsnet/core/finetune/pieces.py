"""Examples as the network sees them, prepared once."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.errors import InputError, TrainingError
from napari_lgmsnet.core.finetune.examples import Example, frames_of
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.preprocess import Grid, prepare, turn
from napari_lgmsnet.core.slices import slices_of, slicing
from napari_lgmsnet.core.training.data import prepare_shares
from napari_lgmsnet.core.types import Progress, Volume

UNLABELLED = 0
"""In a target; class k is k + 1. So what augmentation pads with zeros does not count."""

_ENOUGH = 0.2
"""Of a voxel of the input must be labelled: thin strokes survive shrinking."""

Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Piece:
    """One image or volume as the network sees it; of a stack for a 2D network, one slice.

    Parameters
    ----------
    case : int
        Which example it comes from.
    name : str
    volume : Volume
        On its own grid.
    labels : integer array (*V)
        Class numbers there.
    known : bool array (*V)
    image : float32 tensor (C, *S)
        The network's input.
    target : uint8 tensor (1, *S)
        0 unlabelled, k + 1 for class k.
    grid : Grid
        The way back from the input's grid.
    """

    case: int
    name: str
    volume: Volume
    labels: NDArray[np.integer]
    known: NDArray[np.bool_]
    image: Tensor
    target: Tensor
    grid: Grid

    @property
    def whole(self) -> Box:
        """Return the box of the whole input."""
        return tuple(slice(0, n) for n in self.image.shape[1:])

    @property
    def shows_class(self) -> bool:
        """Return whether any class but background is labelled."""
        return bool((self.target > 1).any())


def prepare_pieces(
    examples: Sequence[Example], info: ModelInfo
) -> Generator[Progress, None, list[Piece]]:
    """Prepare examples for a network.

    Parameters
    ----------
    examples : sequence of Example
    info : ModelInfo
        With the classes of the labels.

    Yields
    ------
    Progress
        One an image, frame or slice.

    Returns
    -------
    list of Piece
        Slices and frames without a labelled voxel are left out.

    Raises
    ------
    InputError
        If there is no example, two have the same name, or one does not suit the checkpoint.
    TrainingError
        If a mask shows a class that has no name.
    """
    if not examples:
        raise InputError("there is nothing to learn from: correct at least one image first")
    names = [one.name for one in examples]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f'two cases are called "{twice[0]}": rename one of them')
    pieces = []
    for case, example in enumerate(examples):
        yield Progress(case, len(examples), f"preparing {example.name}")
        _check_classes(example, info)
        for volume, labels, known, name in _parts_of(example, info):
            if known.any():
                pieces.append(prepare_piece(case, name, volume, labels, known, info))
                yield Progress(case, len(examples), f"preparing {name}")
    if not pieces:
        raise InputError("no voxel of any image is labelled: draw on at least one image first")
    return pieces


def prepare_piece(
    case: int,
    name: str,
    volume: Volume,
    labels: NDArray[np.integer],
    known: NDArray[np.bool_],
    info: ModelInfo,
) -> Piece:
    """Prepare one image or volume of the network's dimensions; see :class:`Piece`."""
    volume = volume.loaded()
    array, grid = prepare(volume, info.recipe, info.architecture.in_channels)
    one_hot = np.stack([(labels == k) & known for k in range(len(info.classes))])
    shares = prepare_shares(volume, one_hot.astype(np.float32), info)
    codes = (shares.argmax(dim=0, keepdim=True) + 1).to(torch.uint8)
    codes[shares.sum(dim=0, keepdim=True) < _ENOUGH] = UNLABELLED
    return Piece(case, name, volume, labels, known, torch.from_numpy(array), codes, grid)


def _parts_of(
    example: Example, info: ModelInfo
) -> Iterator[tuple[Volume, NDArray[np.integer], NDArray[np.bool_], str]]:
    for frame in frames_of(example):
        image = frame.image
        labels = np.asarray(frame.labels)
        known = np.ones(labels.shape, np.bool_) if frame.known is None else np.asarray(frame.known)
        if image.ndim_spatial == info.recipe.dimensions:
            yield image, labels, known, frame.name
            continue
        if image.ndim_spatial == 2:
            raise InputError(
                f'"{info.name}" works on volumes, "{image.name}" is an image: choose volumes, or '
                "a 2D checkpoint"
            )
        way = slicing(image, info.recipe.orientation)
        masks = (image.with_data(array, image.spatial_axes) for array in (labels, known))
        turned = [slices_of(turn(one, way)[0]) for one in (image, *masks)]
        for number, (piece, mask, counts) in enumerate(zip(*turned, strict=True)):
            name = f"{frame.name}, slice {number + 1}"
            yield piece, mask.data, counts.data.astype(np.bool_), name


def _check_classes(example: Example, info: ModelInfo) -> None:
    labels = example.labels if example.known is None else example.labels[example.known]
    highest = int(labels.max(initial=0))
    if highest >= len(info.classes):
        names = ", ".join(one.name for one in info.classes[1:])
        raise TrainingError(
            f'the mask of "{example.name}" shows label {highest}, "{info.name}" knows 1 to '
            f"{len(info.classes) - 1} ({names}): name the classes of your labels to learn others"
        )
