"""Which cells of a stage decided: Grad-CAM for segmentation.

Grad-CAM (Selvaraju et al., ICCV 2017) weighs a stage's channels by the mean gradient of a score;
for segmentation (Vinogradova et al., AAAI 2020) the score is the sum of a class's logits over a
region of the answer.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.inspect.hooks import start_of_graph
from napari_lgmsnet.core.inspect.inspection import (
    Inspection,
    out_of_memory_said,
    progress_of,
    windows,
)
from napari_lgmsnet.core.inspect.maps import CoarseMap
from napari_lgmsnet.core.inspect.targets import class_logits, region_of
from napari_lgmsnet.core.types import Progress


def grad_cam(
    inspection: Inspection,
    stage: str,
    class_number: int,
    mask: NDArray[np.bool_] | None = None,
) -> Generator[Progress, None, CoarseMap]:
    """Show which cells of a stage speak for a class in a region.

    With several windows the score is that of the blended logits, so each window takes part with
    its weight and all share the channels' weights. Each slice of a stack is an image of its own;
    slices without region have zeros.

    Parameters
    ----------
    inspection : Inspection
        If the stage is not loaded yet, it is.
    stage : str
    class_number : int
        0 for background.
    mask : bool array (*S), optional
        The region on the image's grid; without it, where the network finds the class.

    Yields
    ------
    Progress
        One a window that holds some of the region.

    Returns
    -------
    CoarseMap
        Nothing negative; 0 where a cell does not speak for the class.

    Raises
    ------
    InputError
        If there is no such stage or class, or the region is empty.
    """
    seen = region_of(inspection, class_number, mask)
    yield from inspection.load([stage])
    features = inspection.stage(stage)
    inputs = inspection.inputs
    norm = inputs.norm
    cells = int(np.prod([n // s for n, s in zip(inputs.grid.size, features.strides, strict=True)]))
    share = len(inputs.pieces) / cells
    weights = torch.zeros((len(inputs.pieces), len(features.data)))
    for piece, index in windows(inputs):
        place = inputs.tiling.places[index]
        region = torch.from_numpy(seen[piece][place])
        if not region.any():
            continue
        yield progress_of(inputs, piece, index)
        importance = region * inputs.weights / norm[place]
        weights[piece] += share * _gradient(
            inspection, stage, class_number, piece, place, importance
        )
    maps = np.zeros(features.data.shape[1:], dtype=np.float32)
    for piece, of_channels in enumerate(weights.numpy()):
        where = piece if inputs.stacked else ...
        maps[where] = np.tensordot(of_channels, features.data[:, where], axes=1)
    data = inputs.grid.arrange(np.maximum(maps, 0.0))
    name = inspection.model.info.classes[class_number].name
    return CoarseMap(data, inspection.cells(stage), inputs.volume, stage, f"Grad-CAM for {name}")


def _gradient(
    inspection: Inspection,
    stage: str,
    class_number: int,
    piece: int,
    place: tuple[slice, ...],
    importance: Tensor,
) -> Tensor:
    """Return the gradient of the weighted sum of logits, summed over cells: (C,)."""
    network = inspection.model.network
    window = inspection.inputs.pieces[piece][(slice(None), *place)][None]
    with out_of_memory_said(inspection.device), torch.inference_mode(False), torch.enable_grad():
        with start_of_graph(network, stage) as found:
            logits = network(window.to(inspection.device))[0].float()
        score = (class_logits(logits, class_number) * importance.to(inspection.device)).sum()
        (gradient,) = torch.autograd.grad(score, found[stage])
    return gradient[0].flatten(1).sum(dim=1).float().cpu()
