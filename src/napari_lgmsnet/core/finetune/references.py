"""Reference images: what the network could do before, and how much of it is left."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.finetune.examples import Example, examples_from_folder
from napari_lgmsnet.core.finetune.result import Forgetting
from napari_lgmsnet.core.finetune.scoring import Overlaps, mean_dice, overlaps
from napari_lgmsnet.core.finetune.settings import Guard
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import is_readable, read
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.progress import within
from napari_lgmsnet.core.training.data import files_by_name
from napari_lgmsnet.core.types import Progress, Volume

FEWEST = 2
ENOUGH = 24
"""So many reference images are taken of a folder, evenly spread."""


def references_from_folder(
    folder: str | Path, *, foreground_above: int | None = None
) -> Generator[Progress, None, list[Example | Volume]]:
    """Read images of what a network can do already, with their masks if there are any.

    Parameters
    ----------
    folder : str or Path
        With ``images`` and ``masks``, or with images alone: then what the network says of them
        today is what it should go on saying.
    foreground_above : int, optional
        As for :func:`~napari_lgmsnet.core.finetune.examples.examples_from_folder`.

    Raises
    ------
    InputError
        If there are fewer than two images, or one cannot be read.
    """
    folder = Path(folder)
    if (folder / "masks").is_dir():
        names = sorted(files_by_name(folder / "masks"))
        chosen = [names[place] for place in spread(len(names), ENOUGH)]
        job = examples_from_folder(folder, foreground_above=foreground_above, names=chosen)
        return list((yield from job))
    inside = folder / "images" if (folder / "images").is_dir() else folder
    if not inside.is_dir():
        raise InputError(f'there is no folder "{folder}" with reference images: choose another')
    files = sorted(one for one in inside.iterdir() if one.is_file() and is_readable(one))
    if len(files) < FEWEST:
        raise InputError(
            f'"{inside}" holds {len(files) or "no"} image that can be read: reference images come '
            f"from a folder with at least {FEWEST}"
        )
    chosen_files = [files[place] for place in spread(len(files), ENOUGH)]
    volumes: list[Example | Volume] = []
    for done, file in enumerate(chosen_files):
        yield Progress(done, len(chosen_files), f"reading reference image {file.name}")
        volumes.append(read(file))
    return volumes


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` places out of ``count``, evenly spread."""
    taken = min(count, most)
    return [int((place + 0.5) * count / taken) for place in range(taken)]


@dataclass(frozen=True)
class References:
    """Reference images with masks and with the parent's answers.

    Parameters
    ----------
    examples : tuple of Example
        With given masks, or the parent's answers where there are none.
    answers : tuple of uint8 array
        The parent's.
    against : "masks" or "parent"
    """

    examples: tuple[Example, ...]
    answers: tuple[np.ndarray, ...]
    against: str

    @property
    def measured(self) -> bool:
        """Return whether there is anything to measure forgetting with."""
        return bool(self.examples)

    def for_replay(self) -> list[Example]:
        """Return every other image with the parent's answer on it."""
        pairs = list(zip(self.examples, self.answers, strict=True))[::2]
        return [replace(one, labels=answer, known=None) for one, answer in pairs]

    def for_measuring(self, guard: Guard) -> list[tuple[Example, np.ndarray]]:
        """Return the images, without those that are trained on, and the parent's answers."""
        pairs = list(zip(self.examples, self.answers, strict=True))
        return pairs[1::2] if guard == "replay" else pairs


def as_examples(
    references: Sequence[Example | Volume], parent: Model, device: str
) -> Generator[Progress, None, References]:
    """Ask the parent for its answers on all reference images."""
    examples: list[Example] = []
    answers: list[np.ndarray] = []
    for done, one in enumerate(references):
        image = one.image if isinstance(one, Example) else one
        step = Progress(done, len(references), f"reference image {image.name}")
        job = iterate(parent, image, PredictSettings(device=device))
        answer = (yield from within(job, step)).labels
        answers.append(answer)
        examples.append(one if isinstance(one, Example) else Example(image.name, image, answer))
    given = references and all(isinstance(one, Example) for one in references)
    renamed = [replace(one, name=f"{number} {one.name}") for number, one in enumerate(examples)]
    return References(tuple(renamed), tuple(answers), "masks" if given else "parent")


def forgetting(
    measured: Sequence[tuple[Example, np.ndarray]],
    against: str,
    parent: Model,
    candidate: Model,
    device: str,
) -> Generator[Progress, None, Forgetting]:
    """Compare parent and candidate on reference images."""
    before: list[Overlaps] = []
    after: list[Overlaps] = []
    classes = len(parent.info.classes)
    for done, (example, answer) in enumerate(measured):
        step = Progress(done, len(measured), f"reference image {example.name}")
        job = iterate(candidate, example.image, PredictSettings(device=device))
        new = (yield from within(job, step)).labels
        known = example.known
        counts = np.ones(answer.shape, np.bool_) if known is None else known
        for tables, labels in ((before, answer), (after, new)):
            tables.append(overlaps(labels, example.labels, counts, classes))
    return Forgetting(len(measured), against, mean_dice(before), mean_dice(after))
