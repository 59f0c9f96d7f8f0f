"""Training batches: which part, which window of it, how it is varied. A seed determines all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.finetune.network import anew_flips
from napari_lgmsnet.core.finetune.pieces import UNLABELLED
from napari_lgmsnet.core.finetune.settings import Adapt, Variation
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.training.augment import Augmentation, paste_box
from napari_lgmsnet.core.training.config import AugmentationConfig

Sample = tuple[Tensor, Tensor]
"""Input (C, *S) and target (1, *S) with 0 for unlabelled and k + 1 for class k."""

_ON_FOREGROUND = 0.5


class Sampler:
    """Draws batches from samples and, in a fixed share, from samples of another kind.

    Parameters
    ----------
    samples : sequence of Sample
    replayed : sequence of Sample
        The parent's own answers on reference images; may be empty.
    window : tuple of int
    augmentation : AugmentationConfig or None
    batch_size : int
    replay_share : float
        Of a batch, if there is anything to replay.
    seed : int
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        replayed: Sequence[Sample],
        window: tuple[int, ...],
        augmentation: AugmentationConfig | None,
        batch_size: int,
        replay_share: float,
        seed: int,
    ) -> None:
        self._kinds = [samples, replayed]
        self._window = window
        self._mix = 0.0 if augmentation is None else augmentation.mix
        self._augmentation = None if augmentation is None else Augmentation(augmentation, window)
        count = max(1, round(replay_share * batch_size)) if replayed else 0
        self._counts = [max(1, batch_size - count), count]
        self._seed = seed
        self._places = [
            [torch.nonzero(target[0] > 1) for _, target in kind] for kind in self._kinds
        ]

    @property
    def batch_size(self) -> int:
        """Return how many images a batch has."""
        return sum(self._counts)

    @property
    def replayed(self) -> int:
        """Return how many images at the end of a batch are replayed ones."""
        return self._counts[1]

    @property
    def steps_per_epoch(self) -> int:
        """Return how many batches show every sample once."""
        return -(-len(self._kinds[0]) // self._counts[0])

    def batch(self, step: int) -> Sample:
        """Return the images (B, C, *window) and targets (B, 1, *window) of a step."""
        drawn = [
            self._draw(kind, place)
            for kind, count in enumerate(self._counts)
            for place in range(step * count, (step + 1) * count)
        ]
        images, targets = zip(*drawn, strict=True)
        return torch.stack(images), torch.stack(targets)

    def _draw(self, kind: int, place: int) -> Sample:
        samples = self._kinds[kind]
        epoch, index = divmod(place, len(samples))
        order = np.random.default_rng((self._seed, kind, epoch)).permutation(len(samples))
        chosen = int(order[index])
        sequence = np.random.SeedSequence((self._seed, kind, place, 1))
        seed, other, box = (int(n) for n in sequence.generate_state(3))
        sample = self._varied(kind, chosen, seed)
        if np.random.default_rng(box).random() < self._mix:
            sample = paste_box(sample, self._varied(kind, other % len(samples), other), box)
        return sample

    def _varied(self, kind: int, chosen: int, seed: int) -> Sample:
        sample = self._kinds[kind][chosen]
        sample = window_of(sample, self._places[kind][chosen], self._window, seed)
        return sample if self._augmentation is None else self._augmentation(*sample, seed)


def window_of(sample: Sample, foreground: Tensor, window: tuple[int, ...], seed: int) -> Sample:
    """Cut a window out of a sample, half of the time around a voxel of the foreground.

    Parameters
    ----------
    sample : Sample
        Where it is smaller than the window its border is repeated, unlabelled.
    foreground : int tensor (n, d)
        Indices of labelled foreground.
    window : tuple of int
    seed : int
    """
    image, target = sample
    generator = np.random.default_rng(seed)
    pads: list[int] = []
    offset: list[int] = []
    for n, w in zip(image.shape[1:], window, strict=True):
        missing = max(0, w - n)
        before = int(generator.integers(0, missing + 1))
        pads = [before, missing - before, *pads]
        offset.append(before)
    if any(pads):
        image = F.pad(image[None], pads, mode="replicate")[0]
        target = F.pad(target, pads, value=UNLABELLED)
    around: list[int] | None = None
    if len(foreground) and generator.random() < _ON_FOREGROUND:
        chosen = foreground[int(generator.integers(len(foreground)))].tolist()
        around = [place + shift for place, shift in zip(chosen, offset, strict=True)]
    box: tuple[slice, ...] = (slice(None),)
    for axis, (n, w) in enumerate(zip(image.shape[1:], window, strict=True)):
        low, high = 0, n - w
        if around is not None:
            low, high = max(low, around[axis] - w + 1), min(high, around[axis])
        start = int(generator.integers(low, high + 1))
        box += (slice(start, start + w),)
    return image[box], target[box]


def variation(kind: Variation, info: ModelInfo, adapt: Adapt) -> AugmentationConfig | None:
    """Return how training images are varied.

    A network that is adapted sees the flips and turns that it was trained with. Of another task
    nothing is known: there images are flipped left and right, volumes not at all.

    Parameters
    ----------
    kind : "none", "light" or "strong"
    info : ModelInfo
        The parent's.
    adapt : "gently" or "anew"
    """
    if kind == "none":
        return None
    symmetric = {"flip_axes": anew_flips(info.recipe), "rotate_90": False}
    if adapt == "gently":
        own: Any = info.training.get("augmentation", {})
        symmetric |= {key: own[key] for key in symmetric if key in own}
    strength = _STRONG if kind == "strong" else _LIGHT
    return AugmentationConfig.model_validate({**strength, **symmetric})


_LIGHT = {
    "rotate_degrees": 10.0, "scale": 0.1, "shift": 0.05,
    "brightness": 0.1, "contrast": 0.1, "gamma": 0.1,
}  # fmt: skip
_STRONG = {
    "rotate_degrees": 30.0, "scale": 0.25, "shift": 0.1,
    "brightness": 0.3, "contrast": 0.3, "gamma": 0.3, "blur": 1.0,
}  # fmt: skip
