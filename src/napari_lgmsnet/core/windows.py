"""A network over a large array: overlapping windows, blended."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import combinations

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.types import Progress

Network = Callable[[Tensor], Tensor]


def flips_of(dimensions: int, *, flips: bool) -> Iterator[tuple[int, ...]]:
    """Yield the axes of (B, C, *S) to flip: none, then every combination if ``flips``."""
    yield ()
    if flips:
        for count in range(1, dimensions + 1):
            yield from combinations(range(2, dimensions + 2), count)


def run_network(network: Network, batch: Tensor, *, flips: bool) -> Tensor:
    """Return logits of a batch (B, C, *S), averaged over its flips if ``flips``; no gradients."""
    # Only here, and not around a generator's yields, where it would hold for the caller as well.
    with torch.inference_mode():
        answers = [
            network(batch.flip(axes)).flip(axes).float()
            for axes in flips_of(batch.ndim - 2, flips=flips)
        ]
        return torch.stack(answers).mean(dim=0)


def slide(
    network: Network,
    array: Tensor,
    window: tuple[int, ...],
    overlap: float,
    device: torch.device,
    *,
    flips: bool = False,
) -> Generator[Progress, None, Tensor]:
    """Run a network in overlapping windows and blend the logits with Gaussian weights.

    Parameters
    ----------
    network : callable
        (B, C, *window) to logits (B, K, *window), on ``device``.
    array : float tensor (C, *S)
        On the CPU. Where it is smaller than a window it is padded by repeating its border, half
        at each end.
    window : tuple of int
    overlap : float
        Share of a window that the next one covers again.
    device : torch.device
    flips : bool
        Average over all flips of each window.

    Yields
    ------
    Progress
        One a window.

    Returns
    -------
    float32 tensor (K, *S)
        On the CPU.
    """
    size = array.shape[1:]
    before = [max(0, (w - n) // 2) for n, w in zip(size, window, strict=True)]
    after = [max(0, w - n - b) for n, w, b in zip(size, window, before, strict=True)]
    pads = [pad for b, a in zip(reversed(before), reversed(after), strict=True) for pad in (b, a)]
    padded = F.pad(array[None], pads, mode="replicate")[0] if any(pads) else array
    steps = [max(1, round(w * (1 - overlap))) for w in window]
    places = dense_patch_slices(tuple(padded.shape[1:]), window, steps)
    weights = compute_importance_map(window, mode="gaussian", sigma_scale=0.125)
    weights = weights.clamp_min(1e-3)
    total = torch.zeros(0)
    norm = torch.zeros(padded.shape[1:])
    for done, place in enumerate(places):
        yield Progress(done, len(places), f"window {done + 1} of {len(places)}")
        batch = padded[(slice(None), *place)][None].to(device)
        logits = run_network(network, batch, flips=flips)[0].cpu()
        if done == 0:
            total = torch.zeros((logits.shape[0], *padded.shape[1:]))
        total[(slice(None), *place)] += logits * weights
        norm[place] += weights
    total /= norm
    box = tuple(slice(b, b + n) for b, n in zip(before, size, strict=True))
    return total[(slice(None), *box)]
