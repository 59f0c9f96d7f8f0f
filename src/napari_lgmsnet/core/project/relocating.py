"""Finding images that were moved, by their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.project.cases import Case, Cases
from napari_lgmsnet.core.project.sources import Source, fingerprint, hash_source
from napari_lgmsnet.core.project.walking import series_in, walk
from napari_lgmsnet.core.types import Progress


def relocate(
    cases: Cases, missing: Iterable[Case], folder: Path
) -> Generator[Progress, None, dict[int, Source]]:
    """Look for moved images in a folder and the folders inside, by size and content.

    Parameters
    ----------
    cases : Cases
    missing : iterable of Case
    folder : Path

    Returns
    -------
    dict of int to Source
        Number of each case whose image was found, and where. It is written down already.
    """
    wanted: defaultdict[int, list[Case]] = defaultdict(list)
    for case in missing:
        wanted[case.fingerprint.size].append(case)
    kinds = {case.place.kind for group in wanted.values() for case in group}
    found: dict[int, Source] = {}
    for seen, source in enumerate(_candidates(folder, dicom="dicom" in kinds)):
        yield Progress(seen, 0, f"looking at {source.path.name}")
        for case in list(wanted[_size(source)]):
            if (yield from _is_image_of(source, case)):
                cases.place(case.id, source)
                found[case.id] = source
                wanted[case.fingerprint.size].remove(case)
        if not any(wanted.values()):
            break
    return found


def _candidates(folder: Path, dicom: bool) -> Iterator[Source]:
    for path in walk(folder):
        yield Source(path, "folder" if path.is_dir() else "file")
    if dicom:
        for source, _ in series_in(folder):
            yield source


def _size(source: Source) -> int:
    try:
        return sum(path.stat().st_size for path in source.files())
    except (LGMSNetError, OSError):
        return -1


def _is_image_of(source: Source, case: Case) -> Generator[Progress, None, bool]:
    same_kind = (source.kind, source.series_uid) == (case.place.kind, case.place.series_uid)
    try:
        if not same_kind or fingerprint(source) != case.fingerprint:
            return False
        return not case.sha256 or (yield from hash_source(source)) == case.sha256
    except LGMSNetError:
        return False
