"""How much a process grows at most, and how long it takes: what the memory benchmarks share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

_begun: tuple[float, float] = (0.0, 0.0)


def highest() -> float:
    """Return the most memory that this process had so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def begin() -> None:
    """Count from here."""
    global _begun
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")  # the highest memory so far is forgotten
    _begun = highest(), time.perf_counter()


def report() -> None:
    """Print MB and seconds since :func:`begin`, for :func:`measure`."""
    print(json.dumps([highest() - _begun[0], time.perf_counter() - _begun[1]]))


def measure(program: str, *arguments: object) -> tuple[float, float]:
    """Run a program that calls :func:`begin` and :func:`report` in a process of its own.

    Parameters
    ----------
    program : str
        Python, which imports this module as ``peak`` and finds the arguments, as a list in JSON,
        in ``sys.argv[1]``.
    *arguments
        As JSON holds them.

    Returns
    -------
    float, float
        MB and seconds.
    """
    folder = str(Path(__file__).parent)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(arguments)], capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    memory, seconds = json.loads(done.stdout.splitlines()[-1])
    return memory, seconds
