"""Running a generator of progress to its result."""

from __future__ import annotations

from collections.abc import Callable, Generator
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
