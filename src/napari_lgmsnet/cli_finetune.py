"""The command line for fine-tuning: a folder or a project in, a better checkpoint out."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from napari_lgmsnet.cli_options import (
    AsJson,
    Checkpoint,
    Device,
    Overwrite,
    Quiet,
    Verbose,
    prepare_to_train,
)
from napari_lgmsnet.cli_progress import say, show, show_table
from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from napari_lgmsnet.core.finetune import Example, FineTuneResult, FineTuneSettings
    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.types import Progress, Volume


def finetune(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A project, whose accepted cases are learnt from; or a folder with images, masks "
            "and, where voxels shall not count, ignore.",
        ),
    ],
    checkpoint: Checkpoint,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The new checkpoint (.safetensors); for a project it may be left out.",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time for training.")] = 60.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of a time.")] = None,
    adapt: Annotated[str, typer.Option(help="auto, gently or anew.")] = "auto",
    train: Annotated[str, typer.Option(help="auto, head, decoder or all.")] = "auto",
    guard: Annotated[
        str, typer.Option(help="Against forgetting: auto, average, anchor, replay or none.")
    ] = "auto",
    augmentation: Annotated[str, typer.Option(help="auto, none, light or strong.")] = "auto",
    learning_rate: Annotated[
        float | None, typer.Option(help="Chosen by itself without it.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Pieces in a step; chosen by itself without it.")
    ] = None,
    class_name: Annotated[
        list[str] | None,
        typer.Option("--class", help="Of label 1, 2, ...; repeat it, if the classes are others."),
    ] = None,
    hold_out: Annotated[
        list[str] | None, typer.Option(help="Name of a case to hold out; may be repeated.")
    ] = None,
    foreground_above: Annotated[
        int | None, typer.Option(help="127 for masks in a folder stored as 0 and 255.")
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            help="Folder with images, with or without masks, of what the network can do already: "
            "against forgetting, and to measure it."
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder for the state: the same command goes on after a kill."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other random numbers.")] = 0,
    device: Device = "auto",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Write it even if it is not better.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn from a few corrected images, and say whether that made the network better.

    Exit code 0 if it did and the new checkpoint was written, 1 if it did not: then nothing is
    written to --output without --anyway.

    Example: napari-lgmsnet finetune corrected -c polyp-2d -o better.safetensors
    """
    from napari_lgmsnet.core.catalogue import SUFFIX
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.device import set_thread_budget
    from napari_lgmsnet.core.finetune import make_settings, save_candidate
    from napari_lgmsnet.core.project import Project

    settings = make_settings(
        seconds=seconds, epochs=epochs, adapt=adapt, train=train, guard=guard,
        augmentation=augmentation, learning_rate=learning_rate, batch_size=batch_size,
        classes=tuple(class_name) if class_name else None,
        held_out=tuple(hold_out) if hold_out else None, seed=seed, device=device,
    )  # fmt: skip
    in_project = Project.is_project(data)
    if output is None and not in_project:
        raise InputError("say where the new checkpoint goes: -o NAME.safetensors")
    if output is not None:
        _check_output(output, SUFFIX, overwrite)
    if in_project and run is not None:
        raise InputError("a project keeps its runs itself: leave out --run")
    prepare_to_train(context)
    model = load(checkpoint)
    set_thread_budget()
    if in_project:
        result = _in_project(data, model, settings, references, foreground_above, quiet, verbose)
    else:
        job = _in_folder(data, model, settings, references, foreground_above, run)
        result = show(job, "finetune", quiet, verbose)
    if output is not None and result.candidate is not None and (result.verdict.better or anyway):
        save_candidate(output, result, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(_as_json(result), indent=2))
    else:
        typer.echo(result.describe())
        if not quiet and result.scores:
            _print(result)
    if not result.verdict.better:
        raise typer.Exit(1)


def _in_folder(
    folder: Path,
    model: Model,
    settings: FineTuneSettings,
    references: Path | None,
    foreground_above: int | None,
    run: Path | None,
) -> Generator[Progress, None, FineTuneResult]:
    from napari_lgmsnet.core.finetune import examples_from_folder, fine_tune

    examples = yield from examples_from_folder(folder, foreground_above=foreground_above)
    known = yield from _references(references, foreground_above)
    return (yield from fine_tune(model, examples, settings, references=known, run_folder=run))


def _in_project(
    folder: Path,
    model: Model,
    settings: FineTuneSettings,
    references: Path | None,
    foreground_above: int | None,
    quiet: bool,
    verbose: bool,
) -> FineTuneResult:
    from napari_lgmsnet.core.finetune import fine_tune_project
    from napari_lgmsnet.core.project import Project

    with Project.open(folder) as project:
        if project.read_only:
            raise InputError(project.why_read_only)
        reading = _references(references, foreground_above)
        known = show(reading, "references", quiet, verbose)
        job = fine_tune_project(project, model, settings, references=known)
        result, checkpoint = show(job, "finetune", quiet, verbose)
    if checkpoint is not None and not quiet:
        say(f"kept in the project as a candidate: {checkpoint.sha256[:12]}")
    return result


def _references(
    folder: Path | None, foreground_above: int | None
) -> Generator[Progress, None, list[Example | Volume]]:
    from napari_lgmsnet.core.finetune import references_from_folder

    if folder is None:
        return []
    return (yield from references_from_folder(folder, foreground_above=foreground_above))


def _check_output(output: Path, suffix: str, overwrite: bool) -> None:
    """Refuse before anything is trained what could not be written afterwards."""
    if output.suffix != suffix:
        raise InputError(f'"{output.name}" must end in {suffix}')
    if output.exists() and not overwrite:
        raise InputError(f'"{output}" exists: choose another name, or allow to overwrite')
    if not output.absolute().parent.is_dir():
        raise InputError(f'there is no folder "{output.absolute().parent}": make it first')


def _as_json(result: FineTuneResult) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and value != value else value

    rows = [{key: plain(value) for key, value in asdict(row).items()} for row in result.scores]
    verdict = {key: plain(value) for key, value in asdict(result.verdict).items()}
    return {
        **verdict,
        "held_out": result.held_out,
        "plan": None if result.plan is None else asdict(result.plan),
        "steps": result.steps,
        "seconds": result.seconds,
        "share": result.share,
        "metrics": result.metrics,
        "scores": rows,
        "curve": [asdict(point) for point in result.curve],
    }


def _print(result: FineTuneResult) -> None:
    table = Table(box=None)
    # A column in which nothing was measured is left out.
    columns = {
        name: cells for name, cells in result.columns().items() if any(c == c for c in cells)
    }
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        cells = [_cell(cell) for cell in row]
        table.add_row(*(Text(cell) for cell in cells))
    show_table(table)


def _cell(value: str | float) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if value != value else f"{value:.3f}"
