"""What is kept of a training: an average of its states, of which those that scored high weigh most.

Of two or three held-out cases the state that scores highest is the luckiest rather than the best
one. An average cannot be as lucky, and is better on images that had no part in it; states that
training spoilt weigh next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from napari_lgmsnet.core.finetune.network import averaged

_TRUST = 4.0
"""In each held-out case: of two, a state whose Dice is 0.3 below the highest weighs a tenth."""


class Blend:
    """The average so far.

    Parameters
    ----------
    cases : int
        How many are held out: the more there are, the more a difference in Dice means.

    Attributes
    ----------
    weights : dict of str to Tensor
        Empty before the first state.
    share : float
        Of the new weights; the rest is the parent's.
    """

    def __init__(self, cases: int) -> None:
        self._trust = _TRUST * cases
        self.weights: dict[str, Tensor] = {}
        self.share = 0.0
        self._highest = -math.inf
        self._total = 0.0

    def add(self, weights: Mapping[str, Tensor], dice: float, share: float) -> None:
        """Add a state.

        Parameters
        ----------
        weights : mapping of str to Tensor
        dice : float
            On held-out cases.
        share : float
            Of the new weights in them.
        """
        highest = max(self._highest, dice)
        self._total *= math.exp(self._trust * (self._highest - highest))
        self._highest = highest
        own = math.exp(self._trust * (dice - highest))
        self._total += own
        part = own / self._total
        self.weights = averaged(self.weights, weights, part)
        self.share += part * (share - self.share)

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on, tensors and plain values only."""
        return {
            "weights": self.weights,
            "share": self.share,
            "highest": self._highest,
            "total": self._total,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.weights, self.share = state["weights"], state["share"]
        self._highest, self._total = state["highest"], state["total"]
