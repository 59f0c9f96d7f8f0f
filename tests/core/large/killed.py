"""Segment a volume block by block again and again, killed one step later each time.

    python -m tests.core.large.killed FOLDER KIND

Every process is a real one that gets SIGKILL: a fork is killed right before the n-th change that it
makes to files once all blocks are computed, for n = 1, 2, ... until one gets to its end. After each
kill another fork runs the same again, unhindered, in the same folder. What each left is printed as
a line of JSON: which outputs were there after the kill, and whether all were whole and nothing else
was left in the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import dask
import torch

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.hashing import content_sha256
from napari_lgmsnet.core.large import predict_large
from napari_lgmsnet.core.large.source import Source
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Progress
from tests.core.large.helpers import write_straight
from tests.core.large.test_large import quick_model

_CHANGES = {
    *("os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    "os.truncate",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Runs:
    """Forks that segment one volume.

    Parameters
    ----------
    folder : Path
    kind : str
        Ending of the outputs.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._source = Source(write_straight(folder / "scan.nii"))
        self._kind = kind
        # Once here, so that a fork finds everything imported; without threads, which forks lack.
        dask.config.set(scheduler="synchronous")
        torch.set_num_threads(1)
        self._work(folder, 0, overwrite=False)

    def outputs(self, place: Path) -> tuple[Path, Path]:
        """Return the two files that are written to a folder."""
        return place / f"mask{self._kind}", place / f"probability{self._kind}"

    def run(self, place: Path, kill_at: int = 0, *, overwrite: bool = False) -> int:
        """Return how a fork ended: its exit code, or the signal as a negative number."""
        child = os.fork()
        if child == 0:
            try:
                self._work(place, kill_at, overwrite)
            except BaseException as error:  # noqa: BLE001 (it must not go on as the parent)
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(2)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _work(self, place: Path, kill_at: int, overwrite: bool) -> None:
        mask, probability = self.outputs(place)
        changes = 0
        counting = False

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal changes
            writing = event == "open" and int(arguments[2] or 0) & _WRITING
            if counting and (writing or event in _CHANGES):
                changes += 1
                if changes == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        def last_block(step: Progress) -> None:
            nonlocal counting
            counting = step.step == step.total

        if kill_at:
            sys.addaudithook(watch)
        model = quick_model(dimensions=2, orientation="RIP")
        job = predict_large(
            model, self._source, mask, PredictSettings(), probability=probability,
            overwrite=overwrite,
        )  # fmt: skip
        progress.run(job, last_block)


def is_empty(path: Path) -> bool:
    """Tell whether a file or a folder takes no space: such a one may be left by a kill."""
    return not any(path.iterdir()) if path.is_dir() else not path.stat().st_size


def main(folder: Path, kind: str) -> None:
    """Kill at every change, without and with an older output that may be replaced."""
    runs = Runs(folder, kind)
    expected = [content_sha256(path) for path in runs.outputs(folder)]
    for replacing in (False, True):
        kill_at, code = 0, -signal.SIGKILL
        while code == -signal.SIGKILL:
            kill_at += 1
            place = folder / f"{replacing}-{kill_at}"
            place.mkdir()
            mask, probability = runs.outputs(place)
            if replacing and kind == ".nii":
                mask.write_text("of an earlier checkpoint")
            elif replacing:
                mask.mkdir()
                (mask / "zarr.json").write_text("{}")
            code = runs.run(place, kill_at, overwrite=replacing)
            there = [path.name for path in (mask, probability) if path.exists()]
            again = runs.run(place, overwrite=replacing) if code else 0
            found = [content_sha256(p) if p.exists() else "" for p in (mask, probability)]
            said = {
                "replacing": replacing,
                "kill_at": kill_at,
                "there": there,
                "code": code,
                "again": again,
                "whole": found == expected,
                "left": sorted(path.name for path in place.glob(".*") if not is_empty(path)),
            }
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
