"""Dice and cross entropy of labelled voxels alone, and nearness to the parent's answers."""

from __future__ import annotations

import torch
from monai.losses import MaskedDiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

_DICE, _CROSS_ENTROPY = 1.0, 0.5


class LabelledLoss(nn.Module):
    """Dice plus half the cross entropy, as in training; unlabelled voxels weigh nothing in both.

    Parameters
    ----------
    channels : int
        Of the network's output; 1 means one class against background.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        # Masking follows the sigmoid or softmax: a masked logit would still answer one half.
        self.dice = MaskedDiceLoss(include_background=channels == 1)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : float32 tensor (B, K, *S)
        target : uint8 tensor (B, 1, *S)
            0 unlabelled, k + 1 for class k.
        """
        known = (target > 0).to(logits.dtype)
        labels = target.long().sub(1).clamp_min(0)
        count = known.sum().clamp_min(1.0)
        if self.channels == 1:
            probabilities, wanted = logits.sigmoid(), labels.to(logits.dtype)
            entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        else:
            probabilities = logits.softmax(dim=1)
            one_hot = F.one_hot(labels[:, 0], self.channels).movedim(-1, 1)
            wanted = one_hot.to(logits.dtype)
            entropy = F.cross_entropy(logits, labels[:, 0], reduction="none")[:, None]
        dice: Tensor = self.dice(probabilities, wanted, known)
        return _DICE * dice + _CROSS_ENTROPY * (entropy * known).sum() / count


def distance_from_parent(logits: Tensor, parent: Tensor, known: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence of the parent's answers from the network's.

    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, at
    temperature 1: soft answers keep more of what a network knows than its masks do.

    Parameters
    ----------
    logits, parent : float32 tensor (B, K, *S)
        With K = 1 the answers are those of a sigmoid, otherwise of a softmax.
    known : bool tensor (B, 1, *S)
        Voxels that count.
    """
    if logits.shape[1] == 1:
        # A sigmoid is a softmax over the logit and zero.
        logits, parent = (torch.cat([torch.zeros_like(x), x], dim=1) for x in (logits, parent))
    wanted = parent.log_softmax(dim=1)
    found = logits.log_softmax(dim=1)
    each = F.kl_div(found, wanted, reduction="none", log_target=True).sum(dim=1, keepdim=True)
    return (each * known).sum() / known.sum().clamp_min(1)
