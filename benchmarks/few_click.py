"""What a few corrected images are worth: fine-tuning within a time budget, on unseen images.

    python benchmarks/few_click.py --data DATASETS [--only ddti] [--count 10] [--draws 5]
        [--seconds 60] [--controls] [--scribbles] [--csv FILE]
    python benchmarks/few_click_plot.py FILE... -o few_click.png

DATASETS holds the folders that the rows name (see ROWS). Each draw takes other images at random;
all that are not drawn are unseen, ``--unseen`` of them are asked. Printed for each row: mean IoU
before and after (a candidate that the gate refuses counts as the parent, which then stays), the
interval in which the mean of the draws lies (95 %, Student), how often the gate opened, and what
is forgotten on the validation list of the parent's own training data.

``--controls`` trains on exchanged and on empty masks instead: the gate must refuse every time.
``--scribbles`` draws about five strokes an image instead of full masks.
``--share`` counts processor seconds of one thread instead of time, for a machine that others use.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage, stats

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.dedicated import dedicate_process
from napari_lgmsnet.core.device import set_thread_budget
from napari_lgmsnet.core.errors import CheckpointError
from napari_lgmsnet.core.finetune import (
    Control,
    Example,
    FineTuneResult,
    examples_from_folder,
    fine_tune,
    make_settings,
)
from napari_lgmsnet.core.inference import predict
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume


@dataclass(frozen=True)
class Row:
    """A parent, a folder of images that it learns, and how many of them.

    Parameters
    ----------
    name, parent, folder : str
    counts : tuple of int
        Corrected images.
    names : str
        A list of the images to choose from; "" for all.
    own : str
        Folder with the parent's own data and its ``val.txt``, for what is forgotten.
    """

    name: str
    parent: str
    folder: str
    counts: tuple[int, ...]
    names: str = ""
    own: str = ""


ROWS = (
    Row("ddti", "polyp-2d", "ddti_256", (5, 10), own="polypgen_256"),
    Row("busi", "polyp-2d", "busi_256", (5, 10), own="polypgen_256"),
    Row("kvasir", "polyp-2d", "kvasir_256", (5, 10), "val.txt", "polypgen_256"),
    Row("stu", "breast-ultrasound-2d", "stu_256", (5,)),
    Row("hippocampus", "hippocampus-3d", "hippocampus", (3,)),
)
REPLAYED = 24
"""Images of the parent's own training list that are given as references."""


def main() -> None:
    """Print a row for each task and count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=[row.name for row in ROWS], default=None)
    parser.add_argument("--count", type=int, default=None, help="corrected images")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0])
    parser.add_argument("--unseen", type=int, default=None, help="images to ask at most")
    parser.add_argument("--references", type=int, default=REPLAYED)
    parser.add_argument("--controls", action="store_true")
    parser.add_argument("--scribbles", action="store_true")
    parser.add_argument("--share", action="store_true")
    parser.add_argument("--csv", type=Path, default=None)
    options = parser.parse_args()
    dedicate_process()  # as in the process in which the window trains
    if options.share:
        torch.set_num_threads(1)
    else:
        set_thread_budget()
    records = []
    for row in ROWS:
        if options.only not in (None, row.name):
            continue
        try:
            parent = load(row.parent)
        except CheckpointError as error:
            print(f"{row.name}: left out, {error}", flush=True)
            continue
        counts = row.counts if options.count is None else (options.count,)
        for count, seconds in itertools.product(counts, options.seconds):
            draws = []
            for draw in range(options.draws):
                draws.append(one_draw(row, parent, count, seconds, draw, options))
                records.append(draws[-1])
                if options.csv:
                    write(options.csv, records)
            print(summary(row, count, draws), flush=True)


def write(path: Path, records: list[dict[str, float | str]]) -> None:
    """Write what was measured so far."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, records[0])
        writer.writeheader()
        writer.writerows(records)


def one_draw(
    row: Row, parent: Model, count: int, seconds: float, draw: int, options: argparse.Namespace
) -> dict[str, float | str]:
    """Fine-tune on images drawn at random, and ask for others."""
    folder = options.data / row.folder
    names = names_in(folder, row.names)
    order = np.random.default_rng(draw).permutation(len(names))
    chosen, rest = ([names[n] for n in part] for part in (order[:count], order[count:]))
    examples = examples_of(folder, chosen, row)
    if options.scribbles:
        examples = [scribbled(one, draw) for one in examples]
    if options.controls:
        examples = exchanged(examples, draw)
    references: list[Example] = []
    if row.own and options.references:
        own = names_in(options.data / row.own, "train.txt")
        picked = np.random.default_rng(draw).permutation(len(own))[: options.references]
        references = examples_of(options.data / row.own, [own[n] for n in picked], row)
    control = Control(time.process_time) if options.share else Control()
    settings = make_settings(seconds=seconds, seed=draw, device="cpu")
    result: FineTuneResult = run(
        fine_tune(parent, examples, settings, references=references, control=control)
    )
    kept = result.candidate if result.verdict.better and result.candidate else parent
    unseen = examples_of(folder, rest[: options.unseen], row)
    before = mean_iou(parent, unseen)
    learnt = mean_iou(result.candidate, unseen) if result.candidate else before
    after = learnt if kept is result.candidate else before
    record: dict[str, float | str] = {
        "task": row.name, "count": count, "seconds": seconds, "draw": draw, "before": before,
        "after": after, "candidate": learnt,
        "better": float(result.verdict.better), "share": result.share, "steps": result.steps,
        "held out before": result.verdict.dice_before,
        "held out after": result.verdict.dice_after, "reason": result.verdict.reason,
        "forgotten": float("nan"),
    }  # fmt: skip
    if row.own:
        own_folder = options.data / row.own
        own = examples_of(own_folder, names_in(own_folder, "val.txt")[: options.unseen], row)
        record["forgotten"] = mean_iou(parent, own) - mean_iou(kept, own)
    print("  " + " | ".join(f"{key} {_plain(value)}" for key, value in record.items()), flush=True)
    return record


def summary(row: Row, count: int, draws: list[dict[str, float | str]]) -> str:
    """Return a line for a person."""
    before, after, opened, forgotten = (
        np.array([float(one[key]) for one in draws])
        for key in ("before", "after", "better", "forgotten")
    )
    half = float("nan")
    if len(after) > 1:
        half = float(stats.t.ppf(0.975, len(after) - 1) * stats.sem(after))
    return (
        f"{row.name}, {count} images: IoU {before.mean():.3f} -> {after.mean():.3f} "
        f"(+-{half:.3f}, {len(draws)} draws, lowest rise {(after - before).min():+.3f}); gate open "
        f"in {int(opened.sum())}; forgotten {np.nanmean(forgotten) if row.own else np.nan:+.3f}"
    )


def names_in(folder: Path, listed: str) -> list[str]:
    """Return the names of a list, or of all masks, without endings."""
    if listed:
        lines = (folder / listed).read_text(encoding="utf-8").splitlines()
        return [Path(line.strip()).stem for line in lines if line.strip()]
    masks = folder / ("labels" if (folder / "labels").is_dir() else "masks")
    return sorted(path.name.split(".")[0] for path in masks.iterdir() if path.name[0] != ".")


def examples_of(folder: Path, names: list[str], row: Row) -> list[Example]:
    """Read images with masks; volumes of the hippocampus get another contrast."""
    if row.name != "hippocampus":
        return run(examples_from_folder(folder, foreground_above=127, names=names))
    examples = []
    for name in names:
        image = read(folder / "images" / f"{name}.nii.gz")
        labels = np.asarray(read_labels(folder / "labels" / f"{name}.nii.gz").data)
        examples.append(Example(name, another_contrast(image), labels))
    return examples


def another_contrast(image: Volume) -> Volume:
    """Return a volume inverted and blurred along one axis, as another scanner might give it."""
    data = np.asarray(image.data, dtype=np.float32)
    blurred = ndimage.gaussian_filter(data.max() - data, (1.5, 0.7, 0.7))
    return image.with_data(blurred.astype(np.float32), image.axes)


def scribbled(example: Example, seed: int) -> Example:
    """Return an example of which about five strokes are labelled: two inside, three outside."""
    generator = np.random.default_rng((seed, int(example.sha256[:8], 16)))
    known = np.zeros(example.labels.shape, np.bool_)
    inside = example.labels > 0
    for area, strokes in ((inside, 2), (~inside, 3)):
        places = np.argwhere(ndimage.binary_erosion(area, iterations=2))
        for _ in range(strokes if len(places) else 0):
            start, end = places[generator.integers(len(places), size=2)]
            for share in np.linspace(0, 1, 200):
                y, x = np.rint(start + share * (end - start)).astype(int)
                here = (slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2))
                known[here] |= area[here]  # a stroke ends where the object does
    return replace(example, known=known)


def exchanged(examples: list[Example], draw: int) -> list[Example]:
    """Return a control: every image with another one's mask; in every fourth draw empty masks."""
    if draw % 4 == 3:
        return [replace(one, labels=np.zeros_like(one.labels)) for one in examples]
    by = 1 + draw % max(1, len(examples) - 1)
    others = examples[by:] + examples[:by]
    return [
        replace(one, labels=other.labels)
        for one, other in zip(examples, others, strict=True)
        if one.labels.shape == other.labels.shape
    ]


def mean_iou(model: Model, examples: list[Example]) -> float:
    """Return mean IoU over images and classes that a mask shows, on the images' own grid."""
    found = []
    for one in examples:
        answer = predict(model, one.image, device="cpu").labels
        for label in range(1, len(model.info.classes)):
            mine, expected = answer == label, one.labels == label
            if expected.any():
                found.append((mine & expected).sum() / (mine | expected).sum())
    return float(np.mean(found))


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


if __name__ == "__main__":
    main()
