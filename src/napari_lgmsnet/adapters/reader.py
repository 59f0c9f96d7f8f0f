"""Opening files in napari through this package's own readers, which keep the exact geometry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.layers import LayerData
    from napari_lgmsnet.core.io.dicom import Contents
    from napari_lgmsnet.core.types import Volume

Paths = str | list[str]
Choose = Callable[["Contents"], list[str]]

_NOTHING: list[Any] = [(None,)]
"""What tells napari that a file was dealt with although there is no layer."""


def get_reader(
    path: Paths, choose: Choose | None = None
) -> Callable[[Paths], list[LayerData]] | None:
    """Return the function that opens a file, or None if this is not for us.

    Parameters
    ----------
    path : str or list of str
        Several files would be a stack, which no format here has need of: a series of DICOM is
        opened by its folder.
    choose : callable, optional
        Asked which series of a folder are opened; without it several are an error.
    """
    from napari_lgmsnet.core.io import is_readable

    if isinstance(path, list) or not is_readable(path):
        return None
    return partial(read_layers, choose=choose)


def read_layers(path: Paths, choose: Choose | None = None) -> list[LayerData]:
    """Open a file as layers that lie in the world as the file says.

    Parameters
    ----------
    path : str
        A file, or a folder of OME-Zarr or DICOM.
    choose : callable, optional
        As for :func:`get_reader`.

    Raises
    ------
    FileFormatError, InputError
        If the file cannot be read; napari shows the message.
    """
    from napari_lgmsnet.adapters.layers import layer_data_of
    from napari_lgmsnet.core.io import dicom, read_levels

    assert isinstance(path, str)
    if Path(path).is_dir() and dicom.holds_dicom(Path(path)):
        return _read_series(Path(path), choose)
    levels = read_levels(path, lazy="auto")
    if "classes" in levels[0].source:
        return _mask_layers(levels[0])
    return layer_data_of(*levels)


def _read_series(folder: Path, choose: Choose | None) -> list[LayerData]:
    """Open one series of a folder or those that are chosen."""
    from napari.utils.notifications import show_info

    from napari_lgmsnet.adapters.layers import layer_data_of
    from napari_lgmsnet.core.io import dicom

    contents = dicom.survey(folder)
    if len(contents.series) > 1 and choose is not None:
        keys = choose(contents)
    else:
        keys = [contents.choose(None).key]
        for note in contents.notes():
            show_info(f'"{folder.name}": {note}')
    layers = []
    for key in keys:
        layers += layer_data_of(dicom.read_series(contents, key, lazy="auto"))
    return layers or _NOTHING


def _mask_layers(volume: Volume) -> list[LayerData]:
    """Return a mask in the colours that its file gives the segments."""
    from napari_lgmsnet.adapters.layers import layer_data_of
    from napari_lgmsnet.adapters.results import colormap_of, features_of

    classes = volume.source["classes"]
    [(data, about, _kind)] = layer_data_of(volume)
    del about["rgb"]
    about |= {"colormap": colormap_of(classes), "features": features_of(classes)}
    return [(data, about, "labels")]
