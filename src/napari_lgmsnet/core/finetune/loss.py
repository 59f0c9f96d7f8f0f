"""Dice and cross entropy of labelled voxels alone."""

from __future__ import annotations

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
