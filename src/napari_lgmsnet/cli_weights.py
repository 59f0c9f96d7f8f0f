"""The command line for checkpoints: list, show, verify, fetch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from napari_lgmsnet.cli_options import AsJson, Quiet, Verbose, load_model
from napari_lgmsnet.cli_progress import show as run
from napari_lgmsnet.cli_progress import show_table

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="See which checkpoints there are, check them, and fetch others.",
)

Which = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A name or a file.")]


@app.command("list")
def list_weights(as_json: AsJson = False) -> None:
    """List the checkpoints that come with this program.

    Example: napari-lgmsnet weights list
    """
    from napari_lgmsnet.core.catalogue import shipped

    if as_json:
        typer.echo(json.dumps(list(shipped().values()), indent=2))
        return
    table = Table(box=None)
    for name in ("name", "for", "classes", "licence"):
        table.add_column(name, overflow="fold", no_wrap=name == "name")
    for name, entry in shipped().items():
        kind = f"{entry['title']} ({entry['dimensions']}D)"
        classes = ", ".join(entry["classes"][1:])
        table.add_row(name, Text(kind), Text(classes), Text(entry["licence"]))
    show_table(table)


@app.command("show")
def show_weights(checkpoint: Which, as_json: AsJson = False) -> None:
    """Say what a checkpoint is: network, classes, recipe, training data, licence, metrics.

    Example: napari-lgmsnet weights show polyp-2d
    """
    model = load_model(checkpoint)
    if as_json:
        about = {"sha256": model.sha256, "path": str(model.path), "parameters": model.parameters}
        typer.echo(json.dumps(about | model.info.model_dump(mode="json"), indent=2))
    else:
        typer.echo(model.describe())


@app.command()
def verify(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHECKPOINT...", help="Names or files; all that ship without."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check that checkpoints are the listed files, whole and usable.

    Exit code 1 if one of them is not, and why.

    Example: napari-lgmsnet weights verify
    """
    from napari_lgmsnet.core import shipped_weights

    verdicts = run(shipped_weights.verify(checkpoints), "verify", quiet, verbose)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in verdicts], indent=2))
    else:
        for one in verdicts:
            if one.problem or not quiet:
                typer.echo(f"{one.name}: {one.problem or f'whole, SHA-256 {one.sha256}'}")
    if any(one.problem for one in verdicts):
        raise typer.Exit(1)


@app.command()
def fetch(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the checkpoint is offered.")],
    sha256: Annotated[str, typer.Option(help="Of the file; anything else is refused.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Its file; else the user's data folder."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch a checkpoint from the internet, complete and verified or not at all.

    Example: napari-lgmsnet weights fetch https://example.org/a.safetensors --sha256 3b8f...
    """
    from napari_lgmsnet.core.shipped_weights import fetch_weights

    path = run(fetch_weights(url, sha256, output), "fetch", quiet, verbose)
    typer.echo(json.dumps({"path": str(path)}) if as_json else str(path))
