"""The curve of a training run as a picture."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from napari_lgmsnet.core.io.atomic import atomic_path


def draw_curve(log: Path, picture: Path, title: str) -> None:
    """Draw loss, validation Dice and IoU of a run against its epochs.

    Parameters
    ----------
    log : Path
        ``log.csv`` of the run; validation may be missing (NaN) in some epochs.
    picture : Path
        A PNG; replaced, whole or not at all.
    title : str
    """
    # Imported here: it takes a quarter of a second that nothing else should wait for.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    epochs = [int(row["epoch"]) for row in rows]
    left.plot(epochs, [float(row["loss"]) for row in rows], color="0.6", label="training loss")
    for column, name, colour in (("dice", "Dice", "tab:blue"), ("iou", "IoU", "tab:orange")):
        points = [(epoch, float(row[column])) for epoch, row in zip(epochs, rows, strict=True)]
        shown = [point for point in points if not math.isnan(point[1])]
        if shown:
            best = max(shown, key=lambda point: point[1])
            label = f"validation {name}, best {best[1]:.3f} (epoch {best[0]})"
            right.plot(*zip(*shown, strict=True), color=colour, marker=".", label=label)
    left.set(xlabel="epoch", ylabel="loss", title=title)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(ylabel="Dice, IoU", ylim=(0, 1))
    # Below the axes, where it covers nothing.
    figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    with atomic_path(picture, overwrite=True) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
