"""The command line for looking into a network: maps, numbers and figures of images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_lgmsnet.cli_options import (
    AsJson,
    Channels,
    Checkpoint,
    Device,
    Native,
    Overwrite,
    Quiet,
    Verbose,
    box_of,
    from_zero,
)
from napari_lgmsnet.cli_progress import exit_if_failed, say, show
from napari_lgmsnet.core.errors import InputError, LGMSNetError

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.headless import Case


@dataclass(frozen=True)
class _Outcome:
    """What became of one image, for programs."""

    source: str
    state: str
    message: str
    files: list[str]


INPUTS = typer.Argument(
    metavar="INPUT...",
    help="Images or volumes; folders of them, patterns, and CSV files with a column image.",
)
OUTPUT = typer.Option("--output", "-o", help="Folder for maps and tables (made if missing).")


def features(
    inputs: Annotated[list[str], INPUTS],
    output: Annotated[Path, OUTPUT],
    checkpoint: Checkpoint,
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
    channels: Channels = None,
    frame: Annotated[int | None, typer.Option(min=1, help="Of time series: which one.")] = None,
    device: Device = "auto",
    native: Native = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """See what a network attends to: maps of its stages, and numbers against a mask.

    Maps lie on the image's grid. Tables: numbers.csv, spectra.csv and, where they apply,
    channels.csv, occlusion.csv and summary.csv.

    Example: napari-lgmsnet features scan.nii.gz -o maps -c hippocampus-3d --mask labels.nii.gz
    """
    from napari_lgmsnet.core.batch import find_inputs
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.inspect import export
    from napari_lgmsnet.core.inspect.control import RANDOM, untrained
    from napari_lgmsnet.core.inspect.features import stage_names
    from napari_lgmsnet.core.inspect.headless import Wishes, inspect_file
    from napari_lgmsnet.core.inspect.stages import FIRST
    from napari_lgmsnet.core.prediction import make_settings

    settings = make_settings(device=device, native=native, channels=from_zero(channels))
    folder = export.Folder(output, coarse=coarse, figures=figures, overwrite=overwrite)
    part, point, covered = _slices(box), _point(attention), _slices(occlude)
    sources = [one.path for one in find_inputs(inputs)]
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
    outcomes: list[_Outcome] = []
    for source, of_source in export.plan(sources, mask, folder):
        try:
            asking = inspect_file(model, source, of_source, wishes)
            case = show(asking, source.name, quiet, verbose)
            written = export.write_case(case, source, folder)
        except LGMSNetError as error:
            outcomes.append(_Outcome(str(source), "failed", str(error), []))
        else:
            cases.append(case)
            outcomes.append(_Outcome(str(source), "done", "", [str(path) for path in written]))
            if not quiet:
                say(f"{source.name}: {len(written)} files")
    failures = [(one.source, one.message) for one in outcomes if one.state == "failed"]
    alone = failures and len(sources) == 1
    tables = [] if alone else [str(path) for path in export.write_tables(cases, folder)]
    if as_json:
        found = {"cases": [asdict(one) for one in outcomes], "tables": tables}
        typer.echo(json.dumps(found, indent=2))
    if alone:
        raise InputError(": ".join(failures[0]))
    for path in tables if not quiet else ():
        say(path)
    exit_if_failed(failures)


def _slices(text: str | None) -> tuple[slice, ...] | None:
    spans = box_of(text)
    return None if spans is None else tuple(slice(*span) for span in spans)


def _point(text: str | None) -> tuple[float, ...] | None:
    """Return what 10,64,80 means."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f'"{text}" is no point: write it as 64,80 with numbers from 0')
    return tuple(float(part) for part in parts)
