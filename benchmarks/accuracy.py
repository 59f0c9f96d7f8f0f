"""Evaluate the weights that ship on cases without gradients, and print a table.

The lists for polyps and hippocampus also chose the epoch to keep; Colin27 chose nothing.

    python benchmarks/accuracy.py --data DATASETS --colin COLIN27 [--only NAME] [--store]

DATASETS holds the folders ``polypgen_256`` and ``hippocampus``; COLIN27 is a folder with every
axial slice of Colin27, made by ``tools/make_brain_dataset.py test``. Every score is Dice or IoU
of one case at its stored size, then the mean over cases. ``--store`` writes the figures into the
checkpoints and into weights/index.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from ship_weights import ship

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.metrics import dice_per_class, iou_from_dice
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.training.data import read_mask

Metrics = dict[str, float]


def pairs(folder: Path, names: Path, masks: str = "masks") -> Iterator[tuple[Path, Path]]:
    """Yield image and mask of every case in a list."""
    for name in names.read_text(encoding="utf-8").split("\n"):
        stem = name.strip().removesuffix(".png")
        if stem:
            image = next((folder / "images").glob(f"{stem}.*"))
            yield image, next((folder / masks).glob(f"{stem}.*"))


def polyps(model: Model, data: Path) -> Metrics:
    """PolypGen's validation list: IoU and Dice where there is a polyp, false alarms elsewhere."""
    folder, dice, false_alarms = data / "polypgen_256", [], []
    for image, mask in pairs(folder, folder / "val.txt"):
        reference = read_mask(mask, 127).data
        labels = predict(model, read(image)).labels
        if reference.any():
            dice.append(dice_per_class(labels, reference, 2))
        else:
            false_alarms.append(labels.any())
    scores = np.array(dice)
    return {
        "PolypGen validation, mean IoU of images with a polyp": iou_from_dice(scores).mean(),
        "PolypGen validation, mean Dice of images with a polyp": scores.mean(),
        "PolypGen validation, images with a polyp": len(scores),
        "PolypGen validation, empty images with a false alarm": sum(false_alarms),
        "PolypGen validation, empty images": len(false_alarms),
    }


def hippocampus(model: Model, data: Path) -> Metrics:
    """Every tenth of the 200 cases by name: not trained on, but they chose the epoch."""
    folder = data / "hippocampus"
    dice = []
    for image in sorted((folder / "images").iterdir())[9::10]:
        reference = read_labels(folder / "labels" / image.name).data
        dice.append(dice_per_class(predict(model, read(image)).labels, reference, 3))
    scores = np.array(dice)
    return {
        "Decathlon hippocampus, 20 held-out cases, mean Dice": scores.mean(),
        "Decathlon hippocampus, 20 held-out cases, Dice anterior": scores[:, 0].mean(),
        "Decathlon hippocampus, 20 held-out cases, Dice posterior": scores[:, 1].mean(),
    }


def brain(model: Model, colin: Path) -> Metrics:
    """Every axial slice of Colin27 against its skull-stripped version, as one volume."""
    labels, references = [], []
    for image, mask in pairs(colin, colin / "val.txt"):
        labels.append(predict(model, read(image)).labels)
        references.append(read_mask(mask, 127).data)
    dice = dice_per_class(np.stack(labels), np.stack(references), 2)
    return {"Colin27, all axial slices as one volume, Dice": float(dice[0])}


def main() -> None:
    """Print the table, and store the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--colin", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    tasks: dict[str, tuple[Callable[[Model, Path], Metrics], Path | None]] = {
        "brain-t1-2d": (brain, options.colin),
        "hippocampus-3d": (hippocampus, options.data),
        "polyp-2d": (polyps, options.data),
    }
    for name, (evaluate, folder) in tasks.items():
        if folder is None or (options.only and name != options.only):
            print(f"{name}: left out")
            continue
        model = load(name)
        metrics = {key: round(float(value), 4) for key, value in evaluate(model, folder).items()}
        for key, value in metrics.items():
            print(f"{name}: {key} {value:g}")
        if options.store:
            model.info = model.info.model_copy(update={"metrics": metrics})
            ship(model)


if __name__ == "__main__":
    main()
