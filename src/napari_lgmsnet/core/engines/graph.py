"""One forward pass of LGMSNet, folded, written for any library that can build a graph.

:func:`build` says which operations a network consists of; an :class:`Operations` turns each into
a node of its library. So every engine computes the same thing, and nothing has to be traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, cast

import torch
from torch import nn

from napari_lgmsnet.core.engines.folding import Affine, Kernel
from napari_lgmsnet.core.network.layers import (
    ConvNormAct,
    Fusion,
    GlobalMultiScale,
    LocalMultiScale,
    Upsample,
)
from napari_lgmsnet.core.network.lgmsnet import LGMSNet, LocalStage

Node = Any
"""A value in the graph of some library: an array (1, C, *S), or tokens (sequences, N, C)."""

Activation = Literal["gelu", "relu", "silu"]
_ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.SiLU: "silu", nn.ReLU: "relu"}


class Operations(Protocol):
    """What a library must be able to do; every method returns a new node."""

    def convolve(self, x: Node, kernel: Kernel) -> Node:
        """Convolve, keeping the spatial size."""

    def activate(self, x: Node, name: Activation) -> Node:
        """Apply an activation."""

    def scale(self, x: Node, affine: Affine) -> Node:
        """Apply a factor and a shift to each channel."""

    def normalise(self, x: Node, epsilon: float) -> Node:
        """Give each channel of each image mean 0 and variance 1 (instance norm)."""

    def group_norm(self, x: Node, norm: nn.GroupNorm) -> Node:
        """Apply a group norm."""

    def layer_norm(self, x: Node, epsilon: float) -> Node:
        """Give each token mean 0 and variance 1."""

    def linear(self, x: Node, kernel: Kernel) -> Node:
        """Map the channels of tokens."""

    def attend(self, qkv: Node) -> Node:
        """Map queries, keys and values (sequences, N, 3 * 32) to answers (sequences, N, 32)."""

    def to_tokens(self, x: Node) -> Node:
        """As :func:`~napari_lgmsnet.core.network.layers.grid_to_sequences`."""

    def to_grid(self, tokens: Node, like: Node) -> Node:
        """Undo :meth:`to_tokens` for a grid of the size of ``like``."""

    def add(self, a: Node, b: Node) -> Node:
        """Add."""

    def concatenate(self, parts: Sequence[Node]) -> Node:
        """Put channels one after another."""

    def split(self, x: Node, sizes: Sequence[int]) -> list[Node]:
        """Take channels apart."""

    def halve(self, x: Node) -> Node:
        """Take the maximum of every 2 x 2 (x 2)."""

    def double(self, x: Node) -> Node:
        """Upsample linearly by two, corners not aligned."""


def build(network: LGMSNet, ops: Operations, x: Node) -> Node:
    """Return the node of a network's logits.

    Parameters
    ----------
    network : LGMSNet
        In evaluation mode.
    ops : Operations
    x : Node
        The input (1, in_channels, *S), every S a multiple of 32.
    """
    with torch.no_grad():
        return _Builder(network, ops).forward(x)


class _Builder:
    def __init__(self, network: LGMSNet, ops: Operations) -> None:
        self._net = network
        self._ops = ops

    def forward(self, x: Node) -> Node:
        net, ops = self._net, self._ops
        skip1 = self._local_stage(self._conv_norm_act(x, net.stem), net.encoder1)
        skip2 = self._local_stage(ops.halve(skip1), net.encoder2)
        skip3 = self._local_stage(ops.halve(skip2), net.encoder3)
        skip4 = self._global(ops.halve(skip3), net.encoder4)
        y = self._global(ops.halve(skip4), net.encoder5)
        y = self._global(ops.concatenate([skip4, self._up(y, net.up5)]), net.decoder5)
        y, norm = self._fusion(skip3, self._up(y, net.up4), net.fusion4)
        y = self._global(self._scaled(y, norm), net.decoder4)
        y, norm = self._fusion(skip2, self._up(y, net.up3), net.decoder3)
        y, norm = self._fusion(skip1, self._up(self._scaled(y, norm), net.up2), net.decoder2)
        head = Kernel.of(net.head)
        return ops.convolve(y, head if norm is None else head.after(norm))

    def _scaled(self, x: Node, affine: Affine | None) -> Node:
        return x if affine is None else self._ops.scale(x, affine)

    def _conv_norm_act(self, x: Node, block: ConvNormAct) -> Node:
        kernel, norm, ops = Kernel.of(block.conv), block.norm, self._ops
        if isinstance(norm, nn.InstanceNorm3d):
            # What a bias adds, the norm takes away.
            y = ops.normalise(ops.convolve(x, kernel.without_bias()), norm.eps)
        else:
            y = ops.convolve(x, kernel.then(Affine.of(norm)))
        return ops.activate(y, _ACTIVATIONS[type(block.activation)])

    def _up(self, x: Node, block: Upsample) -> Node:
        return self._conv_norm_act(self._ops.double(x), block.block)

    def _local_stage(self, x: Node, stage: LocalStage) -> Node:
        *blocks, last = stage
        for block in blocks:
            x = self._local(x, cast(LocalMultiScale, block))
        return self._conv_norm_act(x, cast(ConvNormAct, last))

    def _local(self, x: Node, block: LocalMultiScale) -> Node:
        ops = self._ops
        kernels = [Kernel.of(branch).plus_input() for branch in block.branches]
        y = ops.group_norm(ops.convolve(x, Kernel.beside_each_other(kernels)), block.group_norm)
        y = self._conv_norm_act(ops.activate(y, "gelu"), block.reduce)
        return ops.add(self._conv_norm_act(y, block.expand), x)

    def _global(self, x: Node, block: GlobalMultiScale) -> Node:
        ops = self._ops
        y = self._conv_norm_act(self._conv_norm_act(x, block.embed), block.mix)
        attending, convolved = ops.split(y, block.split)
        branch = block.convolve
        depthwise = Kernel.of(branch.depthwise).then(Affine.of(branch.norm1))
        z = ops.activate(ops.convolve(convolved, depthwise), "relu")
        norm, factor = Affine.of(branch.norm2), cast(torch.Tensor, branch.scale.weight).flatten()
        convolved = ops.add(convolved, ops.scale(z, Affine(norm.factor * factor, norm.shift)))
        attending = ops.to_grid(self._transformer(ops.to_tokens(attending), block), attending)
        y = self._conv_norm_act(ops.concatenate([attending, convolved]), block.join)
        return self._conv_norm_act(ops.concatenate([y, x]), block.output)

    def _transformer(self, tokens: Node, block: GlobalMultiScale) -> Node:
        ops, attention, perceptron = self._ops, block.attention, block.feed_forward
        y = ops.layer_norm(tokens, attention.norm.eps)
        y = ops.linear(y, Kernel.of(attention.qkv).after(_affine_of_layer(attention.norm)))
        tokens = ops.add(tokens, ops.linear(ops.attend(y), Kernel.of(attention.out)))
        y = ops.layer_norm(tokens, perceptron.norm.eps)
        y = ops.linear(y, Kernel.of(perceptron.widen).after(_affine_of_layer(perceptron.norm)))
        y = ops.linear(ops.activate(y, "silu"), Kernel.of(perceptron.narrow))
        return ops.add(tokens, y)

    def _fusion(self, skip: Node, path: Node, block: Fusion) -> tuple[Node, Affine | None]:
        """Return what comes before the last norm, and that norm if it is one that can be folded."""
        ops = self._ops
        first, *others = (Kernel.of(conv) for conv in block.convs)
        parts = [ops.convolve(x, k) for x, k in zip((skip, path), first.apart(), strict=True)]
        x, affine = self._normed_gelu(ops.concatenate(parts), block.norms[0])
        for kernel, norm in zip(others, block.norms[1:], strict=True):
            x = ops.convolve(x, kernel if affine is None else kernel.after(affine))
            x, affine = self._normed_gelu(x, norm)
        return x, affine

    def _normed_gelu(self, x: Node, norm: nn.Module) -> tuple[Node, Affine | None]:
        """Return GELU and what follows it of a norm: done, or as what can be folded."""
        x = self._ops.activate(x, "gelu")
        if isinstance(norm, nn.InstanceNorm3d):
            return self._ops.normalise(x, norm.eps), None
        return x, Affine.of(norm)


def _affine_of_layer(norm: nn.LayerNorm) -> Affine:
    return Affine(norm.weight, norm.bias)
