"""The network in OpenVINO, a graph compiler for processors (an extra of this package).

The graph is built operation by operation. OpenVINO's own converter would trace the network, which
takes seconds and functions of torch that are on their way out, and it reports its use over the
internet.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_lgmsnet.core.engines.folding import Affine, Kernel
from napari_lgmsnet.core.engines.graph import Activation, build
from napari_lgmsnet.core.engines.names import BFLOAT16, OPENVINO
from napari_lgmsnet.core.network.architecture import HEAD_CHANNELS, HEADS
from napari_lgmsnet.core.network.lgmsnet import LGMSNet
from napari_lgmsnet.core.optional import optional


class OpenVinoEngine:
    """The folded network, compiled for one size of window.

    Parameters
    ----------
    network : LGMSNet
        On the CPU.
    window : tuple of int
        The size, every one a multiple of 32.
    threads : int
        How many it may use.
    reduced : bool
        Compute in bfloat16, which the processor must have, instead of float32.

    Raises
    ------
    InputError
        If OpenVINO is not installed.
    """

    def __init__(
        self, network: LGMSNet, window: tuple[int, ...], threads: int, *, reduced: bool = False
    ) -> None:
        self.name = BFLOAT16 if reduced else OPENVINO
        openvino = optional("openvino", "openvino", "the engine openvino")
        nodes = optional("openvino.opset13", "openvino", "the engine openvino")
        architecture = network.architecture
        x = nodes.parameter([1, architecture.in_channels, *window], np.float32)
        operations = _OpenVinoOperations(nodes, architecture.dimensions)
        graph = openvino.Model([build(network, operations, x)], [x], "lgmsnet")
        wishes = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # By itself it computes in half precision on some processors.
            "INFERENCE_PRECISION_HINT": "bf16" if reduced else "f32",
        }
        self._request = openvino.Core().compile_model(graph, "CPU", wishes).create_infer_request()
        self._busy = Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        """Return logits (B, K, *S) of a float32 tensor (B, C, *S) on the CPU; S is the window."""
        answers = []
        for one in batch:
            # The request's own memory holds the answer until it is copied.
            with self._busy:
                answer = self._request.infer([one[None].contiguous().numpy()], share_inputs=True)
                answers.append(torch.from_numpy(answer[0].copy()))
        return torch.cat(answers)


class _OpenVinoOperations:
    """Builds a graph of OpenVINO, whose shapes are fixed."""

    def __init__(self, nodes: Any, dimensions: int) -> None:
        self._nodes = nodes
        self._dimensions = dimensions

    def _constant(self, values: Any) -> Any:
        return self._nodes.constant(np.asarray(values, order="C"))

    def _per_channel(self, numbers: Tensor) -> Any:
        return self._constant(_plain(numbers).reshape(1, -1, *(1,) * self._dimensions))

    def convolve(self, x: Any, kernel: Kernel) -> Any:
        nodes, weight, groups = self._nodes, _plain(kernel.weight), kernel.groups
        ones = [1] * self._dimensions
        pads = [weight.shape[2] // 2] * self._dimensions
        if groups == 1:
            y = nodes.convolution(x, self._constant(weight), ones, pads, pads, ones)
        else:
            weight = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
            y = nodes.group_convolution(x, self._constant(weight), ones, pads, pads, ones)
        return y if kernel.bias is None else nodes.add(y, self._per_channel(kernel.bias))

    def activate(self, x: Any, name: Activation) -> Any:
        nodes = self._nodes
        if name == "gelu":
            return nodes.gelu(x, "erf")
        return nodes.relu(x) if name == "relu" else nodes.swish(x)

    def scale(self, x: Any, affine: Affine) -> Any:
        y = self._nodes.multiply(x, self._per_channel(affine.factor))
        return self._nodes.add(y, self._per_channel(affine.shift))

    def normalise(self, x: Any, epsilon: float) -> Any:
        # As a group norm of one channel a group it would be more exact and a quarter slower.
        return self._mean_0_variance_1(x, range(2, 2 + self._dimensions), epsilon)

    def group_norm(self, x: Any, norm: nn.GroupNorm) -> Any:
        numbers = self._constant(_plain(norm.weight)), self._constant(_plain(norm.bias))
        return self._nodes.group_normalization(x, *numbers, norm.num_groups, norm.eps)

    def layer_norm(self, x: Any, epsilon: float) -> Any:
        return self._mean_0_variance_1(x, [2], epsilon)

    def _mean_0_variance_1(self, x: Any, axes: Sequence[int], epsilon: float) -> Any:
        over = self._constant(np.array(axes, np.int64))
        return self._nodes.mvn(x, over, True, epsilon, "inside_sqrt")

    def linear(self, x: Any, kernel: Kernel) -> Any:
        nodes = self._nodes
        y = nodes.matmul(x, self._constant(_plain(kernel.weight)), False, True)
        if kernel.bias is None:
            return y
        return nodes.add(y, self._constant(_plain(kernel.bias).reshape(1, 1, -1)))

    def attend(self, qkv: Any) -> Any:
        nodes = self._nodes
        sequences, tokens, _ = qkv.output(0).shape
        heads = self._reshape(qkv, [sequences, tokens, 3, HEADS, HEAD_CHANNELS])
        heads = self._transpose(heads, [2, 0, 3, 1, 4])
        three = nodes.split(heads, self._constant(np.array(0, np.int64)), 3).outputs()
        one = [sequences, HEADS, tokens, HEAD_CHANNELS]
        query, key, value = (self._reshape(part, one) for part in three)
        y = nodes.scaled_dot_product_attention(query, key, value)
        return self._reshape(
            self._transpose(y, [0, 2, 1, 3]), [sequences, tokens, HEADS * HEAD_CHANNELS]
        )

    def to_tokens(self, x: Any) -> Any:
        _, channels, *size = x.output(0).shape
        n = self._dimensions
        y = self._reshape(x, [channels, *(part for s in size for part in (s // 2, 2))])
        y = self._transpose(y, [*range(2, 2 * n + 1, 2), *range(1, 2 * n, 2), 0])
        return self._reshape(y, [2**n, -1, channels])

    def to_grid(self, tokens: Any, like: Any) -> Any:
        _, channels, *size = like.output(0).shape
        n = self._dimensions
        y = self._reshape(tokens, [*[2] * n, *(s // 2 for s in size), channels])
        order = [2 * n, *(axis for i in range(n) for axis in (n + i, i))]
        return self._reshape(self._transpose(y, order), [1, channels, *size])

    def _reshape(self, x: Any, shape: Sequence[int]) -> Any:
        return self._nodes.reshape(x, self._constant(np.array(shape, np.int64)), False)

    def _transpose(self, x: Any, order: Sequence[int]) -> Any:
        return self._nodes.transpose(x, self._constant(np.array(order, np.int64)))

    def add(self, a: Any, b: Any) -> Any:
        return self._nodes.add(a, b)

    def concatenate(self, parts: Sequence[Any]) -> Any:
        return self._nodes.concat(list(parts), 1)

    def split(self, x: Any, sizes: Sequence[int]) -> list[Any]:
        axis, lengths = (self._constant(np.array(v, np.int64)) for v in (1, list(sizes)))
        parts: list[Any] = self._nodes.variadic_split(x, axis, lengths).outputs()
        return [self._reshape(part, list(part.shape)) for part in parts]

    def halve(self, x: Any) -> Any:
        two, one, zero = ([n] * self._dimensions for n in (2, 1, 0))
        return self._nodes.max_pool(x, two, one, zero, zero, two).output(0)

    def double(self, x: Any) -> Any:
        axes = np.arange(2, 2 + self._dimensions)
        return self._nodes.interpolate(
            x,
            self._constant(np.full(self._dimensions, 2.0, np.float32)),
            "linear_onnx",
            "scales",
            coordinate_transformation_mode="half_pixel",
            axes=self._constant(axes.astype(np.int64)),
        )


def _plain(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy()
    return array
