"""The result of many blocks, in a file; there as a whole or not at all."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.hashing import content_sha256
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.types import Volume

_WORK, _DONE = "work.json", "done"

Placed = dict[str, str]
"""SHA-256 of files that were about to be put in their places, by their names."""


@dataclass(frozen=True)
class Image:
    """What is known of an image before its first block.

    Parameters
    ----------
    volume : Volume
        On whose grid it lies.
    dtype : numpy dtype
    chunks : tuple of int
        Of which no two blocks share one.
    """

    volume: Volume
    dtype: Any
    chunks: tuple[int, ...]


class Store(ABC):
    """An image that grows in a hidden folder beside its final place.

    What differs between formats, its kinds do: whether a volume can be held, what is made first,
    where a block goes, and how the whole takes its place.

    Parameters
    ----------
    target : Path
        Where the image goes. Its ending says which kind of store is the right one.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.partial")
        self.placed = False
        """Whether the image is in its place, there by an interrupted run of the same work."""
        self._image: Image | None = None
        self._overwrite = False

    @property
    def image(self) -> Image:
        """Return what :meth:`begin` was told of the image."""
        assert self._image is not None, "begin comes first"
        return self._image

    def begin(
        self,
        image: Image,
        work: dict[str, Any],
        *,
        overwrite: bool = False,
        placed: Placed | None = None,
    ) -> None:
        """Make the empty image, or find the one that an interrupted run of the same work left.

        Parameters
        ----------
        image : Image
        work : dict
            What determines the result, as JSON holds it.
        overwrite : bool
            Whether an existing target may be replaced in the end.
        placed : dict, optional
            As :meth:`notes` gives it, of the store that keeps them for this one, too. A target that
            is the one noted there is taken as done.

        Raises
        ------
        InputError
            If the target exists, or its format cannot hold the image.
        """
        there = self.target.exists()
        noted = (placed or {}).get(self.target.name)
        self.placed = there and noted is not None and noted == content_sha256(self.target)
        if there and not overwrite and not self.placed:
            raise InputError(
                f'"{self.target}" exists: choose another output, or allow to overwrite'
            )
        self._image, self._overwrite = image, overwrite
        self._check()
        if self.placed or (self._record().get("work") == work and self._is_made()):
            return
        self._sweep()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / _DONE).mkdir()
        self._make()
        self._note({"work": work, "placed": {}})  # last: now the folder is whole

    def missing(self, count: int) -> list[int]:
        """Return which of so many blocks are not done."""
        if self.placed:
            return []
        there = {path.name for path in (self.folder / _DONE).iterdir()}
        return [number for number in range(count) if str(number) not in there]

    def write(self, number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        """Write a block and note it; blocks that share no chunk may be written at once."""
        self._put(number, box, data)
        (self.folder / _DONE / str(number)).touch()

    def place(self, note: Callable[[str, str], None]) -> None:
        """Put the image in its place, after :meth:`begin` and all blocks.

        Parameters
        ----------
        note : callable
            Called with the target's name and the SHA-256 of what goes there, right before it does:
            :meth:`note` of this store, or of the one that keeps the notes of several.
        """
        if not self.placed:
            self._place(partial(note, self.target.name), overwrite=self._overwrite)
            self.placed = True

    def notes(self, work: dict[str, Any]) -> Placed:
        """Return what an interrupted run of the same work noted with :meth:`note`."""
        record = self._record()
        found: Placed = record["placed"] if record.get("work") == work else {}
        return found

    def note(self, name: str, sha256: str) -> None:
        """Note that a file is about to be put in its place."""
        record = self._record()
        self._note({**record, "placed": {**record["placed"], name: sha256}})

    def remove(self) -> None:
        """Remove the hidden folder; its notes, which say whose the targets are, at the very end."""
        self._sweep()
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _WORK:
                path.unlink()
        (self.folder / _WORK).unlink(missing_ok=True)
        self.folder.rmdir()

    def _record(self) -> dict[str, Any]:
        """Return the work that the folder is for, and what was placed; {} if there is none."""
        try:
            record = json.loads((self.folder / _WORK).read_text(encoding="utf-8"))
            return record if {"work", "placed"} <= set(record) else {}
        except (OSError, ValueError, TypeError):
            return {}

    def _note(self, record: dict[str, Any]) -> None:
        with atomic_path(self.folder / _WORK, overwrite=True) as temporary:
            temporary.write_text(json.dumps(record), encoding="utf-8")

    @property
    def _rest(self) -> Path:
        """Holds the name of a temporary file beside the target while that is written."""
        return self.folder / "temporary"

    def _sweep(self) -> None:
        """Remove the temporary file that an interrupted run left."""
        if not self._rest.is_file():
            return
        name = self._rest.read_text(encoding="utf-8")
        if name:
            self.target.resolve().with_name(name).unlink(missing_ok=True)
        self._rest.unlink()

    @abstractmethod
    def _check(self) -> None:
        """Refuse an image that the format cannot hold."""

    @abstractmethod
    def _make(self) -> None:
        """Make in the new folder what blocks are written to."""

    @abstractmethod
    def _is_made(self) -> bool:
        """Tell whether what :meth:`_make` made is there."""

    @abstractmethod
    def _put(self, number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        """Write a block."""

    @abstractmethod
    def _place(self, note: Callable[[str], None], *, overwrite: bool) -> None:
        """Put what blocks were written to in the target's place, its SHA-256 noted before."""
