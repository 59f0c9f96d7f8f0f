"""Which kind of store writes a file, and several of them that make one piece of work.

One output takes its place after the other, so a kill may leave the first there and the second not.
What of it is this program's own, and not a file that somebody else put there, the first store
notes: it is kept until all outputs are in place, and its notes go last of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.large import nifti_store, zarr_store
from napari_lgmsnet.core.large.store import Image, Store

_KINDS: dict[str, type[Store]] = {
    zarr_store.ENDING: zarr_store.ZarrStore,
    nifti_store.ENDING: nifti_store.NiftiStore,
}


def store_of(target: Path) -> Store:
    """Return what writes a file block by block.

    Raises
    ------
    InputError
        If its format cannot be written so.
    """
    kind = _KINDS.get(target.suffix.lower())
    if kind is None:
        raise InputError(
            f'"{target}" cannot be written block by block: use one of {", ".join(_KINDS)}'
        )
    return kind(target)


def begin_all(
    stores: Sequence[Store], images: Sequence[Image], work: dict[str, Any], *, overwrite: bool
) -> None:
    """Begin all outputs of a piece of work, or go on where an interrupted run of it was.

    Parameters
    ----------
    stores : sequence of Store
    images : sequence of Image
        One for each.
    work : dict
        What determines the results, as JSON holds it.
    overwrite : bool
        Whether existing targets may be replaced in the end.

    Raises
    ------
    InputError
        If a target exists that the same work did not put there, or a format cannot hold its image.
    """
    placed = stores[0].notes(work)
    for store, image in zip(stores, images, strict=True):
        store.begin(image, work, overwrite=overwrite, placed=placed)


def finish_all(stores: Sequence[Store]) -> None:
    """Put all outputs in their places, after :func:`begin_all` and all blocks of each."""
    for store in stores:
        store.place(stores[0].note)
    for store in reversed(stores):
        store.remove()
