"""Add a trained checkpoint to weights/: half precision, with an entry in index.json.

The metrics are those that benchmarks/accuracy.py measures on the very file that ships::

    python tools/ship_weights.py runs/polyp-2d/best.safetensors
    python benchmarks/accuracy.py --data DATASETS --store

With ``--flips`` the recipe that ships asks for the mean over flips, where that was measured to
help. ``--raise-logits`` adds a number to the head's bias of a network with one class: what learns
from a teacher's probabilities answers with probabilities, and a mask's
Dice is best with voxels in it that are less likely than one half.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.model import Model

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


def ship(model: Model, folder: Path = WEIGHTS) -> None:
    """Write a model into the folder and list it; an entry of the same name is replaced."""
    info = model.info
    file = f"{info.name}.safetensors"
    sha256 = save(folder / file, model, half=True, overwrite=True)
    entry = {
        "name": info.name,
        "title": info.title,
        "file": file,
        "sha256": sha256,
        "dimensions": info.architecture.dimensions,
        "in_channels": info.architecture.in_channels,
        "classes": [c.name for c in info.classes],
        "recipe": info.recipe.title,
        "training_data": info.training_data,
        "licence": info.licence,
        "metrics": info.metrics,
    }
    path = folder / "index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    entries = {e["name"]: e for e in index["checkpoints"]}
    # What a person decided (default_for) stays.
    entries[info.name] = {**entries.get(info.name, {}), **entry}
    index["checkpoints"] = [entries[name] for name in sorted(entries)]
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--flips", action="store_true")
    parser.add_argument("--raise-logits", type=float, default=0.0)
    arguments = parser.parse_args()
    model = load(arguments.checkpoint)
    with torch.no_grad():
        model.network.head.bias += arguments.raise_logits
    recipe = model.info.recipe.model_copy(update={"flips": arguments.flips})
    ship(model.with_recipe(recipe))
