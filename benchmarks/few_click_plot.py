"""Draw what benchmarks/few_click.py wrote: IoU against corrected images and against seconds.

    python benchmarks/few_click_plot.py FILE... -o docs/images/few_click.png

A line is the candidates' mean over draws, whether the gate took them or not; the shade is the
interval in which the mean lies (95 %, Student).
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from scipy import stats

Record = dict[str, str]


def main() -> None:
    """Draw both pictures side by side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    tasks: dict[str, list[Record]] = defaultdict(list)
    for path in options.files:
        with path.open(newline="", encoding="utf-8") as file:
            for record in csv.DictReader(file):
                tasks[record["task"]].append(record)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for number, (task, records) in enumerate(tasks.items()):
        longest = max(float(one["seconds"]) for one in records)
        most = max(int(one["count"]) for one in records)
        colour = f"C{number}"
        line(left, [one for one in records if float(one["seconds"]) == longest], "count", colour)
        line(right, [one for one in records if int(one["count"]) == most], "seconds", colour)
        left.plot([], [], color=colour, label=task)
    left.set_xlabel("corrected images")
    left.set_ylabel("IoU on unseen images")
    left.legend()
    right.set_xlabel("seconds of training")
    for axes in (left, right):
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
    left.set_ylim(bottom=0)
    figure.savefig(options.output, dpi=150)


def line(axes: Axes, records: list[Record], key: str, colour: str) -> None:
    """Draw IoU against one key, from the parent's at zero."""
    groups: dict[float, list[float]] = defaultdict(list)
    for one in records:
        groups[0.0].append(float(one["before"]))
        groups[float(one[key])].append(float(one["candidate"]))
    places = sorted(groups)
    means = np.array([np.mean(groups[place]) for place in places])
    halves = np.array([_half(groups[place]) for place in places])
    axes.plot(places, means, marker="o", color=colour)
    axes.fill_between(places, means - halves, means + halves, color=colour, alpha=0.15, lw=0)


def _half(values: list[float]) -> float:
    if len(values) < 2:
        return 0.0
    return float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


if __name__ == "__main__":
    main()
