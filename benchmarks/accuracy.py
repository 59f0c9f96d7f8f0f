"""Evaluate the weights that ship on cases without gradients, and print a table.

The lists for polyps, breast, skin and hippocampus also chose the epoch to keep; Colin27 chose
nothing.

    python benchmarks/accuracy.py --data DATASETS --colin COLIN27 [--only NAME] [--store]
        [--engine openvino-bfloat16]

DATASETS holds the folders ``polypgen_256``, ``kvasir_256``, ``busi_256``, ``stu_256``,
``isic_256``, ``splits`` and ``hippocampus``; COLIN27 is a folder with every axial slice of
Colin27, made by ``tools/make_brain_dataset.py test``. Every score is what ``napari-lgmsnet
evaluate`` says: Dice or IoU of one case at its stored size, then the mean over cases. ``--store``
writes the figures into the checkpoints and into weights/index.json.

The paper's column holds what arXiv 2508.15476 states for the same images (STU: for a set that it
calls BUS; BUSI, ISIC: mean of three folds at 256 x 256), or, in brackets, for a network that was
trained on them where this one was not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from ship_weights import ship

from napari_lgmsnet import load
from napari_lgmsnet.core.evaluation import Pair, evaluate
from napari_lgmsnet.core.model import Model

Metrics = dict[str, float]

PAPER = {
    "Kvasir-SEG validation, never trained on, mean IoU": "(0.8814)",
    "Kvasir-SEG, official validation, mean IoU": "0.8814",
    "BUSI, validation of fold 1, mean IoU": "0.7340",
    "ISIC, validation of fold 1, mean IoU": "0.8346",
    "STU, never trained on, mean IoU": "0.7686",
    "STU, never trained on, mean Dice": "0.8536",
}


def polyps(model: Model, data: Path, engine: str) -> Metrics:
    """PolypGen's validation list: IoU and Dice where there is a polyp, false alarms elsewhere."""
    found = evaluate(
        model, data / "polypgen_256", listed="val.txt", foreground_above=127, engine=engine
    )
    alarms = found.figure("false alarms")
    unseen = evaluate(
        model, data / "kvasir_256", listed="val.txt", foreground_above=127, engine=engine
    )
    return {
        "PolypGen validation, mean IoU of images with a polyp": found.figure("IoU").mean,
        "PolypGen validation, mean Dice of images with a polyp": found.figure("Dice").mean,
        "PolypGen validation, images with a polyp": found.figure("Dice").cases,
        "PolypGen validation, empty images with a false alarm": round(alarms.mean * alarms.cases),
        "PolypGen validation, empty images": alarms.cases,
        "Kvasir-SEG validation, never trained on, mean IoU": unseen.figure("IoU").mean,
        "Kvasir-SEG validation, never trained on, mean Dice": unseen.figure("Dice").mean,
        "Kvasir-SEG validation, images": unseen.figure("Dice").cases,
    }


def kvasir(model: Model, data: Path, engine: str) -> Metrics:
    """Kvasir-SEG: the official validation list, which chose the epoch."""
    found = evaluate(
        model, data / "kvasir_256", listed="val.txt", foreground_above=127, engine=engine
    )
    return {
        "Kvasir-SEG, official validation, mean IoU": found.figure("IoU").mean,
        "Kvasir-SEG, official validation, mean Dice": found.figure("Dice").mean,
        "Kvasir-SEG, official validation, images": found.figure("Dice").cases,
    }


def breast(model: Model, data: Path, engine: str) -> Metrics:
    """BUSI: the paper's first validation fold, which chose the epoch. STU chose nothing."""
    fold = (data / "splits" / "busi" / "busi_val1.txt").read_text(encoding="utf-8").splitlines()
    names = [name.strip() for name in fold if name.strip()]
    own = evaluate(model, data / "busi_256", listed=names, foreground_above=127, engine=engine)
    unseen = evaluate(model, data / "stu_256", foreground_above=127, engine=engine)
    return {
        "BUSI, validation of fold 1, mean IoU": own.figure("IoU").mean,
        "BUSI, validation of fold 1, mean Dice": own.figure("Dice").mean,
        "BUSI, validation of fold 1, images": own.figure("Dice").cases,
        "STU, never trained on, mean IoU": unseen.figure("IoU").mean,
        "STU, never trained on, mean Dice": unseen.figure("Dice").mean,
        "STU, images": unseen.figure("Dice").cases,
    }


def skin(model: Model, data: Path, engine: str) -> Metrics:
    """ISIC: the paper's first validation fold, as far as it is there; it chose the epoch."""
    folder = data / "isic_256"
    fold = (data / "splits" / "isic18" / "isic18_val1.txt").read_text(encoding="utf-8")
    pairs = [
        Pair(name, folder / "masks" / f"{name}_segmentation.png", image=image)
        for name in fold.split()
        if (image := folder / "images" / f"{name}.jpg").exists()
    ]
    found = evaluate(model, pairs, foreground_above=127, engine=engine)
    return {
        "ISIC, validation of fold 1, mean IoU": found.figure("IoU").mean,
        "ISIC, validation of fold 1, mean Dice": found.figure("Dice").mean,
        "ISIC, validation of fold 1, images": found.figure("Dice").cases,
    }


def hippocampus(model: Model, data: Path, engine: str) -> Metrics:
    """Every tenth of the 200 cases by name: not trained on, but they chose the epoch."""
    folder = data / "hippocampus"
    names = [image.name for image in sorted((folder / "images").iterdir())[9::10]]
    found = evaluate(model, folder, masks="labels", listed=names, engine=engine)
    anterior, posterior = (one.name for one in model.info.classes[1:])
    return {
        "Decathlon hippocampus, 20 held-out cases, mean Dice": found.figure("Dice").mean,
        "Decathlon hippocampus, 20 held-out cases, Dice anterior": found.figure(
            "Dice", anterior
        ).mean,
        "Decathlon hippocampus, 20 held-out cases, Dice posterior": found.figure(
            "Dice", posterior
        ).mean,
    }


def brain(model: Model, colin: Path, engine: str) -> Metrics:
    """Every axial slice of Colin27 against its skull-stripped version, as one volume."""
    found = evaluate(model, colin, listed="val.txt", foreground_above=127, engine=engine)
    return {"Colin27, all axial slices as one volume, Dice": found.figure("Dice").pooled}


def main() -> None:
    """Print the table, and store the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--colin", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--engine", default="torch")
    options = parser.parse_args()
    if options.store and options.engine != "torch":
        parser.error("what is stored is measured with plain torch: leave out --engine")
    tasks: dict[str, tuple[Callable[[Model, Path, str], Metrics], Path | None]] = {
        "brain-t1-2d": (brain, options.colin),
        "breast-ultrasound-2d": (breast, options.data),
        "hippocampus-3d": (hippocampus, options.data),
        "polyp-2d": (polyps, options.data),
        "polyp-kvasir-2d": (kvasir, options.data),
        "skin-2d": (skin, options.data),
    }
    print(f"{'weights':21} {'what':57} {'here':>7} {'paper':>8}")
    for name, (measure, folder) in tasks.items():
        if folder is None or (options.only and name != options.only):
            print(f"{name}: left out")
            continue
        model = load(name)
        found = measure(model, folder, options.engine)
        metrics = {key: round(float(value), 4) for key, value in found.items()}
        for key, value in metrics.items():
            print(f"{name:21} {key:57} {value:7g} {PAPER.get(key, ''):>8}", flush=True)
        if options.store:
            model.info = model.info.model_copy(update={"metrics": metrics})
            ship(model)


if __name__ == "__main__":
    main()
