"""The network in torch, folded, its arrays laid out as this processor likes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from napari_lgmsnet.core.engines.folding import Affine, Kernel
from napari_lgmsnet.core.engines.graph import Activation, build
from napari_lgmsnet.core.network.architecture import HEAD_CHANNELS, HEADS
from napari_lgmsnet.core.network.layers import grid_to_sequences, sequences_to_grid
from napari_lgmsnet.core.network.lgmsnet import LGMSNet


class FusedEngine:
    """The folded network as a graph of torch's operations.

    Parameters
    ----------
    network : LGMSNet
        Its numbers are copied where folding changes them.
    """

    name = "fused"

    def __init__(self, network: LGMSNet) -> None:
        dimensions = network.architecture.dimensions
        operations = _TorchOperations(dimensions)
        x = operations.graph.placeholder("x")
        operations.graph.output(build(network, operations, x))
        self._layout = LAYOUTS[dimensions]
        self._module = fx.GraphModule(operations.root, operations.graph)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return logits (B, K, *S) of a float32 tensor (B, C, *S), every S a multiple of 32."""
        with torch.inference_mode():
            logits: Tensor = self._module(batch.contiguous(memory_format=self._layout))
            return logits.contiguous()


LAYOUTS = {2: torch.channels_last, 3: torch.contiguous_format}


class _TorchOperations:
    """Builds a graph of torch; arrays may be overwritten as soon as nothing else reads them."""

    def __init__(self, dimensions: int) -> None:
        self.graph = fx.Graph()
        self.root = nn.Module()
        self._dimensions = dimensions
        self._count = 0
        self._own: set[fx.Node] = set()

    def _keep(self, tensor: Tensor) -> fx.Node:
        self._count += 1
        name = f"constant{self._count}"
        self.root.register_buffer(name, tensor.detach())
        return self.graph.get_attr(name)

    def _call(self, function: Callable[..., Any], *args: Any) -> fx.Node:
        return self.graph.call_function(function, args)

    def convolve(self, x: fx.Node, kernel: Kernel) -> fx.Node:
        weight = kernel.weight
        bias = None if kernel.bias is None else self._keep(kernel.bias)
        size = weight.shape[2]
        if size == 1 and kernel.groups == 1:
            pointwise = _pointwise_last if self._dimensions == 2 else _pointwise_first
            return self._call(pointwise, x, self._keep(weight.flatten(1).contiguous()), bias)
        numbers = self._keep(weight.contiguous(memory_format=LAYOUTS[self._dimensions]))
        ones, pads = [1] * self._dimensions, [size // 2] * self._dimensions
        if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call] # torch
            # Left to itself, torch takes a slower way for volumes of few slices.
            return self._call(_onednn, x, numbers, bias, pads, ones, ones, kernel.groups)
        function = F.conv2d if self._dimensions == 2 else F.conv3d
        return self._call(function, x, numbers, bias, ones, pads, ones, kernel.groups)

    def activate(self, x: fx.Node, name: Activation) -> fx.Node:
        return self._call(_ACTIVATE[name], x)

    def scale(self, x: fx.Node, affine: Affine) -> fx.Node:
        shape = (1, -1, *(1,) * self._dimensions)
        factor, shift = self._keep(affine.factor.view(shape)), self._keep(affine.shift.view(shape))
        return self._call(torch.addcmul, shift, x, factor)

    def normalise(self, x: fx.Node, epsilon: float) -> fx.Node:
        return self._call(_instance_norm, x, epsilon)

    def group_norm(self, x: fx.Node, norm: nn.GroupNorm) -> fx.Node:
        numbers = self._keep(norm.weight), self._keep(norm.bias)
        return self._call(F.group_norm, x, norm.num_groups, *numbers, norm.eps)

    def layer_norm(self, x: fx.Node, epsilon: float) -> fx.Node:
        return self._call(_layer_norm, x, epsilon)

    def linear(self, x: fx.Node, kernel: Kernel) -> fx.Node:
        bias = None if kernel.bias is None else self._keep(kernel.bias)
        return self._call(F.linear, x, self._keep(kernel.weight), bias)

    def attend(self, qkv: fx.Node) -> fx.Node:
        return self._call(_attend, qkv)

    def to_tokens(self, x: fx.Node) -> fx.Node:
        return self._call(grid_to_sequences, x)

    def to_grid(self, tokens: fx.Node, like: fx.Node) -> fx.Node:
        return self._call(_to_grid_like, tokens, like)

    def add(self, a: fx.Node, b: fx.Node) -> fx.Node:
        return self._call(torch.add, a, b)

    def concatenate(self, parts: Sequence[fx.Node]) -> fx.Node:
        return self._call(torch.cat, list(parts), 1)

    def split(self, x: fx.Node, sizes: Sequence[int]) -> list[fx.Node]:
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return [self._call(torch.narrow, x, 1, s, n) for s, n in zip(starts, sizes, strict=True)]

    def halve(self, x: fx.Node) -> fx.Node:
        return self._call(F.max_pool2d if self._dimensions == 2 else F.max_pool3d, x, 2)

    def double(self, x: fx.Node) -> fx.Node:
        mode = "bilinear" if self._dimensions == 2 else "trilinear"
        return self._call(F.interpolate, x, None, 2.0, mode, False)


_ACTIVATE: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": torch.relu_,
    "silu": lambda x: F.silu(x, inplace=True),
}


def _onednn(x: Tensor, *numbers: Any) -> Tensor:
    return torch.mkldnn_convolution(x, *numbers)


def _pointwise_last(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with size 1, channels last: a matrix product without copies."""
    return F.linear(x.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)


def _pointwise_first(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with size 1, channels first."""
    y = torch.matmul(weight, x.flatten(2))
    if bias is not None:
        y += bias[:, None]
    return y.view(*y.shape[:2], *x.shape[2:])


def _instance_norm(x: Tensor, epsilon: float) -> Tensor:
    return F.instance_norm(x, eps=epsilon)


def _layer_norm(x: Tensor, epsilon: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=epsilon)


def _attend(qkv: Tensor) -> Tensor:
    sequences, tokens, _ = qkv.shape
    heads = qkv.view(sequences, tokens, 3, HEADS, HEAD_CHANNELS).permute(2, 0, 3, 1, 4)
    query, key, value = heads.unbind(0)
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _to_grid_like(tokens: Tensor, like: Tensor) -> Tensor:
    return sequences_to_grid(tokens, tuple(like.shape[2:]))
