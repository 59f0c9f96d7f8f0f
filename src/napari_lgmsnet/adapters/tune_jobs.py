"""Fine-tuning in the background: from pairs of layers, or from the cases of a project."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_lgmsnet.adapters.jobs import Loaded, load
from napari_lgmsnet.adapters.lineage_jobs import Action
from napari_lgmsnet.adapters.pairs import Pair
from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.finetune import Control, Example, FineTuneResult, TuneProgress
    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.project import Checkpoint, Checkpoints, Project


@dataclass(frozen=True, eq=False)
class Wish:
    """What a person asks for when choosing Start.

    Parameters
    ----------
    reference : str
        The checkpoint to start from.
    loaded : Loaded or None
        Used instead of reading it again.
    settings : mapping
        As for :class:`~napari_lgmsnet.core.finetune.FineTuneSettings`.
    pairs : sequence of Pair
        Ignored where there is a project.
    scribbles : int or None
        Voxels that are not painted don't count, and this label is painted background.
    references : Path, optional
        Folder with images of what the checkpoint can do already.
    project : Project, optional
        Learn from its accepted cases.
    """

    reference: str
    loaded: Loaded | None
    settings: Mapping[str, Any]
    pairs: Sequence[Pair] = ()
    scribbles: int | None = None
    references: Path | None = None
    project: Project | None = None


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came of it.

    Parameters
    ----------
    wish : Wish
    loaded : Loaded
        The parent.
    result : FineTuneResult
    checkpoint : Checkpoint or None
        The candidate in the project, if there is a project.
    """

    wish: Wish
    loaded: Loaded
    result: FineTuneResult
    checkpoint: Checkpoint | None = field(default=None)


def tune(wish: Wish, control: Control) -> Generator[Progress, None, Tuned]:
    """Learn from corrections, and compare with before.

    Raises
    ------
    InputError, TrainingError
        If there is nothing to learn from, or it does not suit the checkpoint.
    """
    loaded = wish.loaded
    if loaded is None or loaded.reference != wish.reference or not loaded.fresh:
        loaded = yield from load(wish.reference)
    from napari_lgmsnet.core.finetune import (
        fine_tune_apart,
        fine_tune_project,
        make_settings,
        references_from_folder,
    )

    settings = dict(wish.settings)
    references: Sequence[Example | Volume] = ()
    if wish.references is not None:
        references = yield from references_from_folder(wish.references)
    if wish.project is not None:
        result, checkpoint = yield from fine_tune_project(
            wish.project, loaded.model, make_settings(**settings), references=references,
            control=control, train=fine_tune_apart,
        )  # fmt: skip
        return Tuned(wish, loaded, result, checkpoint)
    examples = yield from _examples(wish)
    names = _new_classes(loaded.model, wish.pairs, examples)
    if names is not None:
        settings["classes"] = names
    made = make_settings(**settings)
    result = yield from fine_tune_apart(
        loaded.model, examples, made, references=references, control=control
    )
    return Tuned(wish, loaded, result)


def noting(
    job: Generator[Progress, None, Tuned], steps: deque[TuneProgress]
) -> Generator[Progress, None, Tuned]:
    """Do a job, and write down its training steps: a window is told of some of them only.

    Parameters
    ----------
    job : generator
        What :func:`tune` gives.
    steps : deque of TuneProgress
        Gets each step of training; another thread may take them out meanwhile.
    """
    from napari_lgmsnet.core.finetune.control import TuneProgress

    try:
        while True:
            try:
                progress = next(job)
            except StopIteration as end:
                tuned: Tuned = end.value
                return tuned
            if isinstance(progress, TuneProgress) and progress.phase == "train":
                steps.append(progress)
            yield progress
    finally:
        job.close()


def accept(tuned: Tuned, folder: Path) -> Action:
    """Return the action that keeps the candidate and uses it from now on.

    Parameters
    ----------
    tuned : Tuned
    folder : Path
        Where a file may lie for a moment.
    """

    def act(checkpoints: Checkpoints) -> str:
        from napari_lgmsnet.core.finetune import add_candidate

        kept = tuned.checkpoint
        if kept is None:
            kept = add_candidate(checkpoints, tuned.loaded.model, tuned.result, folder)
        checkpoints.accept(kept.sha256)
        return str(checkpoints.path(kept.sha256))

    return act


def reject(tuned: Tuned) -> Action:
    """Return the action that notes that the candidate is not wanted."""

    def act(checkpoints: Checkpoints) -> None:
        if tuned.checkpoint is not None:
            checkpoints.reject(tuned.checkpoint.sha256)

    return act


def back(tuned: Tuned) -> Action:
    """Return the action that uses the parent again; the candidate stays on the shelf."""

    def act(checkpoints: Checkpoints) -> str:
        if tuned.loaded.model.sha256:
            checkpoints.rollback(tuned.loaded.model.sha256)
        return tuned.loaded.reference

    return act


def _examples(wish: Wish) -> Generator[Progress, None, list[Example]]:
    """Read images and masks; the masks are copied, since the person may go on painting."""
    from napari_lgmsnet.core.finetune import example_from_arrays

    examples = []
    for done, pair in enumerate(wish.pairs):
        yield Progress(done, len(wish.pairs), f"reading {pair.name}")
        part = pair.image
        frames = part.leading == 1
        lead: list[slice | int] = [slice(0, part.shape[0])] if frames else [0] * part.leading
        region = (*lead, *(slice(0, n) for n in part.spatial_shape))
        labels = pair.labels[part.mask_box(region)].copy()
        known = None
        if wish.scribbles is not None:
            known = labels > 0
            labels[labels == wish.scribbles] = 0
        image = part.read(region)
        examples.append(example_from_arrays(image, labels, known, name=pair.name))
    return examples


def _new_classes(
    model: Model, pairs: Sequence[Pair], examples: Sequence[Example]
) -> tuple[str, ...] | None:
    """Return names for all labels, where there are more than the checkpoint has classes."""
    highest = max((int(np.max(one.labels, initial=0)) for one in examples), default=0)
    if highest < len(model.info.classes):
        return None
    names: dict[int, str] = {}
    for pair in pairs:
        names |= pair.classes
    return tuple(names.get(label, f"label {label}") for label in range(1, highest + 1))
