"""How many clicks a mask takes: simulated clicks, against two controls.

    python benchmarks/clicks.py --data DATASETS [--checkpoint polyp-2d] [--limit N] [--csv FILE]
                                [--curves FILE]

DATASETS holds the folders ``kvasir_256``, ``stu_256`` and ``ddti_256``. Each click goes to the
middle of the largest region that is wrong (the maximum of its distance transform), as is usual in
the field; at most 20. With ``--off-centre`` it goes to a random place in that region instead.

Controls: a disc of radius 12 pixels painted at each click; and scikit-image's random walker on
the probabilities, with seeds where they are above 0.9 or below 0.1, dropped within 40 pixels of a
click, and the clicks themselves.

A step is the difference of IoU that one of the first five clicks makes; a mean step is that of one
click over all images, and the smallest of the five is given.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import random_walker

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.core.device import set_thread_budget
from napari_lgmsnet.core.refine.refiner import Click, Refiner
from napari_lgmsnet.core.training.data import read_mask

Mask = NDArray[np.bool_]
Step = Callable[[Mask, list[Click]], Mask]
MOST = 20
SHOWN = (0, 1, 3, 5)
GOALS = (0.85, 0.90)
DISC, DROPPED = 12, 40


def iou(mask: Mask, truth: Mask) -> float:
    """Return intersection over union."""
    return float((mask & truth).sum() / max(1, (mask | truth).sum()))


def next_click(mask: Mask, truth: Mask, generator: np.random.Generator | None) -> Click | None:
    """Return a click into the largest region that is wrong; None if nothing is."""
    largest: Mask | None = None
    for wrong in (truth & ~mask, mask & ~truth):
        regions, count = ndimage.label(wrong)
        if count:
            sizes = np.bincount(regions.ravel())
            region = regions == sizes[1:].argmax() + 1
            if largest is None or region.sum() > largest.sum():
                largest = region
    if largest is None:
        return None
    if generator is None:
        inside = ndimage.distance_transform_edt(np.pad(largest, 1))[1:-1, 1:-1]
        place = np.unravel_index(inside.argmax(), inside.shape)
    else:
        places = np.argwhere(largest)
        place = places[generator.integers(len(places))]
    index = tuple(int(i) for i in place)
    return Click(index, bool(truth[index]))


def near(shape: tuple[int, ...], click: Click, radius: float) -> Mask:
    """Return the pixels around a click."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((y - click.index[0]) ** 2 + (x - click.index[1]) ** 2 <= radius**2)


def disc(_image: NDArray[np.generic], _probability: NDArray[np.float32]) -> Step:
    """Control: paint."""

    def step(mask: Mask, clicks: list[Click]) -> Mask:
        out = mask.copy()
        out[near(mask.shape, clicks[-1], DISC)] = clicks[-1].positive
        return out

    return step


def walker(_image: NDArray[np.generic], probability: NDArray[np.float32]) -> Step:
    """Control: random walker on the probabilities."""

    def step(mask: Mask, clicks: list[Click]) -> Mask:
        seeds = np.where(probability > 0.9, 1, np.where(probability < 0.1, 2, 0))
        for click in clicks:
            seeds[near(mask.shape, click, DROPPED)] = 0
        for click in clicks:
            seeds[near(mask.shape, click, 3)] = 1 if click.positive else 2
        if not (seeds == 1).any() or not (seeds == 2).any():
            out = mask.copy()
            out[near(mask.shape, clicks[-1], DISC)] = clicks[-1].positive
            return out
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of seeds that are cut off from all others
            return np.asarray(random_walker(probability, seeds, mode="cg_j") == 1)

    return step


def refiner(image: NDArray[np.generic], probability: NDArray[np.float32]) -> Step:
    """What ships."""
    one = Refiner(image, probability, (1.0, 1.0))

    def step(mask: Mask, clicks: list[Click]) -> Mask:
        correction = one.click(mask, clicks[-1])
        out = mask.copy()
        out[correction.box][correction.changed] = correction.click.positive
        return out

    return step


METHODS = {"clicks": refiner, "disc": disc, "random walker": walker}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", default="polyp-2d")
    parser.add_argument("--limit", type=int, default=None, help="images of each set")
    parser.add_argument("--most", type=int, default=MOST, help="clicks an image")
    parser.add_argument("--only", choices=tuple(METHODS), default=None)
    parser.add_argument("--off-centre", action="store_true")
    parser.add_argument("--csv", type=Path, default=None)
    parser.add_argument(
        "--curves", type=Path, default=None, help="IoU of each image, click by click"
    )
    options = parser.parse_args()
    set_thread_budget()
    model = load(options.checkpoint)
    rows: list[dict[str, object]] = []
    each: list[list[object]] = []
    for name in ("kvasir_256", "stu_256", "ddti_256"):
        cases = list_cases(options.data / name)[: options.limit]
        curves: dict[str, list[list[float]]] = {method: [] for method in METHODS}
        seconds: dict[str, list[float]] = {method: [] for method in METHODS}
        for image_path, mask_path in cases:
            image, truth = read(image_path), np.asarray(read_mask(mask_path, 127).data) > 0
            prediction = predict(model, image)
            for method, make in METHODS.items():
                if options.only in (None, method):
                    step = make(np.asarray(image.data), prediction.foreground)
                    generator = np.random.default_rng(0) if options.off_centre else None
                    curve, took = follow(
                        prediction.labels > 0, truth, step, generator, options.most
                    )
                    curves[method].append(curve)
                    each.append([name, image_path.stem, method, *(f"{v:.4f}" for v in curve)])
                    seconds[method] += took
        for method, table in curves.items():
            if table:
                rows.append({"data": name, "images": len(cases), "method": method})
                rows[-1] |= summary(np.array(table), seconds[method])
                print(" | ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    if options.curves:
        with options.curves.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(["data", "image", "method", *range(options.most + 1)])
            lines.writerows(each)


def list_cases(folder: Path) -> list[tuple[Path, Path]]:
    """Return image and mask of each case; of the validation list, where there is one."""
    images = sorted((folder / "images").iterdir())
    names = folder / "val.txt"
    if names.exists():
        wanted = {Path(line).stem for line in names.read_text(encoding="utf-8").splitlines()}
        images = [path for path in images if path.stem in wanted]
    return [(path, next((folder / "masks").glob(f"{path.stem}.*"))) for path in images]


def follow(
    mask: Mask, truth: Mask, step: Step, generator: np.random.Generator | None, most: int
) -> tuple[list[float], list[float]]:
    """Click until everything is right or the clicks are used up; return IoUs and seconds."""
    curve, took, clicks = [iou(mask, truth)], [], []
    for _ in range(most):
        click = next_click(mask, truth, generator)
        if click is not None:
            clicks.append(click)
            start = time.perf_counter()
            mask = step(mask, clicks)
            took.append(time.perf_counter() - start)
        curve.append(iou(mask, truth))
    return curve, took


def summary(curves: NDArray[np.float64], seconds: list[float]) -> dict[str, object]:
    """Return the figures of one method on one set."""
    figures: dict[str, object] = {
        f"IoU after {n}": f"{curves[:, n].mean():.3f}" for n in SHOWN if n < curves.shape[1]
    }
    for goal in GOALS:
        reached = curves >= goal
        count = np.where(reached.any(axis=1), reached.argmax(axis=1), curves.shape[1] - 1)
        missed = (~reached.any(axis=1)).sum()
        figures[f"clicks to {goal:.2f}"] = f"{count.mean():.2f} ({missed} not reached)"
    steps = np.diff(curves[:, :6], axis=1)
    figures["smallest mean step"] = f"{steps.mean(axis=0).min():+.3f}"
    figures["largest fall in the first five"] = f"{max(0.0, -steps.min()):.3f}"
    figures["images falling by over 0.1"] = int((steps < -0.1).any(axis=1).sum())
    figures["ms a click, median"] = f"{1000 * np.median(seconds):.0f}"
    return figures


if __name__ == "__main__":
    main()
