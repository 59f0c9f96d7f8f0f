"""The batches of a training run: seed, epoch and place determine every one."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.training.augment import Augmentation, paste_box
from napari_lgmsnet.core.training.config import TrainingConfig
from napari_lgmsnet.core.training.data import Case


class Samples:
    """Varied windows of the training cases.

    Parameters
    ----------
    config : TrainingConfig
    cases : list of Case
    """

    def __init__(self, config: TrainingConfig, cases: list[Case]) -> None:
        self._config, self._cases = config, cases
        self._augmentation = Augmentation(config.augmentation, config.recipe.window)
        self.steps = math.ceil(len(cases) / config.batch_size)

    def __len__(self) -> int:
        return len(self._cases)

    def batches(self, epoch: int) -> list[NDArray[np.intp]]:
        """Return the places of the cases in each step of an epoch."""
        order = np.random.default_rng((self._config.seed, epoch)).permutation(len(self))
        return np.array_split(order, self.steps)

    def stack(self, epoch: int, places: Iterable[int]) -> tuple[Tensor, Tensor]:
        """Return images (B, C, *S) float32 and masks (B, 1, *S) uint8 of some places."""
        pairs = [self._sample(epoch, int(place)) for place in places]
        return torch.stack([image for image, _ in pairs]), torch.stack([mask for _, mask in pairs])

    def _sample(self, epoch: int, place: int) -> tuple[Tensor, Tensor]:
        sequence = np.random.SeedSequence((self._config.seed, epoch, place))
        seed, other, box = (int(n) for n in sequence.generate_state(3))
        sample = self._varied(place, seed)
        if np.random.default_rng(box).random() < self._config.augmentation.mix:
            pasted = self._varied(other % len(self), other)
            sample = paste_box(sample, pasted, box)
        return sample

    def _varied(self, place: int, seed: int) -> tuple[Tensor, Tensor]:
        case = self._cases[place]
        image, mask = random_window(case.image, case.mask, self._config.recipe.window, seed)
        return self._augmentation(image, mask, seed)


def random_window(
    image: Tensor, mask: Tensor, window: tuple[int, ...], seed: int
) -> tuple[Tensor, Tensor]:
    """Cut a random window out of an image (C, *S) and its mask (1, *S), padded where smaller."""
    generator = np.random.default_rng(seed)
    pads: list[int] = []
    for n, w in zip(reversed(image.shape[1:]), reversed(window), strict=True):
        missing = max(0, w - n)
        before = int(generator.integers(0, missing + 1))
        pads += [before, missing - before]
    if any(pads):
        image = F.pad(image[None], pads, mode="replicate")[0]
        mask = F.pad(mask[None].float(), pads, mode="replicate")[0].to(mask.dtype)
    starts = [
        int(generator.integers(0, n - w + 1)) for n, w in zip(image.shape[1:], window, strict=True)
    ]
    box = (slice(None), *(slice(s, s + w) for s, w in zip(starts, window, strict=True)))
    return image[box], mask[box]
