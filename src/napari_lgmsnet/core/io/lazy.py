"""Arrays that stay in their file until a part of them is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.axes import take_axes

LAZY_ABOVE = 500_000_000
"""Bytes of decoded data above which ``lazy="auto"`` leaves them in the file."""

CHUNK = 4 * 2**20
"""Bytes of a chunk where the slices are larger than that."""
SMALLEST_CHUNK = 2**18
"""Bytes of a chunk where the slices are smaller than that."""

Slices = tuple[slice, ...]
Fetch = Callable[[Slices], NDArray[Any]]
"""Reads a box, given as one slice with start and stop for each axis."""


@dataclass(frozen=True)
class Stamp:
    """Which state of a file was opened: what is read later must come from the same one.

    Parameters
    ----------
    path : pathlib.Path
    size : int
    written : int
        Time of the last change, in nanoseconds.
    """

    path: Path
    size: int
    written: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return the state that a file has now."""
        state = path.stat()
        return cls(path, state.st_size, state.st_mtime_ns)

    def check(self) -> None:
        """Raise if the file was changed or removed since.

        Raises
        ------
        FileFormatError
        """
        try:
            same = Stamp.of(self.path) == self
        except OSError as error:
            raise FileFormatError(
                f'"{self.path}" can no longer be opened ({error.strerror}): it is read piece by '
                "piece, so keep it in its place while it is open"
            ) from error
        if not same:
            raise FileFormatError(f'"{self.path}" was changed since it was opened: open it again')


class Stored:
    """An array in a file, in the shape that numpy's indexing and dask expect.

    Parameters
    ----------
    fetch : callable
    shape : tuple of int
    dtype : numpy dtype
    """

    def __init__(self, fetch: Fetch, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._fetch = fetch
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part.

        Parameters
        ----------
        key : int, slice or list of int, or tuple of them
            Steps are positive, and there is one list at most: so dask asks.
        """
        key = key if isinstance(key, tuple) else (key,)
        key += (slice(None),) * (self.ndim - len(key))
        box: list[slice] = []
        within: list[Any] = []
        for part, size in zip(key, self.shape, strict=True):
            if isinstance(part, slice):
                start, stop, step = part.indices(size)
                box.append(slice(start, max(start, stop)))
                within.append(slice(None, None, step))
            else:
                numbers = np.asarray(part)
                start = int(numbers.min(initial=size))
                box.append(slice(start, int(numbers.max(initial=start - 1)) + 1))
                within.append(numbers - start)
        data = self._fetch(tuple(box))
        for axis in reversed(range(self.ndim)):  # an axis that goes shifts none before it
            data = data[(slice(None),) * axis + (within[axis],)]
        return data


def lazy_array(fetch: Fetch, shape: tuple[int, ...], dtype: Any, chunks: tuple[int, ...]) -> Any:
    """Return a dask array whose parts are read from a file when they are computed.

    Parameters
    ----------
    fetch : callable
        Gets exactly the box that a computation needs, which may be smaller than a chunk.
    shape : tuple of int
    dtype : numpy dtype
        What ``fetch`` returns.
    chunks : tuple of int
        The largest chunk; what computes all of the array reads in these pieces.

    Returns
    -------
    dask.array.Array
    """
    from dask import array as dask_array

    dtype = np.dtype(dtype)
    meta = np.empty((0,) * len(shape), dtype)
    # Without a name of its own, dask would read all of it to tell it from other arrays.
    return dask_array.from_array(Stored(fetch, shape, dtype), chunks=chunks, name=False, meta=meta)


def chunks_of(
    shape: tuple[int, ...],
    axes: str,
    itemsize: int,
    tile: tuple[int, int] = (1, 0),
    *,
    channels_apart: bool = False,
) -> tuple[int, ...]:
    """Return chunks of one slice each, where these are neither very small nor very large.

    Parameters
    ----------
    shape : tuple of int
    axes : str
        As for :class:`~napari_lgmsnet.core.types.Volume`.
    itemsize : int
        Bytes of a number.
    tile : tuple of int
        Rows and columns that the file stores together; 0 for all columns.
    channels_apart : bool
        Whether the file stores each channel by itself.

    Returns
    -------
    tuple of int
    """
    sizes = dict(zip(axes, shape, strict=True))
    chunk = dict.fromkeys(axes, 1)
    chunk["C"] = 1 if channels_apart else sizes.get("C", 1)
    rows, columns = tile[0], tile[1] or sizes["X"]
    pixel = itemsize * chunk["C"]
    chunk["Y"], chunk["X"] = sizes["Y"], sizes["X"]
    if sizes["Y"] * sizes["X"] * pixel > 4 * CHUNK:
        side = max(1, int((CHUNK / pixel) ** 0.5))
        chunk["X"] = min(sizes["X"], columns * max(1, side // columns))
        high = max(1, CHUNK // (pixel * chunk["X"]))
        chunk["Y"] = min(sizes["Y"], rows * max(1, high // rows))
    if "Z" in chunk:
        plane = max(1, chunk["Y"] * chunk["X"] * pixel)
        chunk["Z"] = min(sizes["Z"], max(1, SMALLEST_CHUNK // plane))
    return tuple(chunk[letter] for letter in axes)


def arranged(fetch: Fetch, shape: tuple[int, ...], order: tuple[int, ...]) -> Fetch:
    """Return a fetch for other axes than those of the file.

    Parameters
    ----------
    fetch : callable
        Takes a box along the file's axes.
    shape : tuple of int
        The file's.
    order : tuple of int
        The file's axis for each axis that is wanted; those left out have length 1.
    """

    def fetch_arranged(box: Slices) -> NDArray[Any]:
        stored = [slice(0, 1)] * len(shape)
        for axis, part in zip(order, box, strict=True):
            stored[axis] = part
        return take_axes(fetch(tuple(stored)), order)

    return fetch_arranged
