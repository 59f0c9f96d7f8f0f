"""Training on several processes or machines, started by torchrun.

Every process holds the whole network and does its share of each batch; gradients and norm
statistics are those of the whole batch, so the loss curve is that of one process.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from napari_lgmsnet.core.errors import TrainingError

T = TypeVar("T")
Norm = nn.modules.batchnorm._BatchNorm


class Processes:
    """The processes that train together; without torchrun there is one.

    Parameters
    ----------
    rank : int
        Which one this is, from 0.
    count : int
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Return whether this process writes the files."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()

    def share(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return this process's part of a batch."""
        return np.array_split(places, self.count)[self.rank]

    def check_batches(self, cases: int, steps: int) -> None:
        """Refuse batches that do not give every process an image.

        Raises
        ------
        TrainingError
        """
        smallest = cases // steps
        if smallest < self.count:
            raise TrainingError(
                f"the smallest batch has {smallest} image(s) for {self.count} processes: start "
                "fewer, or raise batch_size"
            )

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return what to call for training; parameters and their names stay the network's own."""
        if self.count == 1:
            return network
        for module in network.modules():
            if isinstance(module, Norm):
                setattr(module, "forward", _WholeBatch(module))  # noqa: B010 (a method is replaced)
        places = [device.index or 0] if device.type == "cuda" else None
        with warnings.catch_warnings():
            # The option's new name is not known to the oldest torch that is supported.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(network, device_ids=places, broadcast_buffers=False)

    def weight(self, own: int, whole: int) -> float:
        """Return what the mean loss of a share counts, so that gradients are the batch's.

        They are averaged over processes, whatever the sizes of their shares.
        """
        return own * self.count / whole

    def total(self, value: float) -> float:
        """Return a number summed over all processes."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=_device_of_group())
        distributed.all_reduce(tensor)
        return float(tensor)

    def gathered(self, own: list[T]) -> list[T]:
        """Return the lists of all processes, dealt out by :meth:`mine`, in the first order."""
        if self.count == 1:
            return own
        lists: list[list[T]] = [[] for _ in range(self.count)]
        distributed.all_gather_object(lists, own)
        total = sum(len(one) for one in lists)
        return [lists[place % self.count][place // self.count] for place in range(total)]

    def mine(self, items: Sequence[T]) -> Sequence[T]:
        """Return every n-th item: this process's part of a list."""
        return items[self.rank :: self.count]


@contextmanager
def joined(device: str) -> Iterator[tuple[Processes, str]]:
    """Join the other processes that torchrun started, if it did.

    Parameters
    ----------
    device : str
        As a person gives it.

    Yields
    ------
    processes : Processes
    device : str
        Of this process: each has a GPU of its own.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield Processes(), device
        return
    gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if gpu:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), count), device if gpu else "cpu"
    finally:
        distributed.destroy_process_group()


class _Sum(torch.autograd.Function):
    """A sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(_context: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def _summed(tensor: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call] # torch publishes none
    return total


class _WholeBatch:
    """A batch norm whose statistics in training are those of all processes' images.

    torch's SyncBatchNorm does this on GPUs only.
    """

    def __init__(self, norm: Norm) -> None:
        self._norm = norm
        self._plain = norm.forward

    def __call__(self, batch: Tensor) -> Tensor:
        norm = self._norm
        if not norm.training or norm.running_mean is None or norm.running_var is None:
            return self._plain(batch)
        values = batch.float()
        axes = [0, *range(2, batch.ndim)]
        count = values.new_tensor([values.numel() / values.shape[1]])
        sums = _summed(torch.cat([values.sum(axes), count]))
        size = sums[-1]
        mean = sums[:-1] / size
        shape = [1, -1, *[1] * (batch.ndim - 2)]
        centred = values - mean.view(shape)
        # Around the common mean: the mean of squares less the squared mean would lose digits.
        variance = _summed(centred.square().sum(axes)) / size
        with torch.no_grad():
            share = 0.1 if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean.detach(), share)
            norm.running_var.lerp_(variance.detach() * size / (size - 1), share)
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
        out = centred * torch.rsqrt(variance + norm.eps).view(shape)
        if norm.affine:
            out = out * norm.weight.view(shape) + norm.bias.view(shape)
        answer: Tensor = out.to(batch.dtype)
        return answer


def _device_of_group() -> torch.device:
    gpu = distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if gpu else torch.device("cpu")
