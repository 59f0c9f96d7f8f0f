"""The command line: a thin layer over the core.

Exit codes: 0 done; 1 some files failed, and which; 2 wrong use or unusable input, in one line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_lgmsnet import cli_features, cli_finetune, cli_project
from napari_lgmsnet.cli_progress import console, show
from napari_lgmsnet.core.errors import (
    CheckpointError,
    InputError,
    LGMSNetError,
    ProjectError,
    TrainingError,
)

if TYPE_CHECKING:
    from napari_lgmsnet.core.model import Model

# Large tensors on huge pages: on Linux a training step is faster by far. Must be set before torch.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="LGMSNet: segment medical images and volumes, and train networks that do.",
)
app.add_typer(cli_project.app, name="project")
app.command()(cli_features.features)
app.command()(cli_finetune.finetune)

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
    flips: Annotated[
        bool | None,
        typer.Option(
            "--flips/--no-flips", help="Average over all flips; as the recipe has it by itself."
        ),
    ] = None,
    native: Annotated[
        bool, typer.Option("--native", help="Images in windows at their own size.")
    ] = False,
    channels: Annotated[
        list[int] | None,
        typer.Option(
            "--channel",
            min=1,
            help="Of images with channels: the one to use; for several, repeat it in their order.",
        ),
    ] = None,
    level: Annotated[
        str, typer.Option(help="Of pyramids: 1 is the finest; auto takes what suits the recipe.")
    ] = "1",
    frame: Annotated[
        int | None, typer.Option(min=1, help="Of time series: only this one instead of all.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Of a DICOM folder: the one with this number (see describe).")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the foreground's probability as well.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Quiet = False,
) -> None:
    """Segment images and volumes; each mask lies exactly on its input.

    NIfTI in gives NIfTI out on the same grid, NRRD gives NRRD, and MetaImage MetaImage; PNG, JPEG
    and TIFF give PNG or TIFF. A folder of DICOM is one input; with -o mask.dcm its mask becomes a
    DICOM SEG.

    Example: napari-lgmsnet predict scan.nii.gz -o mask.nii.gz -c hippocampus-3d
    """
    from napari_lgmsnet.core import headless
    from napari_lgmsnet.core.prediction import make_settings

    settings = make_settings(
        device=device, threshold=threshold, overlap=overlap, flips=flips, native=native,
        channels=tuple(one - 1 for one in channels) if channels else None,
    )  # fmt: skip
    jobs = headless.plan(
        inputs,
        output,
        overwrite=overwrite,
        probabilities=probabilities,
        level=_level(level),
        frame=None if frame is None else frame - 1,
        series=series,
    )
    model = _load(checkpoint, recipe)
    failures = []
    for job in jobs:
        try:
            prediction = show(headless.predict_file(model, job, settings), job.source.name, quiet)
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
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="A checkpoint's file or name, or a folder of DICOM."
        ),
    ],
) -> None:
    """Say what a checkpoint is: network, classes, recipe, training data, licence, metrics.

    Of a folder of DICOM it lists the series.
    """
    if Path(checkpoint).is_dir():
        from napari_lgmsnet.core.io import dicom

        if dicom.holds_dicom(Path(checkpoint)):
            contents = dicom.survey(Path(checkpoint))
            typer.echo("\n".join([*map(str, contents.series), *contents.notes()]))
            return
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
    result = show(job, settings.name, quiet)
    typer.echo(
        f"{result.checkpoint}: Dice {result.dice:.4f}, IoU {result.iou:.4f} on the validation "
        f"cases, reached in epoch {result.epoch}"
    )


def _level(text: str) -> int | Literal["auto"]:
    """Return the level that is asked for, counted from 0."""
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) == 0:
        raise InputError(
            f'level "{text}" is no number from 1 on, and not auto: choose one of these'
        )
    return int(text) - 1


def _load(checkpoint: str, recipe: str | None) -> Model:
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.recipes import recipe_named

    return load(checkpoint, recipe_named(recipe) if recipe else None)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every expected error is one line and exit code 2."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except LGMSNetError as error:
        sys.exit(_fail(f"{_kind_of(error)} error: {error}"))
    except KeyboardInterrupt:
        sys.exit(_fail("stopped", 130))
    except Exception as error:
        # typer's own errors of use; anything else is a defect and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        sys.exit(_fail(f"usage error: {error.format_message()} (see napari-lgmsnet --help)"))
    sys.exit(code if isinstance(code, int) else 0)


def _kind_of(error: LGMSNetError) -> str:
    if isinstance(error, ProjectError):  # or one of its kinds
        return "project"
    return {CheckpointError: "checkpoint", TrainingError: "training"}.get(type(error), "input")


def _fail(message: str, code: int = 2) -> int:
    sys.stderr.write(message + "\n")
    return code


if __name__ == "__main__":
    main()
