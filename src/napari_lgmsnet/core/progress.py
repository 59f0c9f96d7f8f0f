"""Running a generator of progress to its result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeVar

from napari_lgmsnet.core.types import Progress

T = TypeVar("T")


def run(job: Generator[Progress, None, T], report: Callable[[Progress], object] | None = None) -> T:
    """Run a job to its end and return its result.

    Parameters
    ----------
    job : generator of Progress
    report : callable, optional
        Called with every step.
    """
    while True:
        try:
            progress = next(job)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if report is not None:
            report(progress)


def within(job: Generator[Progress, None, T], step: Progress) -> Generator[Progress, None, T]:
    """Run a job as one step of a larger one; its own steps show in the message only."""
    while True:
        try:
            part = next(job)
        except StopIteration as stop:
            result: T = stop.value
            return result
        yield replace(step, message=f"{step.message}, {part.message}")
