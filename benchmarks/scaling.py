"""How `predict --workers` scales: one and two workers measured, many simulated.

    python benchmarks/scaling.py [--cases 16] [--checkpoint hippocampus-3d] [--image IMAGE]

Measured on this machine, with one torch thread a worker: seconds for all cases with one and with
two workers, what travels (weights, a task, an answer), and how long the scheduler takes for a task
that does nothing, while it, the client and both workers share the cores. The simulation draws the
seconds of a case from those measured, and adds what many workers share: a scheduler that handles
one task at a time, a network that passes the weights on from worker to worker, and a file server.
"""

from __future__ import annotations

import argparse
import heapq
import math
import os
import pickle
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_lgmsnet import load
from napari_lgmsnet.core import headless, progress
from napari_lgmsnet.core.batch.bounded import spread
from napari_lgmsnet.core.batch.cluster import Parcel, connected, pack_size, run_on_cluster
from napari_lgmsnet.core.batch.outcome import Outcome
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.resources import resource_folder

LINK = 1.25e9
"""Bytes a second between two workers, and out of the file server: 10 Gbit/s."""
CASES = 100_000
WORKERS = (1, 2, 10, 100, 1000)


@dataclass(frozen=True)
class Measured:
    """What the simulation takes from the measurement."""

    seconds: np.ndarray
    weights: int
    message: int
    files: int
    scheduling: float


def nothing(_: int) -> None:
    """Do nothing, on a worker."""


def measure(image: Path, checkpoint: str, cases: int) -> tuple[Measured, dict[int, float]]:
    """Segment copies of an image with one and with two workers."""
    model, settings = load(checkpoint), PredictSettings(device="cpu")
    walls: dict[int, float] = {}
    scheduling = math.nan
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        ending = "".join(image.suffixes)
        for number in range(cases):
            shutil.copy(image, folder / "images" / f"case-{number:04}{ending}")
        images = sorted((folder / "images").iterdir())
        for workers in (1, 2):
            with connected(workers, threads=1) as client:
                warm = headless.plan(images[: 2 * workers], folder / f"warm-{workers}")
                progress.run(run_on_cluster(client, model, warm, settings))
                jobs = headless.plan(images, folder / f"masks-{workers}")
                start = time.perf_counter()
                outcomes = progress.run(run_on_cluster(client, model, jobs, settings))
                walls[workers] = time.perf_counter() - start
                assert all(one.state == "done" for one in outcomes), outcomes
                if workers == 1:
                    seconds = walls[1] / cases / np.mean([one.seconds for one in outcomes])
                    whole = np.array([one.seconds for one in outcomes]) * seconds
                else:
                    sum(1 for _ in spread(client, nothing, range(50)))
                    start = time.perf_counter()
                    tasks = sum(1 for _ in spread(client, nothing, range(1000)))
                    scheduling = (time.perf_counter() - start) / tasks
        task = len(pickle.dumps((jobs[0], settings)))
        answer = len(pickle.dumps(Outcome.of(jobs[0], "done", outcomes[0].message)))
        files = image.stat().st_size + jobs[0].mask.stat().st_size
    parcel = len(pickle.dumps(Parcel.of(model)))
    return Measured(whole, parcel, task + answer, files, scheduling), walls


def simulate(found: Measured, workers: int, cases: int, seed: int = 0) -> float:
    """Return the seconds until all cases are done."""
    generator = np.random.default_rng(seed)
    size = pack_size(cases, workers)
    seconds = generator.choice(found.seconds, cases)
    packs = [seconds[start : start + size] for start in range(0, cases, size)]
    # Each round doubles the number of workers that have the weights.
    start = math.ceil(math.log2(workers + 1)) * found.weights / LINK
    free = [start] * workers
    scheduler = server = 0.0
    for own in packs:
        ready = heapq.heappop(free)
        scheduler = max(scheduler, ready) + found.scheduling
        server = max(server, scheduler) + len(own) * found.files / LINK
        heapq.heappush(free, server + own.sum())
    return max(free)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--checkpoint", default="hippocampus-3d")
    parser.add_argument("--image", type=Path)
    options = parser.parse_args()
    sample = resource_folder("sample_data") / "colin27_hippocampus_t1.nii.gz"
    found, walls = measure(options.image or sample, options.checkpoint, options.cases)
    print(f"{os.cpu_count()} cores; {options.cases} cases; {options.checkpoint}")
    for workers, wall in walls.items():
        share = walls[1] / wall / workers
        print(f"measured  {workers:5} workers {wall:10.1f} s   efficiency {share:.2f}")
    print(
        f"a case {found.seconds.mean():.3f} s (from {found.seconds.min():.3f} to "
        f"{found.seconds.max():.3f}); weights {found.weights / 1e6:.2f} MB once a worker; task and "
        f"answer {found.message} bytes; image and mask {found.files / 1e3:.0f} kB; scheduler "
        f"{1e3 * found.scheduling:.2f} ms a task"
    )
    alone = simulate(found, 1, CASES)
    for workers in WORKERS:
        wall = simulate(found, workers, CASES)
        share = alone / wall / workers
        print(f"simulated {workers:5} workers {wall:10.1f} s   efficiency {share:.2f}")
    print(f"(simulated with {CASES} cases)")


if __name__ == "__main__":
    main()
