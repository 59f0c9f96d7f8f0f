"""Small pictures to learn from, and a small network that learns them in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from napari_lgmsnet.core.finetune import Control, Example, FineTuneResult, fine_tune, make_settings
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model

SIDE = 32


def square(seed: int, inverted: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy picture with a bright square somewhere, and the square."""
    generator = np.random.default_rng((7, seed))
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    y, x = generator.integers(1, SIDE - 13, 2)
    height, width = generator.integers(9, 13, 2)
    mask[y : y + height, x : x + width] = 1
    image = 60 + 90 * mask.astype(np.int64) + generator.integers(0, 60, mask.shape)
    return (255 - image if inverted else image).astype(np.uint8), mask


def squares(count: int, first: int = 0, inverted: bool = False) -> list[Example]:
    """Return examples of their own images each."""
    examples = []
    for number in range(first, first + count):
        image, mask = square(number, inverted)
        volume = Volume.from_array(image, "YX", name=f"square {number}")
        examples.append(Example(volume.name, volume, mask))
    return examples


def shuffled(examples: list[Example], by: int = 1) -> list[Example]:
    """Return every image with the mask of another one."""
    others = examples[by:] + examples[:by]
    return [replace(one, labels=other.labels) for one, other in zip(examples, others, strict=True)]


def untrained(seed: int = 0, **more: Any) -> Model:
    """Return a network that knows nothing."""
    return small_model(2, seed=seed, size=(SIDE, SIDE), **more)


def tune(
    model: Model, examples: list[Example], control: Control | None = None, **settings: Any
) -> FineTuneResult:
    """Fine-tune for a few epochs."""
    settings = {"epochs": 2, "adapt": "anew", "device": "cpu", "augmentation": "light", **settings}
    references = settings.pop("references", ())
    folder: Path | None = settings.pop("run_folder", None)
    job = fine_tune(
        model,
        examples,
        make_settings(**settings),
        references=references,
        control=control,
        run_folder=folder,
    )
    return run(job)


def weights(result: FineTuneResult | Model) -> dict[str, Tensor]:
    """Return the weights of a result's candidate, or of a model."""
    model = result.candidate if isinstance(result, FineTuneResult) else result
    assert model is not None
    return model.network.state_dict()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Tell whether weights are equal to the last bit."""
    return all(torch.equal(one[key], other[key]) for key in one)


def write_folder(folder: Path, examples: list[Example]) -> Path:
    """Write images and masks (0 and 1) as a folder that the command line reads."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for one in examples:
        Image.fromarray(one.image.data).save(folder / "images" / f"{one.name}.png")
        Image.fromarray(one.labels).save(folder / "masks" / f"{one.name}.png")
    return folder
