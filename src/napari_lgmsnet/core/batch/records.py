"""Notes beside the masks of how each was made, so that no work is done twice.

A record is written twice, each time in one step: before the first byte of a mask ("started"), so
that a mask which a kill left half done, or whole, is known to be this program's own; and after the
last, with the SHA-256 of what was written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from napari_lgmsnet import __version__
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.headless import Job
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings

_WORDS = {
    "checkpoint": "another checkpoint",
    "recipe": "another recipe",
    "settings": "other settings",
    "version": "another version of this program",
}

State = Literal["new", "started", "done"]


def made_with(model: Model, job: Job, settings: PredictSettings) -> dict[str, Any]:
    """Return everything that determines a mask except the image, as JSON holds it.

    Device and engine are left out: results differ by rounding only.
    """
    chosen: dict[str, Any] = {
        "checkpoint": model.sha256,
        "recipe": model.info.recipe.model_dump(mode="json"),
        "settings": {
            **settings.model_dump(mode="json", exclude={"device", "engine"}),
            "level": job.level,
            "frame": job.frame,
            "series": job.series,
            "box": job.box,
            "probabilities": job.probability is not None,
        },
        "version": __version__,
    }
    plain: dict[str, Any] = json.loads(json.dumps(chosen))
    return plain


def check_records(jobs: Sequence[Job], model: Model, settings: PredictSettings) -> None:
    """Refuse, before anything is computed, to replace masks that were made in another way.

    Raises
    ------
    InputError
        Naming the first such mask, and what differs.
    """
    for job in jobs:
        record = _read(job)
        if job.overwrite or record is None or not any(path.exists() for path in job.targets):
            continue
        wanted = made_with(model, job, settings)
        other = [
            word for key, word in _WORDS.items() if record["made_with"].get(key) != wanted[key]
        ]
        if other:
            raise InputError(
                f'"{job.mask}" was made with {" and ".join(other)}: choose another '
                "folder, or allow to overwrite"
            )


def state_of(job: Job, wanted: dict[str, Any], sha256: str) -> State:
    """Say whether a job is done already.

    Parameters
    ----------
    job : Job
    wanted : dict
        As :func:`made_with` gives it.
    sha256 : str
        Of the image.

    Raises
    ------
    InputError
        If a mask is there that must not be replaced: the image has changed since it was made, or
        somebody has changed the mask.
    """
    record = _read(job)
    if record is None:
        return "new"
    same = record["made_with"] == wanted and record["input"]["sha256"] == sha256
    if record["outputs"] is None:
        return "started"
    there = {path.name: path for path in job.targets if path.exists()}
    unchanged = {
        name: name in there and file_sha256(there[name]) == written
        for name, written in record["outputs"].items()
    }
    if same and all(unchanged.values()):
        return "done"
    if job.overwrite or not there:
        return "started"
    if not same:
        raise InputError(
            f'"{job.mask}" was made from this image before it changed: choose another folder, or '
            "allow to overwrite"
        )
    changed = [name for name in there if not unchanged.get(name, True)]
    if changed:
        raise InputError(
            f'"{job.mask.with_name(changed[0])}" was changed since it was made: choose another '
            "folder, or allow to overwrite"
        )
    return "started"  # a part of what was written is gone


def start(job: Job, wanted: dict[str, Any], sha256: str) -> None:
    """Note that a mask is about to be written."""
    _write(job, wanted, sha256, None)


def finish(job: Job, wanted: dict[str, Any], sha256: str) -> None:
    """Note what was written."""
    _write(job, wanted, sha256, {path.name: file_sha256(path) for path in job.targets})


def _read(job: Job) -> dict[str, Any] | None:
    """Return a job's record; None if there is none, or none that can be read."""
    if job.record is None:
        return None
    try:
        record = json.loads(job.record.read_text(encoding="utf-8"))
        whole = {"made_with", "input", "outputs"} <= set(record)
    except (OSError, ValueError, TypeError):
        return None
    return record if whole else None


def _write(job: Job, wanted: dict[str, Any], sha256: str, outputs: dict[str, str] | None) -> None:
    if job.record is None:
        return
    job.record.parent.mkdir(exist_ok=True)
    record = {
        "input": {"path": str(job.source), "sha256": sha256},
        "made_with": wanted,
        "outputs": outputs,
    }
    with atomic_path(job.record, overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
