"""Adding images to a project; those that it has already are recognised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.progress import within
from napari_lgmsnet.core.project.cases import Case, Cases
from napari_lgmsnet.core.project.database import Database
from napari_lgmsnet.core.project.sources import Fingerprint, Source, fingerprint, hash_source
from napari_lgmsnet.core.project.walking import images_in
from napari_lgmsnet.core.types import Progress


@dataclass(frozen=True)
class Added:
    """What became of the images that were to be added.

    Parameters
    ----------
    cases : tuple of Case
        The new ones, in order.
    known : tuple of (Path, Case)
        Images that the project has already, with the same content under whichever name.
    problems : tuple of (Path, str)
        Images that cannot be read, and why.
    """

    cases: tuple[Case, ...]
    known: tuple[tuple[Path, Case], ...]
    problems: tuple[tuple[Path, str], ...]


def add(
    database: Database, cases: Cases, folder: Path, images: Iterable[Path | Source]
) -> Generator[Progress, None, Added]:
    """Add images to a project: all of them, or none if this is stopped.

    Parameters
    ----------
    database : Database
    cases : Cases
    folder : Path
        The project's, in which no image is looked for.
    images : iterable of Path or Source
        Files; folders, in which every image is taken, those in folders inside included; or
        sources, which say themselves what they are.
    """
    database.check_writable()
    names: dict[Source, str] = {}
    for image in images:
        if isinstance(image, Source):
            names.setdefault(image, _name_of(image))
        elif image.is_dir():
            for source, name in (yield from images_in(image, leave_out=folder)):
                names.setdefault(source, name)
        else:
            names.setdefault(Source(image), split_suffix(image)[0])
    present = defaultdict(list)
    for case in cases.all():
        present[case.fingerprint].append(case)
    fresh: defaultdict[Fingerprint, list[Source]] = defaultdict(list)
    known: list[tuple[Path, Case]] = []
    again: list[tuple[Path, Source]] = []
    problems: list[tuple[Path, str]] = []
    for done, source in enumerate(names):
        step = Progress(done, len(names), f"looking at {source.path.name}")
        yield step
        try:
            found = fingerprint(source)
            same = yield from within(_same_case(cases, present[found], source), step)
            twin = yield from within(_same_source(fresh[found], source), step)
        except LGMSNetError as error:
            problems.append((source.path, str(error)))
            continue
        if same is not None:
            known.append((source.path, same))
        elif twin is not None:
            again.append((source.path, twin))
        else:
            fresh[found].append(source)
    numbers = {}
    place = {source: found for found, group in fresh.items() for source in group}
    with database.writing() as connection:
        for source, name in names.items():
            if source in place:
                numbers[source] = cases.insert(connection, source, name, place[source])
    known += [(path, cases.get(numbers[twin])) for path, twin in again]
    added = tuple(cases.get(number) for number in numbers.values())
    return Added(added, tuple(known), tuple(problems))


def _name_of(source: Source) -> str:
    return split_suffix(source.path)[0] if source.kind == "file" else source.path.name


def _same_case(
    cases: Cases, alike: list[Case], source: Source
) -> Generator[Progress, None, Case | None]:
    """Return the case with the same content, among those with the same fingerprint."""
    for case in alike:
        if case.source == source:
            return case
    if not alike:
        return None
    sha256 = yield from hash_source(source)
    for case in alike:
        # Where the other image is gone, the fingerprint has to do.
        if not case.sha256 and cases.presence(case) != "there":
            return case
        if (yield from cases.hash(case)) == sha256:
            return case
    return None


def _same_source(alike: list[Source], source: Source) -> Generator[Progress, None, Source | None]:
    if not alike:
        return None
    sha256 = yield from hash_source(source)
    for other in alike:
        if other == source or (yield from hash_source(other)) == sha256:
            return other
    return None
