"""The command line for evaluation: how good a checkpoint is on cases with references."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_lgmsnet.cli_options import (
    AsJson,
    Channels,
    Device,
    Flips,
    Native,
    Overlap,
    Overwrite,
    Quiet,
    RecipeOption,
    Threshold,
    Verbose,
    from_zero,
    load_model,
)
from napari_lgmsnet.cli_progress import console, exit_if_failed, say, show, show_table
from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from napari_lgmsnet.core.evaluation import Evaluation, Pair
    from napari_lgmsnet.core.evaluation.summary import Summary


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder with images and masks, or a CSV file with the columns image and mask. "
            "With --predictions: the folder of references. In folders inside, a mask is found by "
            "its path.",
        ),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", "-c", help="Name of a bundled checkpoint, or a file."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Folder of masks made elsewhere, instead of a checkpoint."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for cases.csv, summary.csv and cases.png (made)."
        ),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", help="Text file with the names of the cases to take, one a line."),
    ] = None,
    images: Annotated[str, typer.Option(help="The folder of images in DATA.")] = "images",
    masks: Annotated[str, typer.Option(help="The folder of masks in DATA.")] = "masks",
    foreground_above: Annotated[
        int | None,
        typer.Option(
            help="Values of masks above this are foreground. Without it, 0 and 255 are "
            "understood where there is one class."
        ),
    ] = None,
    recipe: RecipeOption = None,
    device: Device = "auto",
    threshold: Threshold = 0.5,
    overlap: Overlap = None,
    flips: Flips = None,
    native: Native = False,
    channels: Channels = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare masks with references: IoU, Dice, precision, recall, HD95, surface distance.

    Every figure of a case is taken at its own size, distances in mm or pixels, and means come with
    95 % bootstrap intervals. Exit code 1 if some cases could not be evaluated, and which.

    Example: napari-lgmsnet evaluate PolypGen --list val.txt -c polyp-2d -o report
    """
    from napari_lgmsnet.core.evaluation import evaluate_pairs, pairs_in, pairs_of_masks
    from napari_lgmsnet.core.evaluation.picture import write_picture
    from napari_lgmsnet.core.evaluation.report import PICTURE, check_folder, write_tables
    from napari_lgmsnet.core.prediction import make_settings

    if checkpoint is not None and predictions is not None:
        raise InputError("give --checkpoint or --predictions, not both")
    settings = make_settings(
        device=device, threshold=threshold, overlap=overlap, flips=flips, native=native,
        channels=from_zero(channels),
    )  # fmt: skip
    if output is not None:
        check_folder(output, overwrite=overwrite)
    if predictions is not None:
        pairs = pairs_of_masks(predictions, data)
    else:
        pairs = pairs_in(data, images=images, masks=masks, listed=listed)
        if checkpoint is None and any(pair.mask is None for pair in pairs):
            raise InputError("say what made the masks: -c CHECKPOINT, or --predictions FOLDER")
    model = None if checkpoint is None else load_model(checkpoint, recipe)
    job = evaluate_pairs(model, pairs, settings, foreground_above=foreground_above)
    found = show(job, "evaluate", quiet, verbose)
    if output is not None:
        written = write_tables(output, found, overwrite=overwrite)
        drawing = write_picture(
            output / PICTURE, found, model, pairs, settings,
            foreground_above=foreground_above, overwrite=overwrite,
        )  # fmt: skip
        if show(drawing, "picture", quiet, verbose):
            written.append(output / PICTURE)
        for path in written if verbose else ():
            say(str(path))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    elif not quiet:
        _print(found, pairs, verbose=verbose)
    exit_if_failed(found.failures)


def _print(found: Evaluation, pairs: list[Pair], *, verbose: bool) -> None:
    """Print the summary, and of every case its Dice if more is wanted."""
    out = Console()
    if verbose:
        for case, dice in found.ranking():
            out.print(f"{case}: Dice {dice:.4f}", soft_wrap=True, markup=False, highlight=False)
    table = Table(box=None)
    for name in ("class", "metric", "cases", "mean", "95 % interval", "all as one"):
        table.add_column(name, overflow="fold", no_wrap=name not in ("class", "metric"))
    for row in found.summary:
        low_to_high = "" if row.low != row.low else f"{row.low:.4f} to {row.high:.4f}"
        pooled = "" if row.pooled != row.pooled else f"{row.pooled:.4f}"
        table.add_row(
            Text(row.class_name),
            _title(row),
            str(row.cases),
            _number(row.mean),
            low_to_high,
            pooled,
        )
    show_table(table)
    done = len(pairs) - len(found.failures)
    console.print(f"{done} of {len(pairs)} cases evaluated", highlight=False)


def _title(row: Summary) -> str:
    return f"{row.metric} ({row.unit})" if row.unit else row.metric


def _number(value: float) -> str:
    return "" if value != value else f"{value:.4f}"
