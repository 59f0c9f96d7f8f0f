"""A process whose only work is training is made quicker at it."""

from __future__ import annotations

import ctypes
import platform

import torch

# What glibc's mallopt calls its options (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1


def dedicate_process() -> None:
    """Make this process quick at training, before it computes anything.

    Changes all of the process, so it is for programs of their own: the command line, and the
    process in which the window trains. What each brings
    is in docs/performance.md.

    Notes
    -----
    Numbers too small for a normal exponent (denormal, below 1.2e-38) become 0. The gradient of
    GELU makes many of them, and a processor may need many times as long for each. Threads
    inherit this from the one that starts them, hence "before".

    On Linux with glibc, freed memory is kept for the next step instead of being returned to the
    system, which hands it out again page by page and filled with zeros.
    """
    torch.set_flush_denormal(True)
    if platform.libc_ver()[0] == "glibc":
        allocator = ctypes.CDLL(None)
        allocator.mallopt(_MMAP_MAX, 0)
        allocator.mallopt(_TRIM_THRESHOLD, _LARGEST)
        allocator.mallopt(_TOP_PAD, 64 * 2**20)
