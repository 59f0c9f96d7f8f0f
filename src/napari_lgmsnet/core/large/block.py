"""One block of the result: all windows that touch it, blended."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.device import choose_device
from napari_lgmsnet.core.geometry import crop
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.large.intensity import Box, Scaling
from napari_lgmsnet.core.large.linear import interpolate_part, needed
from napari_lgmsnet.core.large.source import Prepared, Source
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.postprocess import probabilities_from_logits
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.preprocess import BACKGROUND_LOGIT
from napari_lgmsnet.core.windows import importance, run_network, tile

Answer = tuple[NDArray[np.float32], tuple[str, ...]]
"""Probabilities, and what a person should know of how they came about."""


def probabilities_of_slices(
    model: Model, source: Source, settings: PredictSettings, box: tuple[slice, ...]
) -> Answer:
    """Return probabilities (K, *box) of whole slices, for a 2D network, and notes.

    Every slice is an image of its own, so this is what the whole volume gives.
    """
    part = crop(source.open(), box).loaded()
    chosen = settings.model_copy(update={"channels": None})  # the source has chosen them
    prediction = progress.run(iterate(model, part, chosen))
    return prediction.probabilities, prediction.notes


def probabilities_of_block(
    model: Model, prepared: Prepared, scaling: Scaling, settings: PredictSettings, box: Box
) -> Answer:
    """Return probabilities (K, *box) of a block of the turned volume, for a 3D network; notes."""
    resampled = prepared.resampled
    wanted = tuple(
        needed(span, m, n) for span, m, n in zip(box, resampled, prepared.shape, strict=True)
    )
    logits, notes = _logits(model, prepared, scaling, settings, wanted)
    start = [span[0] for span in wanted]
    back = interpolate_part(logits.numpy(), start, resampled, prepared.shape, box)
    return probabilities_from_logits(torch.from_numpy(back)).numpy(), notes


def _logits(
    model: Model, prepared: Prepared, scaling: Scaling, settings: PredictSettings, wanted: Box
) -> tuple[Tensor, tuple[str, ...]]:
    """Return logits of a part of the resampled volume; outside of the crop all is background."""
    seen = scaling.crop or tuple((0, n) for n in prepared.resampled)
    channels = model.info.architecture.out_channels
    logits = torch.zeros((channels, *(b - a for a, b in wanted)))
    if channels == 1:
        logits.fill_(-BACKGROUND_LOGIT)
    else:
        logits[0] = BACKGROUND_LOGIT
    common = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(wanted, seen, strict=True))
    if any(a >= b for a, b in common):
        return logits, ()
    # On the cropped volume, where windows are placed.
    part = tuple((a - c, b - c) for (a, b), (c, _) in zip(common, seen, strict=True))
    target = tuple(slice(a - w, b - w) for (a, b), (w, _) in zip(common, wanted, strict=True))
    blended, notes = _blended(model, prepared, scaling, settings, seen, part)
    logits[(slice(None), *target)] = blended
    return logits, notes


def _blended(
    model: Model,
    prepared: Prepared,
    scaling: Scaling,
    settings: PredictSettings,
    seen: Box,
    part: Box,
) -> tuple[Tensor, tuple[str, ...]]:
    """Return the logits of a part of what the network sees, from every window that touches it."""
    recipe, device = model.info.recipe, choose_device(settings.device)
    model.network.to(device)
    size = tuple(b - a for a, b in seen)
    overlap = recipe.overlap if settings.overlap is None else settings.overlap
    flips = recipe.flipped_axes(settings.flips)
    tiling = tile(size, recipe.window, overlap)
    inside = tuple((a + n, b + n) for (a, b), n in zip(part, tiling.before, strict=True))
    starts = [
        [s for s in sorted({place[axis].start for place in tiling.places}) if s < b and s + w > a]
        for axis, ((a, b), w) in enumerate(zip(inside, recipe.window, strict=True))
    ]
    reach = [(one[0], one[-1] + w) for one, w in zip(starts, recipe.window, strict=True)]
    array = _padded_part(prepared, scaling, seen, reach, tiling.before)
    weights = importance(recipe.window)
    shape = tuple(b - a for a, b in inside)
    total = torch.zeros((model.info.architecture.out_channels, *shape))
    norm = torch.zeros(shape)
    windows = math.prod(map(len, starts)) * 2 ** len(flips)
    choosing = model.engines.choose(settings.engine, recipe.window, windows, device)
    chosen = progress.run(choosing)
    for corner in product(*starts):
        place = tuple(
            slice(s - a, s - a + w)
            for s, (a, _), w in zip(corner, reach, recipe.window, strict=True)
        )
        answer = run_network(
            chosen.engine, array[(slice(None), *place)][None].to(device), flips=flips
        )
        shared = [
            (max(s, a), min(s + w, b))
            for s, w, (a, b) in zip(corner, recipe.window, inside, strict=True)
        ]
        own = tuple(slice(a - s, b - s) for (a, b), s in zip(shared, corner, strict=True))
        onto = tuple(slice(a - i, b - i) for (a, b), (i, _) in zip(shared, inside, strict=True))
        logits = answer[0].cpu()
        total[(slice(None), *onto)] += (logits * weights)[(slice(None), *own)]
        norm[onto] += weights[own]
    return total / norm, chosen.notes


def _padded_part(
    prepared: Prepared,
    scaling: Scaling,
    seen: Box,
    reach: list[tuple[int, int]],
    before: tuple[int, ...],
) -> Tensor:
    """Return a part of the network's input; beyond the ends the border is repeated."""
    wanted = [(a - n, b - n) for (a, b), n in zip(reach, before, strict=True)]
    size = [b - a for a, b in seen]
    real = [(max(0, a), min(n, b)) for (a, b), n in zip(wanted, size, strict=True)]
    box = tuple((a + c, b + c) for (a, b), (c, _) in zip(real, seen, strict=True))
    array = scaling.apply(prepared.part(box), prepared.recipe.intensity)
    pads = [(a - w, v - b) for (a, b), (w, v) in zip(real, wanted, strict=True)]
    return torch.from_numpy(np.pad(array, [(0, 0), *pads], mode="edge"))
