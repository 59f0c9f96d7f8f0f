"""One file of many: read it unless it is done, write its mask and note it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from napari_lgmsnet.core.batch import records
from napari_lgmsnet.core.batch.outcome import Outcome
from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.hashing import content_sha256
from napari_lgmsnet.core.headless import Job, read_job, write_job
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.part import cut_out, placed
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.types import Volume

OF_ONE_CASE = (LGMSNetError, OSError, MemoryError, RuntimeError, ValueError)
"""Errors that concern one file and must not stop the others."""


@dataclass(frozen=True, eq=False)
class Ready:
    """A file that was read and is to be segmented.

    Parameters
    ----------
    job : Job
        Allowed to overwrite, if what is there is this program's own.
    whole : Volume
    volume : Volume
        The part of it that is to be segmented.
    wanted : dict
        What its record says of how it is made.
    sha256 : str
        Of the image; empty without a record.
    """

    job: Job
    whole: Volume
    volume: Volume
    wanted: dict[str, Any]
    sha256: str


def prepare(job: Job, model: Model, settings: PredictSettings) -> Ready | Outcome:
    """Read a file, or say why not: it is done already, or cannot be used."""
    try:
        wanted = records.made_with(model, job, settings)
        sha256 = "" if job.record is None else content_sha256(job.source)
        state = records.state_of(job, wanted, sha256)
        if state == "done":
            return Outcome.of(job, "skipped", "done before, in the same way")
        if state == "started":
            job = replace(job, overwrite=True)
        whole = read_job(job, model, settings)
        return Ready(job, whole, cut_out(whole, job.box), wanted, sha256)
    except OF_ONE_CASE as error:
        return failed(job, error)


def write(ready: Ready, prediction: Prediction) -> Outcome:
    """Write a prediction and note it."""
    job = ready.job
    try:
        records.start(job, ready.wanted, ready.sha256)
        write_job(job, placed(prediction, ready.whole, job.box))
        records.finish(job, ready.wanted, ready.sha256)
    except OF_ONE_CASE as error:
        return failed(job, error)
    return Outcome.of(job, "done", prediction.describe(), prediction.seconds)


def failed(job: Job, error: BaseException) -> Outcome:
    """Return the outcome of a job that met an error."""
    return Outcome.of(job, "failed", str(error) or type(error).__name__)
