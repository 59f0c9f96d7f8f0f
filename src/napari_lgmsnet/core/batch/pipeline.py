"""Many files in one process: while the network works, the next is read and the last is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.batch.case import OF_ONE_CASE, Ready, failed, prepare, write
from napari_lgmsnet.core.batch.inputs import find_inputs
from napari_lgmsnet.core.batch.outcome import Outcome, Tell, tell_nobody
from napari_lgmsnet.core.batch.records import check_records
from napari_lgmsnet.core.headless import Job, plan
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings, make_settings
from napari_lgmsnet.core.types import Progress

_PLAN = ("overwrite", "probabilities", "level", "frame", "series", "file_ending")


def predict_files(
    model: Model, inputs: Sequence[str | Path] | str | Path, output: str | Path, **options: Any
) -> list[Outcome]:
    """Segment files, folders, patterns or tables of paths, and write the masks.

    What was done before in the same way is skipped; one bad file does not stop the rest.

    Parameters
    ----------
    model : Model
    inputs : str, Path or sequence of them
        As for :func:`~napari_lgmsnet.core.batch.inputs.find_inputs`.
    output : str or Path
        A folder; for one input it may be a file.
    **options
        Those of :func:`~napari_lgmsnet.core.headless.plan` and of
        :class:`~napari_lgmsnet.core.prediction.PredictSettings`.

    Returns
    -------
    list of Outcome
        In the order of the inputs.

    Raises
    ------
    InputError
        If nothing can be done: an input is missing, or an output must not be replaced.
    """
    several = [inputs] if isinstance(inputs, str | Path) else inputs
    planned = {key: options.pop(key) for key in _PLAN if key in options}
    settings = make_settings(**options)
    jobs = plan(find_inputs(several), Path(output), **planned)
    check_records(jobs, model, settings)
    return progress.run(run_jobs(model, jobs, settings))


def run_jobs(
    model: Model, jobs: Sequence[Job], settings: PredictSettings, tell: Tell = tell_nobody
) -> Generator[Progress, None, list[Outcome]]:
    """Segment many files; reading, network and writing overlap.

    At most two images are in memory before the network, and two results after it.

    Parameters
    ----------
    model : Model
    jobs : sequence of Job
    settings : PredictSettings
    tell : callable, optional
        Called with every outcome in turn.

    Yields
    ------
    Progress
        One a window or a slice.

    Returns
    -------
    list of Outcome
        In the order of the jobs.
    """
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        tell(outcome)

    reader, writer = ThreadPoolExecutor(1, "reading"), ThreadPoolExecutor(1, "writing")
    writing: deque[Future[Outcome]] = deque()
    waiting = iter(jobs)
    reading: deque[Future[Ready | Outcome]] = deque()
    try:
        for number, job in enumerate(jobs):
            while len(reading) < 2 and (coming := next(waiting, None)) is not None:
                reading.append(reader.submit(prepare, coming, model, settings))
            here = Progress(number, len(jobs), job.source.name)
            yield here
            item = reading.popleft().result()
            if isinstance(item, Ready):
                try:
                    work = iterate(model, item.volume, settings)
                    prediction = yield from progress.within(work, here)
                except OF_ONE_CASE as error:
                    item = failed(item.job, error)
                else:
                    writing.append(writer.submit(write, item, prediction))
                    del prediction
            if isinstance(item, Outcome):
                while writing:  # outcomes come in the order of the jobs
                    note(writing.popleft().result())
                note(item)
            del item
            while len(writing) > 1:
                note(writing.popleft().result())
        while writing:
            note(writing.popleft().result())
    finally:
        for pool in (reader, writer):
            pool.shutdown(wait=True, cancel_futures=True)
    return outcomes
