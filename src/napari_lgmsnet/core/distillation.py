"""Learning from another network's answers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def distance_from_teacher(logits: Tensor, teacher: Tensor, known: Tensor | None = None) -> Tensor:
    """Return the mean Kullback-Leibler divergence of a teacher's answers from the network's.

    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, at
    temperature 1: soft answers keep more of what a network knows than its masks do.

    Parameters
    ----------
    logits, teacher : float32 tensor (B, K, *S)
        With K = 1 the answers are those of a sigmoid, otherwise of a softmax.
    known : bool tensor (B, 1, *S), optional
        Voxels that count; all of them without it.
    """
    if logits.shape[1] == 1:
        # A sigmoid is a softmax over the logit and zero.
        logits, teacher = (torch.cat([torch.zeros_like(x), x], dim=1) for x in (logits, teacher))
    wanted = teacher.log_softmax(dim=1)
    found = logits.log_softmax(dim=1)
    each = F.kl_div(found, wanted, reduction="none", log_target=True).sum(dim=1, keepdim=True)
    if known is None:
        return each.mean()
    return (each * known).sum() / known.sum().clamp_min(1)
