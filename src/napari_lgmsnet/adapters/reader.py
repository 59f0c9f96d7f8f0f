"""Opening files in napari through this package's own readers, which keep the exact geometry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.layers import LayerData

Paths = str | list[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the function that opens a file, or None if this is not for us.

    Parameters
    ----------
    path : str or list of str
        Several files would be a stack, which NIfTI has no need of.
    """
    from napari_lgmsnet.core.io import is_readable

    if isinstance(path, list) or not is_readable(path):
        return None
    return read_layers


def read_layers(path: Paths) -> list[LayerData]:
    """Open a file as image layers that lie in the world as the file says.

    Raises
    ------
    FileFormatError
        If the file cannot be read; napari shows the message.
    """
    from napari_lgmsnet.adapters.layers import layer_data_of
    from napari_lgmsnet.core.io import read

    assert isinstance(path, str)
    return layer_data_of(read(path))
