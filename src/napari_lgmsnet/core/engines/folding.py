"""Normalisation of a trained network folded into the convolutions around it.

In evaluation mode batch norm multiplies each channel by one number and adds another. So it can be
part of the convolution before it, or of a convolution of size 1 after it (a larger one pads with
zeros after the norm, which folding would change along the border).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Kernel:
    """The numbers of a convolution or of a linear map.

    Parameters
    ----------
    weight : float tensor (c_out, c_in / groups, *kernel)
    bias : float tensor (c_out,), optional
    groups : int
    """

    weight: Tensor
    bias: Tensor | None
    groups: int = 1

    @classmethod
    def of(cls, layer: nn.Module) -> Kernel:
        """Return the numbers of a convolution or a linear layer."""
        bias = cast("Tensor | None", layer.bias)
        return cls(cast(Tensor, layer.weight), bias, cast(int, getattr(layer, "groups", 1)))

    def without_bias(self) -> Kernel:
        """Return the same kernel without its bias."""
        return Kernel(self.weight, None, self.groups)

    def then(self, affine: Affine) -> Kernel:
        """Return the kernel followed by a factor and a shift of each channel."""
        weight = self.weight * _along_first(affine.factor, self.weight.ndim)
        bias = affine.shift if self.bias is None else affine.factor * self.bias + affine.shift
        return Kernel(weight, bias, self.groups)

    def after(self, affine: Affine) -> Kernel:
        """Return the kernel preceded by a factor and a shift; for size 1 and one group only."""
        ones = (1,) * (self.weight.ndim - 2)
        matrix = self.weight.flatten(1)
        bias = matrix @ affine.shift
        if self.bias is not None:
            bias = bias + self.bias
        return Kernel(self.weight * affine.factor.view(1, -1, *ones), bias)

    def plus_input(self) -> Kernel:
        """Return a depthwise kernel that adds its input to what it gives."""
        weight = self.weight.clone()
        middle = tuple(slice(n // 2, n // 2 + 1) for n in weight.shape[2:])
        weight[(slice(None), slice(None), *middle)] += 1
        return Kernel(weight, self.bias, self.groups)

    def apart(self) -> list[Kernel]:
        """Return a kernel for each group, to be applied to the channels of that group."""
        biases = self.bias.chunk(self.groups) if self.bias is not None else [None] * self.groups
        weights = self.weight.chunk(self.groups)
        return [Kernel(one, bias) for one, bias in zip(weights, biases, strict=True)]

    @classmethod
    def beside_each_other(cls, kernels: Sequence[Kernel]) -> Kernel:
        """Return one depthwise kernel that does what several do, each to its share of channels.

        Smaller ones are surrounded with zeros. A processor computes 8 or 16 channels at a time:
        what it multiplies by zero costs less than the lanes that fewer channels leave empty.
        """
        largest = max(one.weight.shape[2] for one in kernels)
        weights, biases = [], []
        for one in kernels:
            margin = (largest - one.weight.shape[2]) // 2
            weights.append(F.pad(one.weight, [margin] * 2 * (one.weight.ndim - 2)))
            biases.append(cast(Tensor, one.bias))
        weight = torch.cat(weights)
        return cls(weight, torch.cat(biases), groups=len(weight))


@dataclass(frozen=True, eq=False)
class Affine:
    """A factor and a shift of each channel: what batch norm does in evaluation mode.

    Parameters
    ----------
    factor, shift : float tensor (C,)
    """

    factor: Tensor
    shift: Tensor

    @classmethod
    def of(cls, norm: nn.Module) -> Affine:
        """Return what a batch norm does."""
        assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None
        assert variance is not None
        factor = norm.weight * torch.rsqrt(variance + norm.eps)
        return cls(factor, norm.bias - mean * factor)


def _along_first(numbers: Tensor, axes: int) -> Tensor:
    return numbers.view(-1, *(1,) * (axes - 1))
