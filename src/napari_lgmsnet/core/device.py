"""Which device computes, in which precision, with how many threads."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

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

    bfloat16 on GPUs that have it and on processors with AMX or AVX-512 BF16; elsewhere nothing
    is changed.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    if device.type == "cpu" and _processor_has_bfloat16():
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


def _processor_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


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
