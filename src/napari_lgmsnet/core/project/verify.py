"""Checking a project: every row and every file. Nothing is repaired."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_lgmsnet.core.catalogue import peek
from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.progress import within
from napari_lgmsnet.core.project import snapshots
from napari_lgmsnet.core.project.cases import Case
from napari_lgmsnet.core.project.checkpoint_rows import Checkpoint
from napari_lgmsnet.core.project.sources import hash_source
from napari_lgmsnet.core.project.store import Project
from napari_lgmsnet.core.project.tail import numbered
from napari_lgmsnet.core.project.tidy import leftovers, unused_snapshots
from napari_lgmsnet.core.types import Progress


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Parameters
    ----------
    severity : "error" or "note"
        Something is lost or wrong; or worth knowing, such as files that nothing needs.
    where : str
        The case, checkpoint or file.
    what : str
        In a person's words.
    """

    severity: Literal["error", "note"]
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}"


def verify(project: Project, *, images: bool = False) -> Generator[Progress, None, list[Problem]]:
    """Check every row and every file of a project.

    Parameters
    ----------
    project : Project
        May be open for reading only.
    images : bool
        Read the images whole as well, instead of parts of them.

    Returns
    -------
    list of Problem
        Empty if all is well. Nothing was changed.
    """
    cases, checkpoints = project.cases.all(), project.checkpoints.all()
    total = len(cases) + len(checkpoints) + 1
    yield Progress(0, total, "checking the database")
    problems = [Problem("error", "database", text) for text in project.check_database()]
    for done, case in enumerate(cases, start=1):
        step = Progress(done, total, f"checking {case.name}")
        yield step
        where = f'case {case.id} "{case.name}"'
        problems += [Problem(*one) for one in _of_case(project, case, where)]
        problems += [Problem(*one) for one in _of_mask(project, case, where)]
        if images and case.sha256 and project.cases.presence(case) == "there":
            sha256 = yield from within(hash_source(case.source), step)
            if sha256 != case.sha256:
                problems.append(Problem("error", where, "its image is not the one that was added"))
    known = {one.sha256 for one in checkpoints}
    for done, one in enumerate(checkpoints, start=1 + len(cases)):
        yield Progress(done, total, f"checking {one.name}")
        where = f'checkpoint "{one.name}" ({one.sha256[:12]}…)'
        problems += [Problem(*found) for found in _of_checkpoint(project, one, known, where)]
    current = project.checkpoints.current_sha256()
    if current and current not in known:
        problems.append(Problem("error", "database", "the checkpoint in use is not in the list"))
    problems += [Problem(*one) for one in _of_folder(project, cases, checkpoints)]
    return problems


Found = tuple[Literal["error", "note"], str, str]


def _of_case(project: Project, case: Case, where: str) -> Iterator[Found]:
    presence = project.cases.presence(case)
    if presence == "missing":
        yield "error", where, f'its image is not at "{case.source.path}": say where it is now'
    if presence == "changed":
        yield "error", where, f'"{case.source.path}" is not the image that was added'
    history = project.cases.history(case.id)
    if not history or history[-1][0] != case.state:
        yield "error", where, f'it is "{case.state}", but its history does not say so'


def _of_mask(project: Project, case: Case, where: str) -> Iterator[Found]:
    stored = project.labels.stored(case.id)
    if stored is None:
        if case.state not in ("new", "rejected"):
            yield "error", where, f'it is "{case.state}" but has no mask'
        return
    said: set[str] = set()  # layers that are alike share a file
    for layer, name in stored.files.items():
        kind = np.dtype(np.bool_) if layer in ("touched", "vouched") else stored.dtype
        try:
            array = snapshots.load(project.folder / "labels", name)
        except FileNotFoundError:
            yield "error", where, f'the file "{name}.npz" of its {layer} is missing'
        except (LGMSNetError, OSError) as error:
            if name not in said:
                yield "error", where, str(error)
            said.add(name)
        else:
            if array.shape != stored.shape or not np.can_cast(array.dtype, kind):
                yield "error", where, f"its {layer} have another shape or type than its mask"
    tail = project.labels.tail(case.id)
    for text in tail.damage:
        yield "error", where, text
    if tail.torn:
        yield "note", where, f"{tail.torn} bytes of edits were cut off when the program was stopped"
    if stored.checkpoint and stored.checkpoint not in {
        one.sha256 for one in project.checkpoints.all()
    }:
        yield "note", where, f"its prediction is from {stored.checkpoint[:12]}…, not in the list"


def _of_checkpoint(
    project: Project, one: Checkpoint, known: set[str], where: str
) -> Iterator[Found]:
    if one.parent and one.parent not in known:
        yield "note", where, f"its parent {one.parent[:12]}… is not in this project"
    if one.kept != "here":
        return
    try:
        path = project.checkpoints.path(one.sha256)
        if file_sha256(path) != one.sha256:
            yield "error", where, f'"{path.name}" is damaged: it is not what its name promises'
        elif peek(path) is None:
            yield "error", where, f'"{path.name}" is no checkpoint'
    except (LGMSNetError, OSError) as error:
        yield "error", where, str(error)


def _of_folder(
    project: Project, cases: list[Case], checkpoints: list[Checkpoint]
) -> Iterator[Found]:
    """Say which files nothing needs."""
    folder = project.folder
    numbers = {case.id for case in cases}
    hashes = {one.sha256 for one in checkpoints if one.kept == "here"}
    unneeded: list[Path] = [*unused_snapshots(folder, project.labels.files_in_use())]
    unneeded += leftovers(folder)
    for path in sorted((folder / "journal").glob("*.journal")):
        number = numbered(path)
        if number is None or number[0] not in numbers:
            unneeded.append(path)
    unneeded += [
        path for path in sorted((folder / "checkpoints").glob("[!.]*")) if path.stem not in hashes
    ]
    for path in unneeded:
        yield "note", path.relative_to(folder).as_posix(), "nothing needs this file"
