"""Which kind of store writes a file."""

from __future__ import annotations

from pathlib import Path

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.large import nifti_store, zarr_store
from napari_lgmsnet.core.large.store import Store

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
