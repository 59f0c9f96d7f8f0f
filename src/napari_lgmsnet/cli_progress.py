"""What every command shows on standard error: progress, and lines of text."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from napari_lgmsnet.core.types import Progress as Step

T = TypeVar("T")
_PAUSE = 1.0
"""Seconds between two lines about steps, so that a log stays readable."""

_WIDTH = 200
"""Of tables in a file or a pipe, where 80 columns would break their words."""

console = Console(stderr=True)


def show(job: Generator[Step, None, T], title: str, quiet: bool, verbose: bool = False) -> T:
    """Run a job with a progress bar and return its result.

    Parameters
    ----------
    job : generator of Progress
    title : str
    quiet : bool
        Show nothing.
    verbose : bool
        Name the steps in lines as well, as a log keeps them; not more than one a second.
    """
    from napari_lgmsnet.core import progress

    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
    )
    # Without a terminal a bar that is redrawn would be no more than empty lines.
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", title=title, total=None)
        said = -_PAUSE

        def report(step: Step) -> None:
            nonlocal said
            now = time.monotonic()
            if verbose and not quiet and step.message and now - said >= _PAUSE:
                say(f"{title}: {step.message}")
                said = now
            bar.update(
                task, completed=step.step, total=step.total or None, description=step.message
            )

        return progress.run(job, report)


def say(text: str) -> None:
    """Print one line on standard error, as it is: a name may hold what looks like markup."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def show_table(table: Table) -> None:
    """Print a table on standard output, as wide as the terminal, or as it needs in a file."""
    out = Console()
    if not out.is_terminal:
        out = Console(width=_WIDTH)
    out.print(table)


def exit_if_failed(failures: Iterable[tuple[str, str]]) -> None:
    """Name the cases that failed, and why; if there are any, end with exit code 1."""
    code = 0
    for name, reason in failures:
        say(f"failed: {name}: {reason}")
        code = 1
    if code:
        raise typer.Exit(code)
