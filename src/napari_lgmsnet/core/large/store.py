"""The result of many blocks, in a file; there as a whole or not at all."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.types import Volume

_WORK, _DONE = "work.json", "done"


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
    ) -> None:
        """Make the empty image, or find the one that an interrupted run of the same work left.

        Parameters
        ----------
        image : Image
        work : dict
            What determines the result, as JSON holds it.
        overwrite : bool
            Whether an existing target may be replaced in the end.

        Raises
        ------
        InputError
            If the target exists, or its format cannot hold the image.
        """
        if self.target.exists() and not overwrite:
            raise InputError(
                f'"{self.target}" exists: choose another output, or allow to overwrite'
            )
        self._image, self._overwrite = image, overwrite
        self._check()
        text = json.dumps(work, sort_keys=True)
        path = self.folder / _WORK
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / _DONE).mkdir()
        self._make()
        with atomic_path(path, overwrite=True) as temporary:  # last: now the folder is whole
            temporary.write_text(text, encoding="utf-8")

    def missing(self, count: int) -> list[int]:
        """Return which of so many blocks are not done."""
        there = {path.name for path in (self.folder / _DONE).iterdir()}
        return [number for number in range(count) if str(number) not in there]

    def write(self, number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        """Write a block and note it; blocks that share no chunk may be written at once."""
        self._put(number, box, data)
        (self.folder / _DONE / str(number)).touch()

    def finish(self) -> None:
        """Put the image in its place, after :meth:`begin` and all blocks."""
        self._place(overwrite=self._overwrite)
        shutil.rmtree(self.folder)

    @abstractmethod
    def _check(self) -> None:
        """Refuse an image that the format cannot hold."""

    @abstractmethod
    def _make(self) -> None:
        """Make in the new folder what blocks are written to."""

    @abstractmethod
    def _put(self, number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        """Write a block."""

    @abstractmethod
    def _place(self, *, overwrite: bool) -> None:
        """Put what blocks were written to in the target's place."""
