"""Foreground attention per stage of the weights that ship, on their validation lists.

    python benchmarks/foreground.py --data DATASETS [--colin COLIN27] [--only NAME] [--limit N]
        [--reduce mean] [--csv FILE]

DATASETS holds the folders ``polypgen_256`` and ``hippocampus``; COLIN27 is a folder with every
axial slice of Colin27, made by ``tools/make_brain_dataset.py test``. The same network with random
weights is the control, with the same recipe and cases. ``--limit`` takes that many cases, evenly
spread over the list. Cases without foreground are left out.

Columns: share of the map's energy on the foreground, how many times that of an even map it is,
pointing game, area under the ROC curve, best Dice over thresholds, effective rank of the channels;
means over cases, trained / random.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_lgmsnet import features, load, read
from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.inspect.numbers import Row, write_table
from napari_lgmsnet.core.inspect.stages import IN_ORDER
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.model import new_model
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


def table(rows: dict[str, list[Row]]) -> str:
    """Return a row a stage; trained / random in each column."""
    lines = [
        "| stage | energy | of an even map | pointing | AUC | best Dice | effective rank |",
        "|---|---|---|---|---|---|---|",
    ]
    for stage in IN_ORDER:
        cells = []
        for measure in ("energy", "lift", "pointing", "auc", "dice", "effective_rank"):
            means = [
                np.mean([
                    row.energy / row.foreground if measure == "lift" else getattr(row, measure)
                    for row in of_weights if row.stage == stage
                ])
                for of_weights in rows.values()
            ]  # fmt: skip
            cells.append(" / ".join(f"{mean:.2f}" for mean in means))
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table for each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--colin", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--reduce", default="mean")
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
        weights = {name: model, f"{name}, random": new_model(model.info, seed=0)}
        rows: dict[str, list[Row]] = {label: [] for label in weights}
        pictures = model.info.recipe.dimensions == 2
        pairs = spread(lists[name], options.limit)
        for image, mask in cases(pairs, options.limit, pictures=pictures):
            for label, one in weights.items():
                found = features(one, image, mask.data, stages="all", reduce=options.reduce)
                # With several classes the first rows are of all together.
                first = found.numbers[0].class_name
                rows[label] += [row for row in found.numbers if row.class_name == first]
                everything += [replace(row, checkpoint=label) for row in found.numbers]
        count = len(rows[name]) // len(IN_ORDER)
        share = np.mean([row.foreground for row in rows[name]])
        title = f"{name}, {options.reduce}: {count} cases, {share:.1%} foreground"
        print(f"{title}; trained / random weights\n\n{table(rows)}\n")
    if options.csv:
        write_table(options.csv, everything, overwrite=True)


if __name__ == "__main__":
    main()
