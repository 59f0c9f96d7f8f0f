"""Series of which only the slices that are asked for are decoded."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.io.dicom.pixels import decode
from napari_lgmsnet.core.io.dicom.series import DicomSeries
from napari_lgmsnet.core.io.lazy import Slices, Stamp, chunks_of, lazy_array
from napari_lgmsnet.core.types import Volume


def lazy_volume(series: DicomSeries) -> Volume:
    """Return a series with its pixels left in the files.

    Returns
    -------
    Volume
        Its data are a dask array with the numbers that :meth:`DicomSeries.read` returns.
    """
    frames, shape, axes = series.arrangement.frames, series.shape, series.arrangement.axes
    lead = axes.index("Y")
    places = np.arange(len(frames)).reshape(shape[:lead])
    stamps = {path: Stamp.of(path) for path in {frame.path for frame in frames}}

    def fetch(box: Slices) -> NDArray[Any]:
        chosen = places[box[:lead]]
        wanted = [frames[place] for place in chosen.ravel()]
        planes = []
        for path, group in groupby(wanted, lambda frame: frame.path):
            stamps[path].check()
            planes += [plane[box[lead:]] for plane in decode(list(group), series.dtype)]
        inside = tuple(part.stop - part.start for part in box[lead:])
        data = np.array(planes, dtype=series.dtype)
        return data.reshape(*chosen.shape, *inside)

    chunks = chunks_of(shape, axes, series.dtype.itemsize)
    return series.volume(lazy_array(fetch, shape, series.dtype, chunks))
