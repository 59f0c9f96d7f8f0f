"""Kernels that are put together or taken apart do what they did before."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_lgmsnet.core.engines.folding import Kernel


@pytest.mark.parametrize("dimensions", [2, 3])
def test_depthwise_kernels_of_several_sizes_are_one(dimensions: int) -> None:
    torch.manual_seed(0)
    convolve = F.conv2d if dimensions == 2 else F.conv3d
    x = torch.randn(1, 8, *(12,) * dimensions)
    kernels = [
        Kernel(torch.randn(2, 1, *(size,) * dimensions), torch.randn(2), groups=2)
        for size in (3, 5, 7, 9)
    ]
    each = [
        convolve(part, k.weight, k.bias, padding=k.weight.shape[2] // 2, groups=2)
        for part, k in zip(x.chunk(4, dim=1), kernels, strict=True)
    ]

    one = Kernel.beside_each_other(kernels)

    answer = convolve(x, one.weight, one.bias, padding=4, groups=one.groups)
    torch.testing.assert_close(answer, torch.cat(each, dim=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("biased", [True, False])
def test_groups_can_be_convolved_apart(biased: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 8, 6, 6)
    kernel = Kernel(torch.randn(6, 4, 3, 3), torch.randn(6) if biased else None, groups=2)

    parts = [
        F.conv2d(part, k.weight, k.bias, padding=1)
        for part, k in zip(x.chunk(2, dim=1), kernel.apart(), strict=True)
    ]

    whole = F.conv2d(x, kernel.weight, kernel.bias, padding=1, groups=2)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-4)
