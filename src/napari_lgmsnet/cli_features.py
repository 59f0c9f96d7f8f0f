"""The command line for looking into a network: maps, numbers and figures of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_lgmsnet.cli_progress import console, show
from napari_lgmsnet.core.errors import InputError, LGMSNetError

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.headless import Case

INPUTS = typer.Argument(metavar="INPUT...", help="Images or volumes.")
OUTPUT = typer.Option("--output", "-o", help="Folder for maps and tables (made if missing).")


def features(
    inputs: Annotated[list[Path], INPUTS],
    output: Annotated[Path, OUTPUT],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", "-c", help="Name of a bundled checkpoint, or a file.")
    ],
    stage: Annotated[
        list[str] | None, typer.Option(help='A stage; repeat for several, or "all".')
    ] = None,
    reduce: Annotated[
        str, typer.Option(help="mean, maximum, norm, components or channel.")
    ] = "mean",
    feature_channel: Annotated[
        int | None, typer.Option(min=0, help="Which one, for --reduce channel.")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Mask for the numbers; for several images a folder of masks."),
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="Look at this part only, such as 0:64,20:84,20:84.")
    ] = None,
    attention: Annotated[
        str | None, typer.Option(help="Map where this point attends, such as 10,64,80.")
    ] = None,
    block: Annotated[str, typer.Option(help="Stage of the attention.")] = "encoder5",
    head: Annotated[int | None, typer.Option(help="0 to 3; their mean without it.")] = None,
    gradcam: Annotated[
        bool, typer.Option("--gradcam", help="Map what in the first stage decided for the class.")
    ] = False,
    occlude: Annotated[
        str | None, typer.Option(help="Cover this box and see what changes, as for --box.")
    ] = None,
    occlusion: Annotated[
        bool, typer.Option("--occlusion", help="Cover patch after patch, and map what changes.")
    ] = False,
    class_name: Annotated[
        str, typer.Option("--class", help="For Grad-CAM and occlusion; else the first class.")
    ] = "",
    on_mask: Annotated[
        bool, typer.Option("--on-mask", help="Ask about the mask, not about the prediction.")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            help='A second checkpoint: its maps, differences and numbers; "random" for the same '
            "network with random weights."
        ),
    ] = None,
    figures: Annotated[str, typer.Option(help="png or svg: draw maps and numbers.")] = "",
    coarse: Annotated[
        bool, typer.Option("--coarse", help="Write volumes' cells with an affine of their own.")
    ] = False,
    channel: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Of images with channels: as for predict."),
    ] = None,
    frame: Annotated[int | None, typer.Option(min=1, help="Of time series: which one.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    native: Annotated[
        bool, typer.Option("--native", help="Images in windows at their own size.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """See what a network attends to: maps of its stages, and numbers against a mask.

    Maps lie on the image's grid. Tables: numbers.csv, spectra.csv and, where they apply,
    channels.csv, occlusion.csv and summary.csv.

    Example: napari-lgmsnet features scan.nii.gz -o maps -c hippocampus-3d --mask labels.nii.gz
    """
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.inspect import export
    from napari_lgmsnet.core.inspect.control import RANDOM, untrained
    from napari_lgmsnet.core.inspect.features import stage_names
    from napari_lgmsnet.core.inspect.headless import Wishes, inspect_file
    from napari_lgmsnet.core.inspect.stages import FIRST
    from napari_lgmsnet.core.prediction import make_settings

    settings = make_settings(
        device=device,
        native=native,
        channels=tuple(one - 1 for one in channel) if channel else None,
    )
    folder = export.Folder(output, coarse=coarse, figures=figures, overwrite=overwrite)
    part, point, covered = _box(box), _point(attention), _box(occlude)
    model = load(checkpoint)
    wishes = Wishes(
        stages=tuple(stage_names(model, "all" if stage == ["all"] else stage or [FIRST])),
        reduce=reduce,
        channel=feature_channel,
        box=part,
        frame=None if frame is None else frame - 1,
        point=point,
        block=block,
        head=head,
        class_name=class_name,
        on_mask=on_mask,
        gradcam=gradcam,
        occlusion=occlusion,
        occlude=covered,
        other=untrained(model) if compare == RANDOM else load(compare) if compare else None,
        settings=settings,
    )
    wishes.check(model)
    cases: list[Case] = []
    failures = []
    for source, of_source in export.plan(inputs, mask, folder):
        try:
            case = show(inspect_file(model, source, of_source, wishes), source.name, quiet)
            written = export.write_case(case, source, folder)
        except LGMSNetError as error:
            failures.append(f"{source}: {error}")
        else:
            cases.append(case)
            if not quiet:
                console.print(f"{source.name}: {len(written)} files", soft_wrap=True, markup=False)
    if failures and len(inputs) == 1:
        raise InputError(failures[0])
    for path in export.write_tables(cases, folder):
        if not quiet:
            console.print(str(path), soft_wrap=True, markup=False)
    for failure in failures:
        console.print(f"failed: {failure}", soft_wrap=True, markup=False)
    if failures:
        raise typer.Exit(1)


def _box(text: str | None) -> tuple[slice, ...] | None:
    """Return what START:STOP,START:STOP,... means."""
    if text is None:
        return None
    parts = [part.strip().split(":") for part in text.split(",")]
    if any(len(ends) != 2 or not all(end.isdecimal() for end in ends) for ends in parts):
        raise InputError(f'"{text}" is no box: write it as 0:64,20:84 with numbers from 0')
    return tuple(slice(int(start), int(stop)) for start, stop in parts)


def _point(text: str | None) -> tuple[float, ...] | None:
    """Return what 10,64,80 means."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f'"{text}" is no point: write it as 64,80 with numbers from 0')
    return tuple(float(part) for part in parts)
