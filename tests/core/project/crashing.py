"""A process that is killed while it edits a project: `python crashing.py`, lines on stdin.

It has loaded everything, and forks a child for every line, so that fifty kills don't load numpy
fifty times. A line holds the project's folder, the number of the first edit, the seed and the
delay of the saving, separated by tabs. What the child has done it says on stdout.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Autosaver, Edit, Project

SHAPE = (12, 48, 40)


class Model:
    """What a case's arrays should be, in the plainest terms."""

    def __init__(self, prediction: NDArray[np.uint8]) -> None:
        self.prediction = prediction
        self.labels = prediction.copy()
        self.touched = np.zeros(prediction.shape, bool)
        self.vouched = np.zeros(prediction.shape, bool)

    def apply(self, edit: Edit) -> None:
        if edit.layer == "vouched":
            self.vouched[edit.where] = edit.new
            return
        before = self.labels.copy()
        self.labels[edit.where] = edit.new
        here = np.zeros(SHAPE, bool)
        here[edit.where] = True
        if edit.box is not None:
            here &= self.labels != before
        if edit.author == "undo":
            self.touched[here] = (self.labels != self.prediction)[here]
        else:
            self.touched[here] = edit.author == "person"


def prediction_of(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 3, SHAPE, dtype=np.uint8)


def edit_of(seed: int, number: int) -> Edit:
    """Return an edit that depends on nothing but its number: a stroke, a box, an undo, a tick."""
    rng = np.random.default_rng((seed, number))
    kind = rng.integers(0, 10)
    start = [int(rng.integers(0, size - 6)) for size in SHAPE]
    box = tuple(slice(low, low + int(rng.integers(1, 6))) for low in start)
    if kind < 6:  # distinct voxels in any order
        places = rng.permutation(np.prod(SHAPE))[: rng.integers(1, 200)]
        where = np.unravel_index(places, SHAPE)
        return Edit(where, new=int(rng.integers(0, 4)), strokes=1)
    if kind < 8:
        extent = [part.stop - part.start for part in box]
        new = rng.integers(0, 4, extent, dtype=np.uint8)
        return Edit(box, new=new, author="undo" if kind == 7 else "person")
    if kind == 8:
        return Edit(box, new=int(rng.integers(0, 2)), layer="vouched")
    return Edit(box, new=1, author="network")


def say(*words: object) -> None:
    os.write(1, ("\t".join(map(str, words)) + "\n").encode())


def edit_until_killed(folder: Path, first: int, seed: int, delay: float) -> None:
    project = Project.open(folder)
    assert not project.read_only, project.why_read_only
    saver = Autosaver(project, report=lambda state: say("saved", first + state.saved), delay=delay)
    say("open", time.monotonic())

    def compact() -> None:
        while True:
            time.sleep(0.03)
            run(project.tidy())

    threading.Thread(target=compact, daemon=True).start()
    number = first
    while True:
        saver.edit(1, edit_of(seed, number))
        number += 1
        saver.keep_view({"edit": number})
        say("edit", number, time.monotonic())
        time.sleep(0.004)


def main() -> None:
    say("ready")
    for line in sys.stdin:
        folder, first, seed, delay = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid == 0:
            try:
                edit_until_killed(Path(folder), int(first), int(seed), float(delay))
            finally:
                os._exit(1)
        say("pid", pid)
        _, status = os.waitpid(pid, 0)
        say("gone", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
