"""Foreground attention per stage of the weights that ship, on their validation lists.

    python benchmarks/foreground.py --data DATASETS [--colin COLIN27] [--only NAME] [--limit N]
        [--reduce mean] [--keep FOLDER] [--csv FILE]

DATASETS holds the folders ``polypgen_256`` and ``hippocampus``; COLIN27 is a folder with every
axial slice of Colin27, made by ``tools/make_brain_dataset.py test``. The same network with random
weights, drawn anew for every case, is the control, with the same recipe and cases. ``--limit``
takes that many cases, evenly spread over the list. Cases without foreground are left out. What
was computed is kept in FOLDER, case by case, so that a run that was stopped goes on there.

Columns: share of the map's energy on the foreground, how many times that of an even map it is,
pointing game, area under the ROC curve, that area if darkness may mark the foreground as well
(never below 0.5 in a case), best Dice over thresholds, effective rank of the channels; means over
cases, trained / random.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from napari_lgmsnet import features, load, read
from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.inspect.control import untrained
from napari_lgmsnet.core.inspect.numbers import Row, write_table
from napari_lgmsnet.core.inspect.stages import IN_ORDER
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.training.data import read_mask
from napari_lgmsnet.core.types import Volume

Pair = tuple[Path, Path]


def listed(folder: Path) -> list[Pair]:
    """Return image and mask of every case in a folder's validation list."""
    names = (folder / "val.txt").read_text(encoding="utf-8").splitlines()
    stems = [name.strip().removesuffix(".png") for name in names if name.strip()]
    return [
        (next((folder / "images").glob(f"{s}.*")), next((folder / "masks").glob(f"{s}.*")))
        for s in stems
    ]


def held_out(folder: Path) -> list[Pair]:
    """Return every tenth hippocampus by name, which training did not see."""
    images = sorted((folder / "images").iterdir())[9::10]
    return [(image, folder / "labels" / image.name) for image in images]


def cases(
    pairs: list[Pair], limit: int | None, *, pictures: bool
) -> Iterator[tuple[Volume, Volume]]:
    """Yield images and masks with foreground."""
    for image, mask in pairs:
        labels = read_mask(mask, 127) if pictures else read_labels(mask)
        if labels.data.any():
            yield read(image), labels
            limit = None if limit is None else limit - 1
            if limit == 0:
                return


def spread(pairs: list[Pair], limit: int | None) -> list[Pair]:
    """Return the list in an order whose beginning is spread over all of it."""
    if limit is None:
        return pairs
    step = max(1, len(pairs) // limit)
    return [pair for start in range(step) for pair in pairs[start::step]]


COLUMNS: dict[str, Callable[[Row], float]] = {
    "energy": lambda row: row.energy,
    "of an even map": lambda row: row.energy / row.foreground,
    "pointing": lambda row: row.pointing,
    "AUC": lambda row: row.auc,
    "either way": lambda row: max(row.auc, 1 - row.auc),
    "best Dice": lambda row: row.dice,
    "effective rank": lambda row: row.effective_rank,
}


def table(rows: dict[str, list[Row]]) -> str:
    """Return a row a stage; trained / random in each column."""
    lines = [f"| stage | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for stage in IN_ORDER:
        cells = []
        for measure in COLUMNS.values():
            means = [
                np.nanmean([measure(row) for row in of_weights if row.stage == stage])
                for of_weights in rows.values()
            ]
            cells.append(" / ".join(f"{mean:.2f}" for mean in means))
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines)


def kept(file: Path) -> list[Row]:
    """Return the rows of an earlier run."""
    kinds = {field.name: field.type for field in fields(Row)}
    convert = {"str": str, "int": int, "float": lambda text: float(text or "nan")}
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            Row(**{name: convert[str(kinds[name])](value) for name, value in record.items()})
            for record in csv.DictReader(lines)
        ]


def rows_of_case(model: Model, image: Volume, mask: Volume, seed: int, reduce: str) -> list[Row]:
    """Score every stage of the trained network, and of one with random weights."""
    rows = []
    for label, one in (("trained", model), ("random", untrained(model, seed))):
        found = features(one, image, mask.data, stages="all", reduce=reduce)
        rows += [replace(row, checkpoint=f"{model.info.name}, {label}") for row in found.numbers]
    return rows


def main() -> None:
    """Print a table for each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--colin", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--reduce", default="mean")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    lists = {"brain-t1-2d": options.colin and listed(options.colin)}
    if options.data:
        lists["polyp-2d"] = listed(options.data / "polypgen_256")
        lists["hippocampus-3d"] = held_out(options.data / "hippocampus")
    everything: list[Row] = []
    for name in shipped():
        if not lists.get(name) or (options.only and name != options.only):
            print(f"{name}: left out\n")
            continue
        model = load(name)
        folder = None
        if options.keep:
            # Other weights begin anew.
            digest = hashlib.sha256(model.path.read_bytes()).hexdigest()[:12]
            folder = options.keep / f"{name}-{digest}-{options.reduce}"
            folder.mkdir(parents=True, exist_ok=True)
        of_all: list[Row] = []
        pairs = spread(lists[name], options.limit)
        pictures = model.info.recipe.dimensions == 2
        for image, mask in cases(pairs, options.limit, pictures=pictures):
            file = folder / f"{image.name}.csv" if folder else None
            if file and file.is_file():
                of_all += kept(file)
                continue
            seed = zlib.crc32(image.name.encode())
            rows = rows_of_case(model, image, mask, seed, options.reduce)
            of_all += rows
            if file:
                write_table(file, rows)
        everything += of_all
        # With several classes the first rows are of all together.
        first = [row for row in of_all if row.class_name == of_all[0].class_name]
        sides = {
            side: [row for row in first if row.checkpoint.endswith(side)]
            for side in ("trained", "random")
        }
        count = len(sides["trained"]) // len(IN_ORDER)
        share = np.mean([row.foreground for row in sides["trained"]])
        title = f"{name}, {options.reduce}: {count} cases, {share:.1%} foreground"
        print(f"{title}; trained / random weights\n\n{table(sides)}\n", flush=True)
    if options.csv:
        write_table(options.csv, everything, overwrite=True)


if __name__ == "__main__":
    main()
