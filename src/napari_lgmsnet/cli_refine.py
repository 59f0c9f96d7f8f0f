"""The command line for corrections: clicks from a file."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_lgmsnet.cli_options import AsJson, Device, Overwrite, Quiet, Verbose, load_model
from napari_lgmsnet.cli_progress import say, show
from napari_lgmsnet.core.errors import GeometryError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.types import Progress, Volume

    Start = tuple[Volume, NDArray[np.floating] | None]


def refine(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image or a volume.")],
    clicks: Annotated[
        Path,
        typer.Option(
            help="CSV or JSON: z, y, x (voxels from 0) or x_mm, y_mm, z_mm; positive (yes or no); "
            "class."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The corrected mask's file.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", "-c", help="Segment first, and let its probabilities steer the clicks."
        ),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Start from this mask instead of the checkpoint's.")
    ] = None,
    world: Annotated[
        Literal["lps", "ras"],
        typer.Option(help="Of places in mm: lps as in DICOM, ras as in NIfTI."),
    ] = "lps",
    frame: Annotated[int | None, typer.Option(min=1, help="Of time series: which one.")] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Correct a mask with clicks, as in the window.

    A click without "positive" says that the mask is wrong there: outside of the class the voxel
    is added with what belongs to it, inside it is taken away.

    Example: napari-lgmsnet refine scan.nii.gz --clicks clicks.csv -c hippocampus-3d -o mask.nii.gz
    """
    from napari_lgmsnet.core.io import read, write_labels
    from napari_lgmsnet.core.io.atomic import check_folder
    from napari_lgmsnet.core.io.formats import check_fits, check_target
    from napari_lgmsnet.core.io.labels import MadeBy
    from napari_lgmsnet.core.refine.apply import refine_volume
    from napari_lgmsnet.core.refine.clicks_file import read_clicks

    if checkpoint is None and mask is None:
        raise InputError("say what is corrected: --mask FILE, or -c CHECKPOINT to segment first")
    volume = read(image)
    if frame is not None:
        volume = volume.frame(frame - 1)
    if volume.axes.startswith("T"):
        raise InputError(f'"{image}" is a series: choose one with --frame')
    check_target(output, image)
    check_fits(output, volume)
    check_folder(output)
    if output.exists() and not overwrite:
        raise InputError(f'"{output}" exists: choose another output, or allow to overwrite')
    model = None if checkpoint is None else load_model(checkpoint)
    classes = None if model is None else model.info.classes
    names = {one.name: label for label, one in enumerate(classes or ())}
    wanted = read_clicks(clicks, volume, names, world)
    asking = _start(volume, model, mask, device)
    start, probabilities = show(asking, image.name, quiet, verbose)
    refining = refine_volume(volume, start, wanted, probabilities)
    corrected = show(refining, image.name, quiet, verbose)
    made_by = MadeBy("" if model is None else model.info.name, edited=True)
    write_labels(output, corrected, overwrite=overwrite, classes=classes, made_by=made_by)
    changed = int((corrected.data != start.data).sum())
    if as_json:
        found = {"mask": str(output), "clicks": len(wanted), "voxels changed": changed}
        typer.echo(json.dumps(found, indent=2))
    elif not quiet:
        say(f"{output}: {len(wanted)} clicks changed {changed} voxels")


def _start(
    image: Volume, model: Model | None, mask: Path | None, device: str
) -> Generator[Progress, None, Start]:
    """Return the mask to correct, and the network's probabilities if one is asked."""
    from napari_lgmsnet.core.grids import on_same_grid
    from napari_lgmsnet.core.inference import iterate
    from napari_lgmsnet.core.io import read_labels
    from napari_lgmsnet.core.prediction import make_settings

    start, probabilities = None, None
    if mask is not None:
        start = read_labels(mask)
        same = start.spatial_shape == image.spatial_shape
        if not same or (image.ndim_spatial == 3 and not on_same_grid(start, image)):
            raise GeometryError(f'the mask "{mask}" does not lie on the grid of "{image.name}"')
    if model is not None:
        prediction = yield from iterate(model, image, make_settings(device=device))
        probabilities = prediction.probabilities
        start = prediction.label_volume() if start is None else start
    assert start is not None
    return start, probabilities
