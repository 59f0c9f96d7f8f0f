"""Does doubt point to mistakes? Print how well entropy tells wrong voxels from right ones.

    python benchmarks/doubt.py --data DATASETS [--images 20] [--volumes 5]

DATASETS holds the folders ``polypgen_256`` and ``hippocampus``. Images are the first of
PolypGen's val.txt, volumes the first of those held out, as in accuracy.py. AUC is the chance
that a wrong voxel has a higher entropy than a right one: 0.5 is no better than guessing. "One
view" is the control: the entropy of a single answer, without mirror images and shifts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy import pairs
from scipy.stats import rankdata, spearmanr

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.core.doubt import doubtful_regions, doubtful_slices
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.training.data import read_mask
from napari_lgmsnet.core.types import Volume
from napari_lgmsnet.core.uncertainty import Uncertainty, entropy_of, estimate


def auc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Return the chance that a wrong voxel scores higher than a right one; NaN without both."""
    positive = int(wrong.sum())
    if positive in (0, wrong.size):
        return float("nan")
    ranks = rankdata(score.ravel())[wrong.ravel()].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (wrong.size - positive)))


def measure(
    model: Model, cases: Iterator[tuple[Volume, np.ndarray]]
) -> tuple[list[Uncertainty], list[np.ndarray]]:
    """Print AUCs and times over some cases, and return what was found and what was wrong."""
    found, mistakes, controls, times = [], [], [], []
    for volume, reference in cases:
        start = time.perf_counter()
        one = predict(model, volume)
        middle = time.perf_counter()
        found.append(run(estimate(model, volume, PredictSettings())))
        times.append((time.perf_counter() - middle) / (middle - start))
        controls.append(entropy_of(one.probabilities))
        # What the person sees and corrects is the plain prediction.
        mistakes.append(one.labels != reference)
    wrong = np.concatenate([m.ravel() for m in mistakes])
    print(f"  cases {len(found)}, wrong voxels {100 * wrong.mean():.2f} %")
    print(f"  {found[0].views} views take {np.median(times):.1f} times one prediction")
    scores = {
        "entropy of all views": [one.entropy for one in found],
        "disagreement of views": [one.disagreement for one in found],
        "entropy of one view": controls,
    }
    for name, score in scores.items():
        together = auc(np.concatenate([s.ravel() for s in score]), wrong)
        each = np.array([auc(s, m) for s, m in zip(score, mistakes, strict=True)])
        print(
            f"  AUC {name}: {together:.3f} over all voxels, {np.nanmean(each):.3f} mean of cases, "
            f"lowest {np.nanmin(each):.3f}"
        )
    return found, mistakes


def regions(found: list[Uncertainty], mistakes: list[np.ndarray]) -> None:
    """Print how much of what is wrong lies in the first regions, and how small they are."""
    for first in (1, 3, 5):
        hit, area = [], []
        for one, wrong in zip(found, mistakes, strict=True):
            done = np.zeros(wrong.shape, bool)
            spacing = (1.0,) * wrong.ndim
            for region in doubtful_regions(one.entropy, spacing)[:first]:
                done[region.box] = True
            if wrong.any():
                hit.append((wrong & done).sum() / wrong.sum())
                area.append(done.mean())
        print(
            f"  boxes of the first {first} regions: {100 * np.mean(hit):.0f} % of what is wrong, "
            f"on {100 * np.mean(area):.0f} % of the image"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--volumes", type=int, default=5)
    options = parser.parse_args()

    folder = options.data / "polypgen_256"
    files = list(pairs(folder, folder / "val.txt"))[: options.images]
    print("polyp-2d, PolypGen validation")
    found, mistakes = measure(
        load("polyp-2d"), ((read(i), read_mask(m, 127).data) for i, m in files)
    )
    regions(found, mistakes)
    doubt = [float(one.entropy.sum()) for one in found]
    error = [int(wrong.sum()) for wrong in mistakes]
    print(f"  rank correlation of entropy and wrong pixels: {spearmanr(doubt, error)[0]:.2f}")

    folder = options.data / "hippocampus"
    files = [
        (image, folder / "labels" / image.name)
        for image in sorted((folder / "images").iterdir())[9::10][: options.volumes]
    ]
    print("hippocampus-3d, held-out volumes")
    found, mistakes = measure(
        load("hippocampus-3d"), ((read(i), read_labels(m).data) for i, m in files)
    )
    ranks = []
    for one, wrong in zip(found, mistakes, strict=True):
        order = {s.index: s.score for s in doubtful_slices(one.entropy, (1.0,) * 3, 0)}
        planes = range(wrong.shape[0])
        ranks.append(spearmanr([order.get(p, 0) for p in planes], wrong.sum(axis=(1, 2)))[0])
    print(f"  rank correlation of slices' doubt and wrong voxels: {np.mean(ranks):.2f}")


if __name__ == "__main__":
    main()
