"""The result as uncompressed NIfTI, which holds any place in space.

Workers on several machines must not write into one file, since network folders write whole pages.
So each block is a file of its own until all are there; then one process puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.hashing import content_sha256
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.io.nifti import image_of
from napari_lgmsnet.core.io.nifti_blocks import Block, empty_like, write_blocks
from napari_lgmsnet.core.large.store import Store
from napari_lgmsnet.core.types import Volume

ENDING = ".nii"
_KIND = ".npz"


class NiftiStore(Store):
    """A NIfTI file, the same that is written where the whole volume is in memory."""

    @property
    def _blocks(self) -> Path:
        return self.folder / "blocks"

    @property
    def _empty(self) -> Volume:
        return empty_like(self.image.volume, self.image.dtype)

    def _check(self) -> None:
        image_of(self._empty)

    def _make(self) -> None:
        self._blocks.mkdir()

    def _is_made(self) -> bool:
        return self._blocks.is_dir()

    def _put(self, number: int, box: tuple[slice, ...], data: NDArray[Any]) -> None:
        with atomic_path(self._blocks / f"{number}{_KIND}", overwrite=True) as temporary:
            np.savez(temporary, start=[span.start or 0 for span in box], data=data)

    def _place(self, note: Callable[[str], None], *, overwrite: bool) -> None:
        self._sweep()
        with atomic_path(self.target, overwrite) as temporary:
            # As large as the mask: the next run removes it if this one is killed.
            self._rest.write_text(temporary.name, encoding="utf-8")
            write_blocks(self.target, temporary, self._empty, self._all)
            note(content_sha256(temporary))

    def _all(self) -> Iterator[Block]:
        for path in sorted(self._blocks.glob(f"[0-9]*{_KIND}")):
            with np.load(path) as block:
                data = block["data"]
                ends = zip(block["start"].tolist(), data.shape, strict=True)
            yield tuple(slice(start, start + size) for start, size in ends), data
