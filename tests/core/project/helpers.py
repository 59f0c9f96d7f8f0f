"""Small real projects for tests."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Case, CaseMask, Project

SHAPE = (20, 30)


def write_picture(path: Path, seed: int, shape: tuple[int, int] = SHAPE) -> Path:
    """Write a grey picture whose content only the seed decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def add_pictures(project: Project, folder: Path, count: int = 1) -> list[Case]:
    """Add new pictures to a project."""
    present = len(project.cases.all())
    paths = [
        write_picture(folder / f"picture {present + i}.png", present + i) for i in range(count)
    ]
    return list(run(project.add(paths)).cases)


def store(project: Project, case: Case, prediction: NDArray[Any], **more: Any) -> None:
    """Store a prediction, and the mask that it becomes."""
    run(project.labels.store(case.id, prediction=prediction, **more))


def mask_of(project: Project, case: Case) -> CaseMask:
    """Return a case's mask, which it must have."""
    mask = project.labels.read(case.id)
    assert mask is not None
    return mask


def a_prediction(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> NDArray[np.uint8]:
    """Return a mask with a few labels."""
    return np.random.default_rng(seed).integers(0, 3, shape, dtype=np.uint8)


def run_python(code: str, *arguments: object, powerless: bool = False) -> str:
    """Run code in a process of its own and return what it prints.

    Parameters
    ----------
    code : str
    *arguments : object
    powerless : bool
        Permissions of files hold, also for root.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_drop_powers if powerless else None,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _drop_powers() -> None:
    """Give up root's right to pass over permissions; takes effect with the next program."""
    if os.geteuid() == 0:
        library = ctypes.CDLL(None, use_errno=True)
        for power in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if library.prctl(24, power, 0, 0, 0) != 0:  # PR_CAPBSET_DROP
                os._exit(77)
