"""The command line for segmenting files."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_lgmsnet.cli_options import (
    AsJson,
    Channels,
    Device,
    Engine,
    Flips,
    Native,
    Overlap,
    Overwrite,
    Quiet,
    RecipeOption,
    Verbose,
    box_of,
    from_zero,
    level_of,
)
from napari_lgmsnet.cli_progress import exit_if_failed, say, show
from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

    from napari_lgmsnet.core.batch import Outcome
    from napari_lgmsnet.core.headless import Job
    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.prediction import PredictSettings
    from napari_lgmsnet.core.settings_file import SavedSettings
    from napari_lgmsnet.core.types import Progress


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Images or volumes; folders of them; patterns such as 'scans/**/t1*.nii.gz'; CSV "
            "files with a column image.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A file for one input; a folder for several (made if it is missing).",
        ),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", "-c", help="Name of a bundled checkpoint, or a file."),
    ] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            help="Checkpoint, recipe and settings from a file, as the window saves it. Options "
            "that are given as well go before it.",
        ),
    ] = None,
    recipe: RecipeOption = None,
    device: Device = "auto",
    engine: Engine = "torch",
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Higher makes masks smaller; 0.5 without it."),
    ] = None,
    overlap: Overlap = None,
    flips: Flips = None,
    native: Native = False,
    channels: Channels = None,
    level: Annotated[
        str | None,
        typer.Option(
            help="Of pyramids: 1 is the finest, taken without it; auto takes what suits the recipe."
        ),
    ] = None,
    frame: Annotated[
        int | None, typer.Option(min=1, help="Of time series: only this one instead of all.")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(help="Segment this part only, such as 0:64,20:84,20:84: voxels from 0."),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Of a DICOM folder: the one with this number (see describe).")
    ] = None,
    file_ending: Annotated[
        str | None,
        typer.Option("--ending", help="Format of masks in a folder, such as .nii.gz or .mha."),
    ] = None,
    blocks: Annotated[
        bool,
        typer.Option(
            "--blocks",
            help="One volume block by block, however large: -o ends in .nii, or in .zarr, where "
            "it is always done so.",
        ),
    ] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the foreground's probability as well.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Segment in so many processes at a time.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Segment on the workers of a Dask scheduler, tcp://HOST:PORT."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Segment images and volumes; each mask lies exactly on its input.

    NIfTI in gives NIfTI out on the same grid, NRRD gives NRRD, and MetaImage MetaImage; PNG, JPEG
    and TIFF give PNG or TIFF. A folder of DICOM is one input; with -o mask.dcm its mask becomes a
    DICOM SEG. In a folder of masks, what was made before from the same image with the same
    checkpoint and settings is skipped: the same command goes on after an interruption. With
    -o mask.zarr, or --blocks -o mask.nii, a volume may be larger than memory. Exit code 1 if some
    inputs failed, and which.

    Example: napari-lgmsnet predict scan.nii.gz -o mask.nii.gz -c hippocampus-3d

    Example: napari-lgmsnet predict photos 'more/*.png' -o masks -c polyp-2d
    """
    from napari_lgmsnet.core import headless
    from napari_lgmsnet.core.batch import check_records, find_inputs
    from napari_lgmsnet.core.large.predict import plan_large

    given = {
        "threshold": threshold,
        "overlap": overlap,
        "flips": flips,
        "native": native or None,
        "channels": from_zero(channels),
    }
    wanted = _wanted(checkpoint, settings_file, {"device": device, "engine": engine}, given)
    found = find_inputs(inputs)
    where: dict[str, Any] = {
        "level": wanted.level if level is None else level_of(level),
        "frame": None if frame is None else frame - 1,
        "series": series,
    }
    part = wanted.box if box is None else box_of(box)
    if blocks or output.suffix.lower() == ".zarr":
        if part is not None or file_ending is not None:
            raise InputError(
                "what is written block by block is one whole volume: leave out --box and --ending"
            )
        model = _load(wanted, recipe)
        with _client(workers, scheduler) as client:
            job = plan_large(
                model, found, output, wanted.settings,
                probabilities=probabilities, overwrite=overwrite, client=client, **where,
            )  # fmt: skip
            result = show(job, output.name, quiet, verbose)
        if as_json:
            typer.echo(json.dumps(result.as_dict(), indent=2))
        elif not quiet:
            say(result.describe())
        return
    jobs = headless.plan(
        found,
        output,
        overwrite=overwrite,
        probabilities=probabilities,
        file_ending=file_ending,
        box=part,
        **where,
    )
    model = _load(wanted, recipe)
    check_records(jobs, model, wanted.settings)

    def tell(outcome: Outcome) -> None:
        if outcome.state == "done" and not quiet:
            say(f"{outcome.mask}: {outcome.message}")
        if outcome.state == "skipped" and verbose:
            say(f"skipped: {outcome.source}: {outcome.message}")

    with _client(workers, scheduler) as client:
        work = _run(client, model, jobs, wanted.settings, tell)
        outcomes = show(work, "predict", quiet, verbose)
    report(outcomes, as_json=as_json, quiet=quiet)


def _wanted(
    checkpoint: str | None, file: Path | None, where: dict[str, Any], given: dict[str, Any]
) -> SavedSettings:
    """Return what is asked for: options first, then the file, then what is usual."""
    from napari_lgmsnet.core.prediction import make_settings
    from napari_lgmsnet.core.settings_file import SavedSettings, read_settings

    chosen = {key: value for key, value in given.items() if value is not None}
    if file is None:
        if checkpoint is None:
            raise InputError("say what segments: -c CHECKPOINT, or --settings FILE")
        return SavedSettings(checkpoint, "", None, make_settings(**where, **chosen))
    saved = read_settings(file)
    settings = make_settings(**{**saved.settings.model_dump(), **where, **chosen})
    return replace(saved, settings=settings, checkpoint=checkpoint or saved.checkpoint)


def _load(wanted: SavedSettings, recipe: str | None) -> Model:
    """Load the checkpoint, and make sure that it is the one that a file means."""
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.recipes import recipe_named
    from napari_lgmsnet.core.settings_file import check_checkpoint

    model = load(wanted.checkpoint, recipe_named(recipe) if recipe else wanted.recipe)
    check_checkpoint(wanted, model.sha256)
    return model


@contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Client | None]:
    """Give a connection to workers, if any are asked for."""
    if workers is None and scheduler is None:
        yield None
        return
    from napari_lgmsnet.core.batch.cluster import connected

    with connected(workers, scheduler) as client:
        yield client


def _run(
    client: Client | None,
    model: Model,
    jobs: list[Job],
    settings: PredictSettings,
    tell: Callable[[Outcome], None],
) -> Generator[Progress, None, list[Outcome]]:
    if client is None:
        from napari_lgmsnet.core.batch import run_jobs

        return run_jobs(model, jobs, settings, tell)
    from napari_lgmsnet.core.batch.cluster import run_on_cluster

    return run_on_cluster(client, model, jobs, settings, tell)


def report(outcomes: list[Outcome], *, as_json: bool, quiet: bool) -> None:
    """Say what became of all files; raise what gives the right exit code."""
    failures = [one for one in outcomes if one.state == "failed"]
    skipped = sum(one.state == "skipped" for one in outcomes)
    if as_json:
        typer.echo(json.dumps([one.as_dict() for one in outcomes], indent=2))
    if failures and len(outcomes) == 1:
        raise InputError(f"{failures[0].source}: {failures[0].message}")
    if skipped and not quiet:
        say(f"{skipped} of {len(outcomes)} skipped: done before, in the same way")
    exit_if_failed((one.source, one.message) for one in failures)
