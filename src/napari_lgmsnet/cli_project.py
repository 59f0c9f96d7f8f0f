"""The command line for projects: list, export, verify, ledger. None of them changes a project."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.table import Table
from rich.text import Text

from napari_lgmsnet.cli_options import AsJson, Overwrite, Quiet, Verbose
from napari_lgmsnet.cli_progress import exit_if_failed, say, show, show_table

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Case, Project, State

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look into a project, take its accepted masks out, check its files.",
)

Folder = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project's folder.")]


class StateName(StrEnum):
    """States of a case, for --state."""

    NEW = "new"
    PREDICTED = "predicted"
    IN_CORRECTION = "in correction"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@app.command("list")
def list_cases(
    folder: Folder,
    state: Annotated[
        list[StateName] | None, typer.Option(help="Only cases in this state; may be repeated.")
    ] = None,
    min_doubt: Annotated[
        float | None, typer.Option(help="Only cases whose prediction is at least as doubtful.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the cases of a project with their states.

    Example: napari-lgmsnet project list my-project --state accepted
    """
    with _open(folder) as project:
        states = None if state is None else cast("list[State]", [one.value for one in state])
        cases = project.cases.all(states, min_doubt)
    if as_json:
        typer.echo(json.dumps([_as_json(case) for case in cases], indent=2))
        return
    table = Table(box=None)
    for name in ("case", "state", "doubt"):
        table.add_column(name, no_wrap=True)
    for name in ("name", "note"):
        table.add_column(name, overflow="fold")
    for case in cases:
        words = f"{case.state} in part" if case.partial else case.state
        doubt = "" if case.doubt is None else f"{case.doubt:.3g}"
        # As text: a name may hold what looks like markup.
        table.add_row(str(case.id), words, doubt, Text(case.name), Text(case.note))
    show_table(table)


@app.command()
def export(
    folder: Folder,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for images, masks and lists.")
    ],
    validation: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Share of the cases for val.txt.")
    ] = 0.2,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the accepted cases as "napari-lgmsnet train" reads them.

    Example: napari-lgmsnet project export my-project -o training-data
    """
    from napari_lgmsnet.core.project import export_cases

    with _open(folder) as project:
        job = export_cases(project, output, validation=validation, overwrite=overwrite)
        exported = show(job, "export", quiet, verbose)
    if as_json:
        typer.echo(json.dumps(asdict(exported), indent=2))
    elif not quiet:
        typer.echo(
            f"{output}: {len(exported.train)} cases for training, {len(exported.validation)} for "
            f"validation; {len(exported.partial)} with voxels to ignore"
        )
    exit_if_failed(exported.problems)


@app.command()
def verify(
    folder: Folder,
    images: Annotated[
        bool, typer.Option("--images", help="Read the images whole as well; slower.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check every row and every file of a project; nothing is repaired.

    Exit code 1 if something is wrong. Notes, such as files that nothing needs, are not.

    Example: napari-lgmsnet project verify my-project --images
    """
    from napari_lgmsnet.core.project import verify as check

    with _open(folder) as project:
        problems = show(check(project, images=images), "verify", quiet, verbose)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in problems], indent=2))
    else:
        for one in problems:
            typer.echo(str(one))
        if not problems and not quiet:
            typer.echo(f"{folder}: all is well")
    if any(one.severity == "error" for one in problems):
        raise typer.Exit(1)


@app.command()
def ledger(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="A CSV file.")],
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write what was corrected, case by case: voxels, strokes, clicks, minutes, checkpoint.

    Example: napari-lgmsnet project ledger my-project -o corrections.csv
    """
    from napari_lgmsnet.core.project import write_ledger

    with _open(folder) as project:
        rows = project.ledger()
    write_ledger(output, rows, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"ledger": str(output), "rows": len(rows)}, indent=2))
    elif not quiet:
        for row in rows if verbose else ():
            say(f"{row.case}: {row.voxels_changed} voxels in {row.minutes:.1f} minutes")
        say(f"{output}: {len(rows)} rows")


def _open(folder: Path) -> Project:
    from napari_lgmsnet.core.project import Project

    return Project.open(folder, read_only=True)


def _as_json(case: Case) -> dict[str, object]:
    return {
        "id": case.id,
        "name": case.name,
        "state": case.state,
        "partial": case.partial,
        "doubt": case.doubt,
        "note": case.note,
        "image": str(case.source.path),
        "series_uid": case.source.series_uid,
        "sha256": case.sha256,
        "added": case.added,
        "changed": case.changed,
    }
