"""An engine is used only if it says what plain torch says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from napari_lgmsnet.core.engines.fused import FusedEngine
from napari_lgmsnet.core.engines.names import BFLOAT16, FUSED, OPENVINO, TORCH
from napari_lgmsnet.core.engines.openvino import OpenVinoEngine
from napari_lgmsnet.core.network.lgmsnet import LGMSNet

TOLERANCE = 1e-3
"""How far logits may be from plain torch's, as a share of their spread (largest - smallest)."""

REDUCED_TOLERANCE = 5e-2
"""The same in bfloat16, which has 8 significant bits: twice what shipped checkpoints show."""


class Engine(Protocol):
    """A way to run a network."""

    @property
    def name(self) -> str:
        """Return its name, one of :data:`~napari_lgmsnet.core.engines.names.TITLES`."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Return logits (B, K, *S) of a float32 tensor (B, C, *S)."""


class TorchEngine:
    """The network as it is: what every other engine is compared with."""

    name = TORCH

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        self._network = network

    def __call__(self, batch: Tensor) -> Tensor:
        """Return logits (B, K, *S) of a float32 tensor (B, C, *S) on the network's device."""
        return self._network(batch)


Builder = Callable[[LGMSNet, tuple[int, ...], int], Engine]

BUILDERS: dict[str, Builder] = {
    FUSED: lambda network, window, threads: FusedEngine(network),  # noqa: ARG005
    OPENVINO: OpenVinoEngine,
    BFLOAT16: partial(OpenVinoEngine, reduced=True),
}
"""Name to what builds an engine from a network, the size of a window and a number of threads."""


class DisagreesError(Exception):
    """An engine's answers are not those of plain torch; the message says so to a person."""


@dataclass(frozen=True, eq=False)
class Checked:
    """An engine that agrees with plain torch.

    Parameters
    ----------
    engine : Engine
    seconds : float
        That building and checking it took.
    """

    engine: Engine
    seconds: float


def example(network: LGMSNet, window: tuple[int, ...]) -> Tensor:
    """Return a random input (1, C, *window), always the same one."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn((1, network.architecture.in_channels, *window), generator=generator)


def checked(name: str, network: LGMSNet, batch: Tensor, reference: Tensor) -> Checked:
    """Build an engine and compare its answer.

    Parameters
    ----------
    name : str
        A key of :data:`BUILDERS`.
    network : LGMSNet
        On the CPU, in evaluation mode.
    batch : float tensor (1, C, *window)
        What :func:`example` gives.
    reference : float tensor (1, K, *window)
        Plain torch's answer to it.

    Raises
    ------
    DisagreesError
        If the answer is another one, or the engine's library cannot run the network.
    InputError
        If the engine's library is not installed.
    """
    start = time.perf_counter()
    try:
        engine = BUILDERS[name](network, tuple(batch.shape[2:]), torch.get_num_threads())
        answer = engine(batch)
    except RuntimeError as error:  # of the engine's library
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DisagreesError(f"engine {name} is not used, it cannot run here: {first}") from error
    away = deviation(answer, reference)
    tolerance = REDUCED_TOLERANCE if name == BFLOAT16 else TOLERANCE
    if not away <= tolerance:
        raise DisagreesError(
            f"engine {name} is not used: its answer is {away:.2g} of the logits' spread away from "
            f"plain torch's ({tolerance:g} is allowed)"
        )
    return Checked(engine, time.perf_counter() - start)


def deviation(answer: Tensor, reference: Tensor) -> float:
    """Return the largest difference as a share of the reference's spread; infinity for no number.

    Parameters
    ----------
    answer, reference : float tensor
        Of the same shape; of different ones infinity is returned.
    """
    if answer.shape != reference.shape:
        return math.inf
    spread = float(reference.max() - reference.min())
    away = float((answer - reference).abs().max())
    if math.isnan(away):
        return math.inf
    if spread == 0:
        return 0.0 if away == 0 else math.inf
    return away / spread
