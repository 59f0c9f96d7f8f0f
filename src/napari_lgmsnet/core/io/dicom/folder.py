"""What a folder holds: which series, which masks, and what is neither."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io.dicom.headers import (
    DIRECTORY,
    SEGMENTATIONS,
    check_complete,
    quietly,
    read_header,
    recognises,
    why_no_image,
)
from napari_lgmsnet.core.io.dicom.series import name_of

if TYPE_CHECKING:
    from pydicom import Dataset

_SIGNATURE = 132
_FIRST_FILES, _FIRST_FOLDERS, _LOOKED_INTO = 200, 50, 12
_LIKELY = re.compile(r"|\.dcm|\.dicom|\.ima|\.\d+")
_NAMED = 3

File = tuple[Path, "Dataset"]


@dataclass(frozen=True)
class SeriesInfo:
    """What a person needs to know to choose a series; nothing that tells whose it is.

    Parameters
    ----------
    key : str
        By which it is chosen: its number, with .1, .2 and so on where several have the same.
    uid : str
        SeriesInstanceUID, by which it can be chosen as well.
    name : str
        Its description, or its kind and number.
    modality : str
        CT, MR, US and so on.
    number : int, optional
        The number that the scanner gave it.
    rows, columns : int
        Of its first image.
    images : int
        How many there are, frames of films and enhanced files included.
    """

    key: str
    uid: str
    name: str
    modality: str
    number: int | None
    rows: int
    columns: int
    images: int

    def __str__(self) -> str:
        """Return it in one line."""
        count = "1 image" if self.images == 1 else f"{self.images} images"
        return f"{self.key}: {self.modality}, {self.name}, {self.columns} x {self.rows}, {count}"


@dataclass(frozen=True)
class Contents:
    """What was found in a folder.

    Parameters
    ----------
    folder : pathlib.Path
    series : tuple of SeriesInfo
        In the order of their numbers.
    masks : tuple of pathlib.Path
        Files with DICOM SEG.
    skipped : tuple of pathlib.Path
        Files that are neither, and copies of others.
    broken : tuple of FileFormatError
        What is wrong with DICOM files that cannot be read.
    files : dict of str to list of (pathlib.Path, pydicom.Dataset)
        The files of each series, by its UID, with their headers.
    """

    folder: Path
    series: tuple[SeriesInfo, ...]
    masks: tuple[Path, ...]
    skipped: tuple[Path, ...]
    broken: tuple[FileFormatError, ...]
    files: dict[str, list[File]]

    def notes(self) -> list[str]:
        """Return in sentences what there is besides the series."""
        lines = [f"could not be read: {error}" for error in self.broken]
        if self.masks:
            lines.append(f"masks (DICOM SEG), to be opened by themselves: {_some(self.masks)}")
        if self.skipped:
            lines.append(
                f"skipped, as they are no DICOM images or copies of others: {_some(self.skipped)}"
            )
        return lines

    def choose(self, wanted: str | int | None) -> SeriesInfo:
        """Return the series that is meant.

        Parameters
        ----------
        wanted : str or int, optional
            A key or UID of :class:`SeriesInfo`. Not needed where there is one series only.

        Raises
        ------
        FileFormatError
            If there is no series.
        InputError
            If there are several and none was named, or the named one is not among them.
        """
        if not self.series:
            raise FileFormatError(
                f'there is no DICOM image in the folder "{self.folder}": choose another folder. '
                + " ".join(self.notes())
            )
        if wanted is None and len(self.series) == 1:
            return self.series[0]
        for one in self.series:
            if str(wanted) in (one.key, one.uid):
                return one
        listed = "; ".join(map(str, self.series))
        if wanted is None:
            raise InputError(
                f'"{self.folder}" holds {len(self.series)} series: say which one by its number '
                f"(series={self.series[0].key!r} in Python, --series {self.series[0].key} on the "
                f"command line). They are {listed}"
            )
        raise InputError(f'"{self.folder}" holds no series {wanted}. It holds {listed}')


def holds_dicom(folder: Path) -> bool:
    """Tell from a few files in a folder and its sub-folders whether it holds DICOM.

    Those whose names are as DICOM files are often named are looked at first.
    """
    try:
        files = list(islice(_walk(folder, _FIRST_FOLDERS), _FIRST_FILES))
    except FileFormatError:
        return False
    likely = sorted(files, key=lambda file: not _LIKELY.fullmatch(file.suffix.lower()))
    return any(_is_dicom(file) for file in likely[:_LOOKED_INTO])


def survey(folder: Path) -> Contents:
    """Read the headers of all DICOM files in a folder and its sub-folders, and no pixels.

    Raises
    ------
    FileFormatError
        If there is no such folder, or it must not be read.
    """
    if not folder.is_dir():
        raise FileFormatError(f'there is no folder "{folder}": check its name')
    files: dict[str, list[File]] = {}
    masks, skipped, broken = [], [], []
    images: set[str] = set()
    for file in _walk(folder):
        if not _is_dicom(file):
            skipped.append(file)
            continue
        try:
            header = read_header(file)
            if header.SOPClassUID == DIRECTORY:
                continue
            if header.SOPInstanceUID in images or why_no_image(file, header):
                skipped.append(file)
                continue
            check_complete(file, header)
        except FileFormatError as error:
            broken.append(error)
            continue
        images.add(header.SOPInstanceUID)
        if header.SOPClassUID in SEGMENTATIONS:
            masks.append(file)
        else:
            files.setdefault(str(header.SeriesInstanceUID), []).append((file, header))
    return Contents(folder, _described(files), tuple(masks), tuple(skipped), tuple(broken), files)


def _described(files: dict[str, list[File]]) -> tuple[SeriesInfo, ...]:
    """Return what the series are, in the order of their numbers, each with a key of its own."""
    with quietly():
        numbers = {uid: _number(members[0][1]) for uid, members in files.items()}
    ordered = sorted(files, key=lambda uid: (numbers[uid] is None, numbers[uid] or 0, uid))
    keys = ["" if numbers[uid] is None else str(numbers[uid]) for uid in ordered]
    seen: Counter[str] = Counter()
    described = []
    for uid, key in zip(ordered, keys, strict=True):
        seen[key] += 1
        unique = key if key and keys.count(key) == 1 else f"{key or 'x'}.{seen[key]}"
        described.append(_describe(uid, unique, numbers[uid], files[uid]))
    return tuple(described)


def _describe(uid: str, key: str, number: int | None, members: list[File]) -> SeriesInfo:
    first = members[0][1]
    with quietly():
        images = sum(int(header.get("NumberOfFrames") or 1) for _file, header in members)
        modality = str(first.get("Modality") or "unknown")
        rows, columns = int(first.Rows), int(first.Columns)
    return SeriesInfo(key, uid, name_of(first), modality, number, rows, columns, images)


def _number(header: Dataset) -> int | None:
    try:
        return int(header.get("SeriesNumber"))
    except (TypeError, ValueError):
        return None


def _walk(folder: Path, most: int | None = None) -> Iterator[Path]:
    """Yield files, those of a folder before those of its sub-folders; hidden ones are left out.

    Parameters
    ----------
    folder : pathlib.Path
    most : int, optional
        How many folders are looked into.
    """
    waiting = [folder]
    while waiting and most != 0:
        place = waiting.pop()
        most = None if most is None else most - 1
        try:
            with os.scandir(place) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise FileFormatError(
                f'the folder "{place}" cannot be opened ({error.strerror}): check its permissions'
            ) from error
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        waiting += [Path(e.path) for e in reversed(shown) if e.is_dir(follow_symlinks=False)]
        yield from (Path(entry.path) for entry in shown if entry.is_file())


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return recognises(stream.read(_SIGNATURE))
    except OSError:
        return False


def _some(files: tuple[Path, ...]) -> str:
    names = ", ".join(f'"{file.name}"' for file in files[:_NAMED])
    return names if len(files) <= _NAMED else f"{names} and {len(files) - _NAMED} more"
