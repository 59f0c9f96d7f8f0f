"""Loss, optimiser and schedule of a training run."""

from __future__ import annotations

from typing import Any

import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from napari_lgmsnet.core.training.config import TrainingConfig


def make_loss(config: TrainingConfig) -> nn.Module:
    """Return Dice plus cross entropy, Dice per image with smoothing 1e-5 as in the paper."""
    binary = len(config.classes) == 1
    return DiceCELoss(
        sigmoid=binary,
        softmax=not binary,
        to_onehot_y=not binary,
        include_background=binary,
        lambda_dice=config.dice_weight,
        lambda_ce=config.cross_entropy_weight,
    )


def make_optimiser(config: TrainingConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser; norms and biases are not decayed under AdamW."""
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr=config.learning_rate,
            momentum=0.9,
            weight_decay=config.weight_decay,
        )
    groups = parameter_groups(network, config.weight_decay)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return what is trained in two groups: decayed weights, and norms and biases."""
    trained = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def make_schedule(
    config: TrainingConfig, optimiser: torch.optim.Optimizer, steps: int
) -> LRScheduler:
    """Return the learning rate's schedule over all ``steps`` of the run."""
    if config.schedule == "one-cycle":
        # torch divides by the length of the rise less one step: at 4 steps that would be nothing.
        rise = 0.5 if steps == 4 else 0.25
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=config.learning_rate, total_steps=steps, pct_start=rise
        )
    if config.schedule == "polynomial":
        return torch.optim.lr_scheduler.PolynomialLR(optimiser, total_iters=steps, power=0.9)
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)


def make_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return a running average of weights and norm statistics that starts quickly.

    Parameters
    ----------
    network : Module
    decay : float
        0 keeps the weights themselves.
    """

    def average(averaged: Any, current: Any, count: Tensor | int) -> None:
        weight = 1.0 if decay == 0 else max(1.0 - decay, 9.0 / (10.0 + float(count)))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, weight)
        else:
            torch._foreach_copy_(averaged, current)

    options: dict[str, Any] = {"multi_avg_fn": average, "use_buffers": True}
    return AveragedModel(network, **options)
