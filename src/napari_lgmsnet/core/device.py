"""Which device computes, in which precision, with how many threads."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from napari_lgmsnet.core.errors import InputError


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, the best one first."""
    devices = []
    if torch.cuda.is_available():
        devices.append("cuda")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return (*devices, "cpu")


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the device to compute on.

    Parameters
    ----------
    wanted : str
        ``auto`` for the best there is, or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises
    ------
    InputError
        If this machine has no such device.
    """
    available = available_devices()
    if wanted == "auto":
        return torch.device(available[0])
    kind, _, index = wanted.partition(":")
    if kind not in available or (index and int(index) >= torch.cuda.device_count()):
        raise InputError(
            f'this machine has no device "{wanted}": choose auto or one of {", ".join(available)}'
        )
    return torch.device(wanted)


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which training computes in reduced precision, where that is faster.

    bfloat16 on GPUs that have it and on processors on which it pays; elsewhere nothing is changed.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    if device.type == "cpu" and processor_has_bfloat16() and _bfloat16_pays():
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


def processor_has_bfloat16() -> bool:
    """Return whether the processor computes in bfloat16 itself (AVX-512 BF16 or AMX)."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@cache
def _bfloat16_pays() -> bool:
    """Return whether products of matrices are quicker in bfloat16 on this processor, by a trial.

    With AMX they are several times as fast. With AVX-512 BF16 alone it depends on the maker: the
    instruction does twice the work, and on some processors takes more than twice as long.
    """
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        matrix = torch.ones(768, 768, dtype=kind)
        rounds = []
        for _ in range(6):  # the first one prepares; the least disturbed one counts
            start = time.perf_counter()
            torch.mm(matrix, matrix)
            rounds.append(time.perf_counter() - start)
        seconds[kind] = min(rounds)
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]


def set_thread_budget(spare: int = 0) -> int:
    """Give torch the cores that this process may use but ``spare``, and return how many.

    It gets at least one, and never more than ``OMP_NUM_THREADS`` says where that is set: two
    programs with as many threads as there are cores wait for each other most of the time.
    """
    threads = max(1, _cores() - spare)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        threads = min(threads, int(asked))
    torch.set_num_threads(threads)
    return threads


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
