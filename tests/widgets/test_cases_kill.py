"""A window is killed while a person paints: what is missing afterwards, and where the viewer is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Autosaver, Project, verify
from napari_lgmsnet.widgets.cases import CasesWidget
from tests.widgets.case_helpers import SHAPE, labels_after, write_sagittal

KILLS = 3
LONGEST_LOSS = 2.0
START = 300.0
"""Seconds for a window to open on a busy machine."""


class Window:
    """A process that paints, and what it says of it."""

    def __init__(self, project: Path) -> None:
        command = [sys.executable, "-m", "tests.widgets.cases_crashing", str(project)]
        root = Path(__file__).parents[2]
        self.edits: list[tuple[int, float]] = []
        self.saved = 0
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, *rest = line.rstrip("\n").split("\t")
            if word == "edit":
                self.edits.append((int(rest[0]), float(rest[1])))
            elif word == "saved":
                self.saved = max(self.saved, int(rest[0]))

    def kill(self) -> float:
        """End it at once; return when."""
        killed = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        return killed


def new_project(folder: Path) -> Path:
    """Make a project with one volume, stored in sagittal slices, and an empty mask."""
    image = folder / "volume.nii.gz"
    folder.mkdir()
    order = write_sagittal(image)
    shape = [0, 0, 0]
    for place, axis in enumerate(order):
        shape[axis] = SHAPE[place]
    with Project.create(folder / "project") as project:
        (case,) = run(project.add([image])).cases
        run(project.labels.store(case.id, labels=np.zeros(shape, np.uint8)))
        Autosaver(project).close()
    return folder / "project"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_killed_window_loses_two_seconds_at_most(registered, viewer, qtbot, tmp_path):
    seed = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    rng = random.Random(seed)
    # Side by side, since most of the time goes by while they open.
    windows = [Window(new_project(tmp_path / str(number))) for number in range(KILLS)]
    killed = {}
    try:
        until = time.monotonic() + START
        while not all(one.edits for one in windows) and time.monotonic() < until:
            time.sleep(0.05)
        lives = [rng.uniform(0.1, 1.5), rng.uniform(1.5, 3.0), rng.uniform(3.0, 4.5)]
        for number, life in enumerate(lives[:KILLS]):
            time.sleep(life if number == 0 else life - lives[number - 1])
            killed[number] = windows[number].kill()
    finally:
        for one in windows:
            if one.process.poll() is None:
                one.kill()
    widget = CasesWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Cases")
    for number, window in enumerate(windows):
        made = window.edits[-1][0]
        old = max((n for n, at in window.edits if at <= killed[number] - LONGEST_LOSS), default=0)
        widget.open_project(tmp_path / str(number) / "project")
        qtbot.waitUntil(
            lambda: widget.desk.screen is not None and widget.desk.settled, timeout=60_000
        )
        assert not widget.desk.project.read_only
        assert [one for one in run(verify(widget.desk.project)) if one.severity == "error"] == []
        found = widget.desk.screen.view.mask.data
        # It may have painted once more than it came to say.
        history = labels_after(made + 1)
        count = next(
            (n for n in range(made + 1, -1, -1) if np.array_equal(history[n], found)), None
        )
        sys.stdout.write(f"window {number}: {made} made, {count} kept, {old} must be\n")
        assert count is not None, "the mask is none of those that were painted"
        assert count >= max(old, window.saved)
        seen = round((viewer.scene.camera.zoom - 1) * 1000)
        if old:
            assert old <= seen <= made + 1
            step = (seen - 1) % SHAPE[0]
            assert viewer.dims.current_step[0] in (step, (step + 1) % SHAPE[0])
        assert widget.close_project()
