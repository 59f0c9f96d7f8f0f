"""Networks and progress for tests of engines."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import nn

from napari_lgmsnet.core.engines.choice import Chosen, Engines
from napari_lgmsnet.core.network import Architecture, LGMSNet
from napari_lgmsnet.core.types import Progress

CPU = torch.device("cpu")
SIZES = {
    2: Architecture(dimensions=2, in_channels=3, out_channels=2, depths=(1, 2, 1)),
    3: Architecture(
        dimensions=3, in_channels=1, out_channels=3,
        dims=(8, 8, 16, 16, 24), splits=((12, 4), (16, 8), (12, 4), (12, 4)),
    ),
}  # fmt: skip
WINDOWS = {2: (64, 96), 3: (32, 64, 32)}


def trained_network(dimensions: int) -> LGMSNet:
    """Return a network whose norms do something, as those of a trained one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(dimensions)
        network = LGMSNet(SIZES[dimensions]).eval()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d | nn.GroupNorm | nn.LayerNorm):
                nn.init.uniform_(module.weight, -2, 2)
                nn.init.normal_(module.bias)
    return network


def run(job: Generator[Progress, None, Chosen]) -> tuple[Chosen, list[str]]:
    """Return what a choice ends with, and what it said on the way."""
    said = []
    while True:
        try:
            said.append(next(job).message)
        except StopIteration as end:
            return end.value, said


def choose(
    engines: Engines, wanted: str = "auto", window: tuple[int, ...] = (64, 96), windows: int = 100
) -> tuple[Chosen, list[str]]:
    """Choose an engine for some windows on the processor."""
    return run(engines.choose(wanted, window, windows, CPU))
