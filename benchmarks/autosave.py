"""How long saving takes: small and large edits of a 512 x 512 x 300 mask.

    python benchmarks/autosave.py [FOLDER]

Prints seconds on the clock, seconds of computing, and bytes. FOLDER chooses the disk; without it
a temporary folder is used.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Autosaver, Edit, Project

SHAPE = (300, 512, 512)


def timed(words: str, action: Callable[[], object]) -> None:
    start, computing = time.perf_counter(), time.process_time()
    action()
    seconds, busy = time.perf_counter() - start, time.process_time() - computing
    print(f"{words:<44}{seconds:8.3f} s, computing {busy:6.3f} s")


def a_mask() -> np.ndarray:
    """Return an organ with vessels in it."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    mask = (((z - 150) / 100) ** 2 + ((y - 256) / 150) ** 2 + ((x - 256) / 150) ** 2 < 1).astype(
        np.uint8
    )
    mask[::7, 100:200:3, 100:400] *= 2
    return mask


def a_stroke(rng: np.random.Generator) -> Edit:
    """Return a disc of about 1200 voxels, as a brush leaves it."""
    y, x = np.nonzero(np.hypot(*np.ogrid[-20:21, -20:21]) < 20)
    z, top, left = (int(rng.integers(0, size - 41)) for size in SHAPE)
    return Edit((np.full(len(y), z), y + top, x + left), new=int(rng.integers(0, 3)), strokes=1)


def measure(folder: Path) -> None:
    """Print what each way of saving costs."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "image.png")
    rng, mask = np.random.default_rng(0), a_mask()
    with Project.create(folder / "project") as project:
        (case,) = run(project.add([folder / "image.png"])).cases
        store = project.labels.store
        timed("store a prediction whole", lambda: run(store(case.id, prediction=mask)))
        saver = Autosaver(project, delay=1000)
        strokes = [a_stroke(rng) for _ in range(1000)]
        timed("hand over 1000 strokes", lambda: [saver.edit(case.id, one) for one in strokes])
        timed("save 1000 strokes", saver.flush)
        saver.edit(case.id, a_stroke(rng))
        timed("save one stroke", saver.flush)
        whole = tuple(slice(0, size) for size in SHAPE)
        saver.edit(case.id, Edit(whole, np.where(mask == 2, 1, mask).astype(np.uint8)))
        timed("save an edit of all 78.6 million voxels", saver.flush)
        journal = sum(path.stat().st_size for path in (folder / "project/journal").iterdir())
        print(f"{'journal with all of this':<44}{journal / 2**20:8.3f} MiB")
        timed("read the mask with its journal", lambda: project.labels.read(case.id))
        timed("store it whole, drop the journal", lambda: run(project.labels.compact(case.id)))
        timed("read the mask without a journal", lambda: project.labels.read(case.id))
        saver.close()
        files = (folder / "project/labels").rglob("*.npz")
        size = sum(path.stat().st_size for path in files)
        print(f"{'files of the mask, before and after':<44}{size / 2**20:8.3f} MiB")


def main() -> None:
    """Measure in the given folder, or in a temporary one."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        measure(Path(folder))


if __name__ == "__main__":
    main()
