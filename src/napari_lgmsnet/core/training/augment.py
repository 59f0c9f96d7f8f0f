"""Random variations of a training image and its mask, with MONAI's transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandBiasFieldd,
    RandCoarseDropoutd,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandRotate90d,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from torch import Tensor

from napari_lgmsnet.core.training.config import AugmentationConfig

KEYS = ("image", "mask")


class Augmentation:
    """Varies image and mask together; the seed of a call determines what it does.

    Parameters
    ----------
    config : AugmentationConfig
    size : tuple of int
        Spatial size of the images.
    """

    def __init__(self, config: AugmentationConfig, size: tuple[int, ...]) -> None:
        self._transforms = Compose([*_spatial(config, size), *_intensity(config, size)])

    def __call__(self, image: Tensor, mask: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return image (C, *S) float32 and mask (1, *S) uint8, varied.

        Parameters
        ----------
        image : float32 tensor (C, *S)
        mask : uint8 tensor (1, *S)
        seed : int
            The same seed gives the same result.
        """
        self._transforms.set_random_state(seed=seed)
        out = self._transforms({"image": image, "mask": mask.float()})
        return _plain(out["image"]).float(), _plain(out["mask"]).round().to(torch.uint8)


def _plain(tensor: Any) -> Tensor:
    return tensor.as_tensor() if hasattr(tensor, "as_tensor") else torch.as_tensor(tensor)


def _spatial(config: AugmentationConfig, size: tuple[int, ...]) -> list[Any]:
    dimensions = len(size)
    transforms: list[Any] = [
        RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in config.flip_axes
    ]
    if config.rotate_90:
        transforms.append(RandRotate90d(KEYS, prob=0.75, max_k=3))
    if config.rotate_degrees or config.scale or config.shear or config.shift:
        turn = float(np.deg2rad(config.rotate_degrees))
        transforms.append(
            RandAffined(
                KEYS,
                prob=0.8,
                rotate_range=[turn] * (1 if dimensions == 2 else 3),
                scale_range=[config.scale] * dimensions,
                shear_range=[config.shear] * (2 if dimensions == 2 else 6),
                translate_range=[config.shift * n for n in size],
                mode=("bilinear", "nearest"),
                padding_mode=("border", "zeros"),
            )
        )
    return transforms


def _intensity(config: AugmentationConfig, size: tuple[int, ...]) -> list[Any]:
    transforms: list[Any] = []
    if config.bias_field:
        strength = (-config.bias_field, config.bias_field)
        transforms.append(RandBiasFieldd("image", degree=2, coeff_range=strength, prob=0.4))
    if config.gamma:
        exponents = (1 / (1 + config.gamma), 1 + config.gamma)
        transforms.append(RandAdjustContrastd("image", prob=0.4, gamma=exponents))
    if config.contrast:
        transforms.append(
            RandScaleIntensityd("image", factors=config.contrast, prob=0.6, channel_wise=True)
        )
    if config.brightness:
        transforms.append(
            RandShiftIntensityd("image", offsets=config.brightness, prob=0.6, channel_wise=True)
        )
    if config.blur:
        sigma = (0.2, config.blur)
        transforms.append(RandGaussianSmoothd("image", sigma, sigma, sigma, prob=0.15))
    if config.noise:
        transforms.append(RandGaussianNoised("image", prob=0.2, std=config.noise))
    if config.erase:
        smallest, largest = [max(1, n // 16) for n in size], [max(1, n // 4) for n in size]
        transforms.append(
            RandCoarseDropoutd(
                "image",
                holes=1,
                max_holes=4,
                spatial_size=smallest,
                max_spatial_size=largest,
                fill_value=0.0,
                prob=config.erase,
            )
        )
    return transforms


def paste_box(
    onto: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], seed: int
) -> tuple[Tensor, Tensor]:
    """Return an image and its mask with a box of another pair pasted over (CutMix).

    The box is 0.3 to 0.7 of the size along each axis and lies at the same place in both.

    Parameters
    ----------
    onto, other : tuple of Tensor
        Image (C, *S) and mask (1, *S), of the same shapes.
    seed : int
        Determines the box.
    """
    generator = np.random.default_rng(seed)
    box: tuple[slice, ...] = (slice(None),)
    for n in onto[1].shape[1:]:
        side = max(1, round(n * generator.uniform(0.3, 0.7)))
        start = int(generator.integers(0, n - side + 1))
        box += (slice(start, start + side),)
    image, mask = onto[0].clone(), onto[1].clone()
    image[box], mask[box] = other[0][box], other[1][box]
    return image, mask
