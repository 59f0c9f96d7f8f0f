"""The command line for converting: images and masks between formats, checkpoints both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_lgmsnet.cli_options import (
    AsJson,
    Overwrite,
    Quiet,
    RecipeOption,
    Verbose,
    load_model,
)
from napari_lgmsnet.cli_progress import say
from napari_lgmsnet.core.errors import InputError

OWN, OFFICIAL = ".safetensors", (".pth", ".pt", ".ckpt", ".bin")


def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="An image, a mask, or a checkpoint (name or file)."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Its ending says what is written, such as .nii.gz."),
    ],
    mask: Annotated[
        bool, typer.Option("--mask", help="The image is a mask: its numbers are labels.")
    ] = False,
    series: Annotated[
        str | None, typer.Option(help="Of a DICOM folder: the one with this number (see describe).")
    ] = None,
    frame: Annotated[
        int | None, typer.Option(min=1, help="Of time series: only this one instead of all.")
    ] = None,
    recipe: RecipeOption = None,
    half: Annotated[
        bool, typer.Option("--half", help="Checkpoints: weights in half precision.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert an image or a mask to another format, or a checkpoint to another program.

    Images keep their voxels and their place in the world, as far as the format can hold it; what
    is written is read back and compared. The authors' checkpoints (.pth) become .safetensors with
    a recipe, and the other way round.

    Example: napari-lgmsnet convert scan.nrrd -o scan.nii.gz

    Example: napari-lgmsnet convert official.pth -o mine.safetensors --recipe paper-kvasir
    """
    from napari_lgmsnet.core.catalogue import shipped

    ending = Path(source).suffix.lower()
    is_file = Path(source).exists()
    if ending in (OWN, *OFFICIAL) or (not is_file and source in shipped()):
        told = _checkpoint(source, output, recipe, half=half, overwrite=overwrite)
    else:
        if half or recipe is not None:
            raise InputError(f'"{source}" is no checkpoint: leave out --half and --recipe')
        told = _image(Path(source), output, mask, series, frame, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"input": source, "output": str(output), "what": told}, indent=2))
    elif not quiet:
        if verbose:
            say(f"read {source}")
        say(f"{output}: {told}")


def _checkpoint(
    source: str, output: Path, recipe: str | None, *, half: bool, overwrite: bool
) -> str:
    from napari_lgmsnet.core.checkpoints import export_official, save

    kind = output.suffix.lower()
    if kind not in (OWN, *OFFICIAL[:2]):
        raise InputError(
            f'"{output.name}" is no checkpoint: use .safetensors, or .pth for the authors\' code'
        )
    if half and kind != OWN:
        raise InputError("the authors' code reads full precision: leave out --half")
    model = load_model(source, recipe)
    if kind == OWN:
        save(output, model, half=half, overwrite=overwrite)
        return f"{model.info.name}, recipe {model.info.recipe.title}"
    export_official(output, model, overwrite=overwrite)
    return f"{model.info.name}, with the keys of the authors' code"


def _image(
    source: Path,
    output: Path,
    mask: bool,
    series: str | None,
    frame: int | None,
    *,
    overwrite: bool,
) -> str:
    from napari_lgmsnet.core.io import read, read_labels, write, write_labels
    from napari_lgmsnet.core.io.formats import check_fits, check_target

    check_target(output, source)
    volume = read_labels(source) if mask and series is None else read(source, series=series)
    if frame is not None:
        volume = volume.frame(frame - 1)
    check_fits(output, volume)
    if output.resolve() == source.resolve():
        raise InputError(f'"{output}" is the input: choose another output')
    (write_labels if mask else write)(output, volume, overwrite=overwrite)
    size = " x ".join(map(str, volume.data.shape))
    return f"{size} ({volume.axes}), {volume.data.dtype}"
