"""The images of cases: which files they are, how they are told apart, where they lie."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import dicom, itk, read
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.io.itk_header import read_header
from napari_lgmsnet.core.io.opening import Lazy
from napari_lgmsnet.core.types import Progress, Volume

Kind = Literal["file", "folder", "dicom"]

_SAMPLE = 2**16
_SAMPLES = 8
_CHUNK = 2**23
_FARTHEST = 3  # folders up, and still near


@dataclass(frozen=True)
class Source:
    """An image on the disk.

    Parameters
    ----------
    path : Path
        A file or a folder. Made absolute.
    kind : "file", "folder" or "dicom"
        One file (or a header file with its data beside it); a folder that is one image, such as
        OME-Zarr; a series of DICOM files in a folder and the folders inside.
    series_uid : str
        Of a DICOM series, as :func:`napari_lgmsnet.core.io.dicom.list_series` gives it. Not
        needed where the folder holds one only.
    """

    path: Path
    kind: Kind = "file"
    series_uid: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(os.path.normpath(Path(self.path).absolute())))

    def exists(self) -> bool:
        """Tell whether something of this kind lies there."""
        return self.path.is_file() if self.kind == "file" else self.path.is_dir()

    def read(self, lazy: Lazy = False) -> Volume:
        """Read the image; see :func:`napari_lgmsnet.core.io.read`."""
        return read(self.path, lazy=lazy, series=self.series_uid or None)

    def files(self) -> list[Path]:
        """Return the files that the image is made of.

        Raises
        ------
        FileFormatError
            If there are none.
        """
        if not self.exists():
            raise FileFormatError(f'there is no image "{self.path}": it was moved or deleted')
        if self.kind == "dicom":
            return self._series()
        if self.kind == "file":
            return [self.path, *_data_of(self.path)]
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        if not files:
            raise FileFormatError(f'"{self.path}" is empty: the image was moved or deleted')
        return files

    def _series(self) -> list[Path]:
        contents = dicom.survey(self.path)
        try:
            uid = contents.choose(self.series_uid or None).uid
        except InputError as error:
            raise FileFormatError(str(error)) from error
        return sorted(path for path, _ in contents.files[uid])


@dataclass(frozen=True)
class Place:
    """Where an image should be, as a project writes it down.

    Parameters
    ----------
    folder : Path
        The project's.
    relative : str or None
        As seen from there, if the image lies near (:func:`relative_to`).
    absolute : str
    kind, series_uid
        As for :class:`Source`.
    """

    folder: Path
    relative: str | None
    absolute: str
    kind: Kind
    series_uid: str

    def source(self) -> Source:
        """Return the image: seen from the project if something is there, else where it was."""
        path = Path(self.absolute)
        if self.relative is not None:
            near = Path(os.path.normpath(self.folder / PurePosixPath(self.relative)))
            path = near if near.exists() else path
        return Source(path, self.kind, self.series_uid)


@dataclass(frozen=True)
class Fingerprint:
    """What tells most images apart without reading them whole.

    Parameters
    ----------
    size : int
        Bytes of all files together.
    digest : str
        SHA-256 of eight parts of 64 KiB, spread from the first to the last; of smaller files, of
        all that is in them. For several files that of the sorted digests.
    """

    size: int
    digest: str


def fingerprint(source: Source) -> Fingerprint:
    """Return what tells most images apart, quickly.

    Raises
    ------
    FileFormatError
        If the image is not there or cannot be read.
    """
    size, digests = 0, []
    for path in source.files():
        with _opened(path) as file:
            digest = hashlib.sha256()
            length = file.seek(0, os.SEEK_END)
            # Volumes of one scanner begin and end alike, with a header and with air.
            for part in range(_SAMPLES):
                file.seek(max(part * _SAMPLE, (length - _SAMPLE) * part // (_SAMPLES - 1)))
                digest.update(file.read(_SAMPLE))
        size += length
        digests.append(digest.hexdigest())
    return Fingerprint(size, _joined(digests))


def hash_source(source: Source) -> Generator[Progress, None, str]:
    """Return the SHA-256 of an image's content, whatever its files are called.

    Of one file it is the file's own. Of a series it is that of the sorted SHA-256 of its files,
    in hexadecimal, with a line feed between them.

    Yields
    ------
    Progress
        In MiB.

    Raises
    ------
    FileFormatError
        If the image is not there or cannot be read.
    """
    files = source.files()
    total = sum(path.stat().st_size for path in files)
    done, digests = 0, []
    for path in files:
        digest = hashlib.sha256()
        with _opened(path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                yield Progress(done >> 20, total >> 20, f"reading {source.path.name}")
        digests.append(digest.hexdigest())
    return _joined(digests)


def relative_to(path: Path, folder: Path) -> str | None:
    """Return a path as seen from a folder, with ``/`` on every system, if it lies near.

    Near is inside it, or at most three folders up: a project and its images that are moved
    together find each other again.
    """
    try:
        relative = Path(os.path.relpath(path, folder))
    except ValueError:  # another drive
        return None
    return relative.as_posix() if relative.parts.count("..") <= _FARTHEST else None


def _joined(digests: list[str]) -> str:
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(sorted(digests)).encode("ascii")).hexdigest()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise FileFormatError(
            f'"{path}" cannot be opened ({error.strerror}): check its permissions'
        ) from error


def _data_of(path: Path) -> list[Path]:
    """Return the file with the pixels that a header file names, if it names one."""
    if ending(path) not in itk.INSTEAD:
        return []
    fields = read_header(path).fields
    place = path.parent / fields.get("data file", fields.get("elementdatafile", "LOCAL"))
    return [place] if place.is_file() else []
