"""TIFF files of which only the strips or tiles that are asked for are read, and their pyramids."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.geometry import coarser_volumes
from napari_lgmsnet.core.io.lazy import Fetch, Slices, Stamp, arranged, chunks_of, lazy_array
from napari_lgmsnet.core.io.tiff import READ_ERRORS, axes_in, failed, numbers, opened, volume_of
from napari_lgmsnet.core.io.tiff_pages import PageReader, can_read_in_parts
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    import tifffile


def open_levels(path: Path) -> tuple[Volume, ...]:
    """Open the first series of a TIFF file; its data are read when they are computed.

    Returns
    -------
    tuple of Volume
        The finest level first; one, if the file holds no pyramid. It has the same numbers as
        :func:`napari_lgmsnet.core.io.tiff.read` returns, in a dask array. Levels are found in
        SubIFDs, and in pages that are a half, a third or a quarter of the one before.

    Raises
    ------
    FileFormatError
        If it is cut short or damaged, compressed in a way that needs another package, or has
        axes that cannot be told apart.
    """
    try:
        with opened(path) as file:
            first, *others = file.series[0].levels
            order, axes = axes_in(tuple(first.shape), first.axes, path)
            volume = volume_of(path, _lazy(first, file, order, axes), axes, file)
            return (
                volume,
                *coarser_volumes(volume, [_lazy(one, file, order, axes) for one in others]),
            )
    except READ_ERRORS as error:
        raise failed(path, error) from error


def _lazy(
    series: tifffile.TiffPageSeries, file: tifffile.TiffFile, order: tuple[int, ...], axes: str
) -> Any:
    """Return the data of a series as a dask array, in the axes of a volume."""
    shape = tuple(series.shape)
    page = series.keyframe
    if series.dataoffset is not None:
        fetch, tile = _mapped(series, file, series.dataoffset), (1, 0)
    elif can_read_in_parts(series):
        fetch = _paged(series)
        tile = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, 0)
    else:
        whole = series.asarray()
        fetch, tile = whole.__getitem__, (1, 0)

    def fetch_numbers(box: Slices) -> NDArray[Any]:
        return numbers(fetch(box), file)

    dtype = numbers(np.empty(0, series.dtype), file).dtype
    volume_shape = tuple(shape[axis] for axis in order)
    apart = axes.endswith("C") and order[-1] != len(shape) - 1
    chunks = chunks_of(volume_shape, axes, dtype.itemsize, tile, channels_apart=apart)
    return lazy_array(arranged(fetch_numbers, shape, order), volume_shape, dtype, chunks)


def _mapped(series: tifffile.TiffPageSeries, file: tifffile.TiffFile, offset: int) -> Fetch:
    """Return a fetch for numbers that lie one after the other in the file."""
    path = Path(series.keyframe.parent.filehandle.path)
    stamp, shape = Stamp.of(path), tuple(series.shape)
    dtype = series.dtype.newbyteorder(file.byteorder)
    end = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if stamp.size < end:
        raise EOFError(f"it has {stamp.size} bytes, {end} are expected")

    def fetch(box: Slices) -> NDArray[Any]:
        stamp.check()
        return np.array(np.memmap(path, dtype, "r", offset, shape)[box])

    return fetch


def _paged(series: tifffile.TiffPageSeries) -> Fetch:
    """Return a fetch that reads the strips or tiles of the pages that a box meets."""
    reader = PageReader(series)
    leading = tuple(series.shape)[: series.ndim - len(reader.shape)]

    def fetch(box: Slices) -> NDArray[Any]:
        pages, within = box[: len(leading)], box[len(leading) :]
        data = np.empty([part.stop - part.start for part in box], reader.dtype)
        for place in product(*(range(part.stop - part.start) for part in pages)):
            number = [n + part.start for n, part in zip(place, pages, strict=True)]
            index = int(np.ravel_multi_index(number, leading)) if leading else 0
            data[place] = reader.read(index, within)
        return data

    return fetch
