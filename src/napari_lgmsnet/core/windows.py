"""A network over a large array: overlapping windows, blended."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.types import Progress

Network = Callable[[Tensor], Tensor]
_SIGMA = 0.125
"""Width of the Gaussian weights, as a share of the window."""


def flips_of(axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the axes of (B, C, *S) to flip: none, then every combination of these of S."""
    for count in range(len(axes) + 1):
        yield from combinations([axis + 2 for axis in axes], count)


def run_network(network: Network, batch: Tensor, *, flips: Sequence[int]) -> Tensor:
    """Return logits of a batch (B, C, *S), averaged over flips along axes of S; no gradients."""
    # Only here, and not around a generator's yields, where it would hold for the caller as well.
    with torch.inference_mode():
        answers = [network(batch.flip(axes)).flip(axes).float() for axes in flips_of(flips)]
        return torch.stack(answers).mean(dim=0)


@dataclass(frozen=True)
class Tiling:
    """Where windows lie on an array, which is padded so that they fit.

    Parameters
    ----------
    size : tuple of int
        Of the array, before padding.
    window : tuple of int
    before, after : tuple of int
        Padding at both ends of each axis.
    places : tuple of tuple of slice
        Every window, on the padded array.
    """

    size: tuple[int, ...]
    window: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    places: tuple[tuple[slice, ...], ...]

    @property
    def padded_size(self) -> tuple[int, ...]:
        """Return the size of the padded array."""
        return tuple(b + n + a for n, b, a in zip(self.size, self.before, self.after, strict=True))

    @property
    def inside(self) -> tuple[slice, ...]:
        """Return where the array lies inside of the padded one."""
        return tuple(slice(b, b + n) for n, b in zip(self.size, self.before, strict=True))

    def pad(self, array: Tensor) -> Tensor:
        """Pad (C, *size) by repeating its border."""
        ends = zip(reversed(self.before), reversed(self.after), strict=True)
        pads = [pad for pair in ends for pad in pair]
        return F.pad(array[None], pads, mode="replicate")[0] if any(pads) else array


def tile(
    size: tuple[int, ...], window: tuple[int, ...], overlap: float, multiple: int = 1
) -> Tiling:
    """Place windows on an array.

    Parameters
    ----------
    size : tuple of int
        Where it is smaller than a window it is padded to it, half at each end.
    window : tuple of int
    overlap : float
        Share of a window that the next one covers again.
    multiple : int
        Every window starts at a multiple of this, for which larger arrays are padded at their
        far ends.
    """
    before = [max(0, (w - n) // 2) for n, w in zip(size, window, strict=True)]
    after = [
        w - n - b if n < w else -n % multiple for n, w, b in zip(size, window, before, strict=True)
    ]
    padded = tuple(b + n + a for n, b, a in zip(size, before, after, strict=True))
    steps = [max(1, round(w * (1 - overlap)) // multiple) * multiple for w in window]
    starts = [
        # The last window is moved inwards.
        [min(start, n - w) for start in range(0, n - w + step, step)]
        for n, w, step in zip(padded, window, steps, strict=True)
    ]
    places = tuple(
        tuple(slice(start, start + w) for start, w in zip(corner, window, strict=True))
        for corner in product(*starts)
    )
    return Tiling(size, window, tuple(before), tuple(after), places)


def importance(window: tuple[int, ...]) -> Tensor:
    """Return the weights (*window) with which windows are blended: Gaussian, as MONAI has them."""
    weights = torch.ones(())
    for n in window:
        place = torch.arange(n) - (n - 1) / 2
        bell = torch.exp(place**2 / (-2 * (_SIGMA * n) ** 2))
        weights = weights[..., None] * bell
    return weights.clamp_min(1e-3)


def slide(
    network: Network,
    array: Tensor,
    window: tuple[int, ...],
    overlap: float,
    device: torch.device,
    *,
    flips: Sequence[int] = (),
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
    flips : sequence of int
        Spatial axes: average over all flips of each window along them.

    Yields
    ------
    Progress
        One a window.

    Returns
    -------
    float32 tensor (K, *S)
        On the CPU.
    """
    tiling = tile(tuple(array.shape[1:]), window, overlap)
    padded = tiling.pad(array)
    weights = importance(window)
    total = torch.zeros(0)
    norm = _Norm(tiling.padded_size, weights)
    for done, place in enumerate(tiling.places):
        yield Progress(done, len(tiling.places), f"window {done + 1} of {len(tiling.places)}")
        batch = padded[(slice(None), *place)][None].to(device)
        logits = run_network(network, batch, flips=flips)[0].cpu()
        if done == 0:
            total = torch.zeros((logits.shape[0], *padded.shape[1:]))
        norm.move_to(place[0].start, total)
        total[(slice(None), *place)] += logits * weights
        norm.add(place)
    norm.move_to(tiling.padded_size[0], total)
    return total[(slice(None), *tiling.inside)]


class _Norm:
    """The sum of all weights at each cell, kept only where windows may still be added.

    Windows come in the order of their first axis, so what lies before the next one is finished:
    there the sum of logits is divided, and the sum of weights forgotten.

    Parameters
    ----------
    size : tuple of int
        Of the padded array.
    weights : float tensor (*window)
    """

    def __init__(self, size: tuple[int, ...], weights: Tensor) -> None:
        self._weights = weights
        self._band = torch.zeros((weights.shape[0], *size[1:]))
        self._start = 0

    def move_to(self, start: int, total: Tensor) -> None:
        """Divide the sum of logits (K, *size), in place, where it is finished before ``start``."""
        count = start - self._start
        if count == 0:
            return
        finished = self._band[:count]
        total[:, self._start : start] /= finished
        self._band = torch.cat([self._band[count:], torch.zeros_like(finished)])
        self._start = start

    def add(self, place: tuple[slice, ...]) -> None:
        """Add the weights of a window that begins where the band does."""
        self._band[(slice(None), *place[1:])] += self._weights
