"""The command line's demo: the bundled samples, segmented and compared."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_lgmsnet.cli_options import AsJson, Device, Overwrite, Quiet, Verbose
from napari_lgmsnet.cli_progress import show


def demo(
    samples: Annotated[
        list[str] | None, typer.Argument(metavar="SAMPLE...", help="All of them without.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the masks (made).")
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Segment the bundled samples and compare with their references; needs no window.

    The same in a window: python -m napari_lgmsnet.demo

    Example: napari-lgmsnet demo -o masks
    """
    from napari_lgmsnet.core.demonstration import demonstrate

    work = demonstrate(samples or (), output, device=device, overwrite=overwrite)
    shown = show(work, "demo", quiet, verbose)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in shown], indent=2))
        return
    for one in shown:
        scores = ", ".join(f"{name} {dice:.3f}" for name, dice in one.dice.items())
        where = f"; {one.mask}" if one.mask else ""
        typer.echo(
            f"{one.sample}: Dice {scores} with {one.checkpoint} in {one.seconds:.1f} s{where}"
        )
