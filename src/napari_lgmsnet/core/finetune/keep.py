"""Keeping what was learnt: a file, or a project with its runs and checkpoints."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari_lgmsnet.core.catalogue import SUFFIX
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.errors import Cancelled, InputError
from napari_lgmsnet.core.finetune.control import Control, TuneProgress
from napari_lgmsnet.core.finetune.examples import Example, examples_from_project
from napari_lgmsnet.core.finetune.result import FineTuneResult
from napari_lgmsnet.core.finetune.settings import FineTuneSettings
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Checkpoint, Checkpoints, Project


class Trainer(Protocol):
    """What :func:`fine_tune` and :func:`fine_tune_apart` are."""

    def __call__(
        self,
        model: Model,
        examples: Sequence[Example],
        settings: FineTuneSettings | None = None,
        *,
        references: Sequence[Example | Volume] = (),
        control: Control | None = None,
        run_folder: Path | None = None,
    ) -> Generator[TuneProgress, None, FineTuneResult]:
        """Learn from examples."""


def save_candidate(path: str | Path, result: FineTuneResult, *, overwrite: bool = False) -> str:
    """Write the candidate of a fine-tuning as a checkpoint, atomically.

    Parameters
    ----------
    path : str or Path
        Ends in ``.safetensors``.
    result : FineTuneResult
    overwrite : bool

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    InputError
        If nothing was trained, or the file exists.
    """
    if result.candidate is None:
        raise InputError(f"there is no new network to save: {result.verdict.reason}")
    return save(path, result.candidate, overwrite=overwrite)


def add_candidate(
    checkpoints: Checkpoints,
    parent: Model,
    result: FineTuneResult,
    folder: Path,
    *,
    name: str = "",
    run_id: int | None = None,
) -> Checkpoint:
    """Put the candidate of a fine-tuning among the checkpoints of a project or library.

    Parameters
    ----------
    checkpoints : Checkpoints
    parent : Model
    result : FineTuneResult
    folder : Path
        Where the file may lie for a moment.
    name : str
        What a person calls it; without it what it was trained from and when.
    run_id : int, optional

    Raises
    ------
    InputError
        If nothing was trained, or nothing can be written.
    """
    if parent.sha256:
        checkpoints.register(parent.sha256, parent.info.name)
    file = folder / f"{secrets.token_hex(8)}{SUFFIX}"
    try:
        save_candidate(file, result)
        return checkpoints.add(
            file,
            name=name or f"{parent.info.name}, {datetime.now():%d %b %H:%M}",
            parent=parent.sha256,
            trained_on=result.trained_on,
            held_out=result.held_out_cases,
            settings=result.settings.model_dump(mode="json"),
            metrics=result.metrics,
            run_id=run_id,
        )
    finally:
        file.unlink(missing_ok=True)


def fine_tune_project(
    project: Project,
    model: Model,
    settings: FineTuneSettings | None = None,
    *,
    case_ids: Sequence[int] | None = None,
    references: Sequence[Example | Volume] = (),
    control: Control | None = None,
    resume: int | None = None,
    train: Trainer | None = None,
) -> Generator[TuneProgress, None, tuple[FineTuneResult, Checkpoint | None]]:
    """Learn from the accepted cases of a project, and note all of it there.

    Parameters
    ----------
    project : Project
        Open for writing.
    model : Model
    settings : FineTuneSettings, optional
    case_ids : sequence of int, optional
        Without it all accepted cases, in whole or in part.
    references, control
        As for :func:`fine_tune`.
    resume : int, optional
        Number of an interrupted run that goes on, with the same cases and settings.
    train : Trainer, optional
        :func:`fine_tune_apart`, for a process of its own; without it :func:`fine_tune`.

    Returns
    -------
    result : FineTuneResult
    checkpoint : Checkpoint or None
        The candidate in the project; it is not accepted yet. None if nothing was trained.

    Raises
    ------
    InputError, TrainingError, ProjectError
        As for :func:`fine_tune`, and if the project cannot be written to.
    Cancelled
        If ``control`` cancelled the run: it is noted as stopped, and its files are dropped.
    """
    if train is None:
        # It takes seconds to load, which a window leaves to that process.
        from napari_lgmsnet.core.finetune.job import fine_tune

        train = fine_tune
    settings = settings or FineTuneSettings()
    if model.sha256:
        project.checkpoints.register(model.sha256, model.info.name)
    reading = examples_from_project(project, case_ids)
    while True:
        try:
            step = next(reading)
        except StopIteration as stop:
            examples: list[Example] = stop.value
            break
        yield TuneProgress(step.step, step.total, step.message)
    if resume is None:
        cases = [one.sha256 for one in examples]
        run = project.runs.start(model.sha256, cases, settings.model_dump(mode="json"))
    else:
        run = project.runs.resume(resume)
    folder = project.runs.folder(run.id)
    try:
        result = yield from train(
            model, examples, settings, references=references, control=control, run_folder=folder
        )
        checkpoint = None
        if result.candidate is not None:
            checkpoint = add_candidate(
                project.checkpoints,
                model,
                result,
                folder,
                name=f"{model.info.name}, run {run.id}",
                run_id=run.id,
            )
    except (GeneratorExit, Cancelled):
        project.runs.finish(run.id, "stopped", message="cancelled, nothing was kept")
        project.runs.drop(run.id)
        raise
    except BaseException as error:
        project.runs.finish(run.id, "failed", message=str(error))
        project.runs.drop(run.id)
        raise
    project.runs.finish(
        run.id, "stopped" if result.stopped else "done", result.metrics, result.verdict.reason
    )
    project.runs.drop(run.id)
    return result, checkpoint
