"""The command line: a thin layer over the core.

Exit codes: 0 done; 1 some files failed, and which; 2 wrong use or unusable input, in one line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from napari_lgmsnet.core.errors import CheckpointError, InputError, LGMSNetError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.types import Progress as Step

    T = TypeVar("T")

# Large tensors on huge pages: on Linux a training step is faster by far. Must be set before torch.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="LGMSNet: segment medical images and volumes, and train networks that do.",
)
console = Console(stderr=True)

Checkpoint = Annotated[
    str, typer.Option("--checkpoint", "-c", help="Name of a bundled checkpoint, or a file.")
]
RecipeOption = Annotated[
    str | None, typer.Option(help="Use this built-in recipe instead of the checkpoint's own.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


@app.command()
def predict(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Images or volumes.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A file for one input; a folder for several (made if it is missing).",
        ),
    ],
    checkpoint: Checkpoint,
    recipe: RecipeOption = None,
    device: Device = "auto",
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.5,
    overlap: Annotated[float | None, typer.Option(help="Of windows, 0 to below 1.")] = None,
    flips: Annotated[bool, typer.Option("--flips", help="Average over all flips.")] = False,
    native: Annotated[
        bool, typer.Option("--native", help="Images in windows at their own size.")
    ] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the foreground's probability as well.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Quiet = False,
) -> None:
    """Segment images and volumes; each mask lies exactly on its input.

    NIfTI in gives NIfTI out on the same grid; PNG, JPEG and TIFF give PNG or TIFF.

    Example: napari-lgmsnet predict scan.nii.gz -o mask.nii.gz -c hippocampus-3d
    """
    from napari_lgmsnet.core import headless
    from napari_lgmsnet.core.prediction import make_settings

    settings = make_settings(
        device=device, threshold=threshold, overlap=overlap, flips=flips, native=native
    )
    jobs = headless.plan(inputs, output, overwrite=overwrite, probabilities=probabilities)
    model = _load(checkpoint, recipe)
    failures = []
    for job in jobs:
        try:
            prediction = _show(headless.predict_file(model, job, settings), job.source.name, quiet)
        except LGMSNetError as error:
            failures.append(f"{job.source}: {error}")
        else:
            if not quiet:
                console.print(f"{job.mask}: {prediction.describe()}", soft_wrap=True, markup=False)
    if failures and len(jobs) == 1:
        raise InputError(failures[0])
    for failure in failures:
        console.print(f"failed: {failure}", soft_wrap=True, markup=False)
    if failures:
        raise typer.Exit(1)


@app.command()
def describe(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's file or name.")],
) -> None:
    """Say what a checkpoint is: network, classes, recipe, training data, licence, metrics."""
    typer.echo(_load(checkpoint, None).describe())


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A training configuration (TOML).")],
    data: Annotated[Path, typer.Option(help="Folder with images, masks and lists.")],
    run: Annotated[Path, typer.Option(help="Folder for log, state and checkpoint.")],
    device: Device = "auto",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the file's.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="All cores without it.")] = None,
    parent: Annotated[
        str | None, typer.Option("--from", help="Checkpoint whose weights are the start.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a network; the same command goes on after an interruption.

    Example: napari-lgmsnet train polyp-2d.toml --data PolypGen --run runs/polyp-2d
    """
    import torch

    from napari_lgmsnet.core.training.config import read_training_config
    from napari_lgmsnet.core.training.trainer import train as start

    if threads is not None:
        torch.set_num_threads(threads)
    settings = read_training_config(config, epochs=epochs)
    origin = _load(parent, None) if parent else None
    job = start(settings, data, run, device=device, parent=origin)
    result = _show(job, settings.name, quiet)
    typer.echo(
        f"{result.checkpoint}: Dice {result.dice:.4f}, IoU {result.iou:.4f} on the validation "
        f"cases, reached in epoch {result.epoch}"
    )


def _load(checkpoint: str, recipe: str | None) -> Model:
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.recipes import recipe_named

    return load(checkpoint, recipe_named(recipe) if recipe else None)


def _show(job: Generator[Step, None, T], title: str, quiet: bool) -> T:
    """Run a job with a progress bar on standard error."""
    from napari_lgmsnet.core import progress

    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("", title=title, total=None)

        def report(step: Step) -> None:
            bar.update(
                task, completed=step.step, total=step.total or None, description=step.message
            )

        return progress.run(job, report)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every expected error is one line and exit code 2."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except LGMSNetError as error:
        kind = {CheckpointError: "checkpoint", TrainingError: "training"}.get(type(error), "input")
        sys.exit(_fail(f"{kind} error: {error}"))
    except KeyboardInterrupt:
        sys.exit(_fail("stopped", 130))
    except Exception as error:
        # typer's own errors of use; anything else is a defect and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        sys.exit(_fail(f"usage error: {error.format_message()} (see napari-lgmsnet --help)"))
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int = 2) -> int:
    sys.stderr.write(message + "\n")
    return code


if __name__ == "__main__":
    main()
