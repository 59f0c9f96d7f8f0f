"""Parts of the pages of a TIFF file, decoded strip by strip or tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.io.lazy import Slices, Stamp
from napari_lgmsnet.core.io.tiff import READ_ERRORS, failed

if TYPE_CHECKING:
    import tifffile

_JPEG = (6, 7, 34892, 33007)  # kinds of compression whose tables may stand beside the pages


@dataclass(frozen=True)
class _Page:
    """Where the strips or tiles of a page lie."""

    stamp: Stamp
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    options: dict[str, Any]


def can_read_in_parts(series: tifffile.TiffPageSeries) -> bool:
    """Return whether a series is stored in the usual way, so that a part can be decoded alone."""
    page = series.keyframe
    plain = series.transform is None and getattr(page, "jpegheader", None) is None
    count = len(page.shape)
    pages = int(np.prod(series.shape[: series.ndim - count], dtype=np.int64))
    return (
        plain
        and (page.is_final or not page.is_contiguous)
        and tuple(series.shape[series.ndim - count :]) == tuple(page.shape)
        and pages == len(series)
    )


class PageReader:
    """Reads parts of pages; between two reads the file is closed.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Of an opened file.

    Attributes
    ----------
    shape : tuple of int
        Of a page.
    dtype : numpy dtype
    """

    def __init__(self, series: tifffile.TiffPageSeries) -> None:
        page = series.keyframe
        self._keyframe = page
        self.shape: tuple[int, ...] = tuple(page.shape)
        self.dtype: np.dtype[Any] = np.dtype(series.dtype)
        self._rows, self._columns = page.axes.index("Y"), page.axes.index("X")
        stamps: dict[str, Stamp] = {}
        self._pages = [None if one is None else _page(one, stamps) for one in series]
        # Where each strip or tile begins (sample plane, depth, row, column), and its size.
        count = 1 if page.is_final else int(np.prod(page.chunked))
        places = [page.decode(None, i)[1:] for i in range(0 if page.is_final else count)]
        self._starts = np.array([place[:4] for place, _ in places]).reshape(-1, 4)
        self._sizes = np.array([size[:3] for _, size in places]).reshape(-1, 3)
        first = next((one for one in self._pages if one is not None), None)
        if first is not None and not page.is_final:
            # A missing codec or a damaged file should show on opening.
            with first.stamp.path.open("rb") as file:
                self._decoded(file, first, 0)

    def read(self, index: int, box: Slices) -> NDArray[Any]:
        """Read a part of a page.

        Parameters
        ----------
        index : int
            Number of the page in the series.
        box : tuple of slice
            One for each axis of a page.

        Raises
        ------
        FileFormatError
            If the file is damaged, or was changed since it was opened.
        """
        page = self._pages[index]
        rows, columns = box[self._rows], box[self._columns]
        samples, depth, _, _, colours = self._keyframe.shaped
        size = (samples, depth, rows.stop - rows.start, columns.stop - columns.start, colours)
        data = np.zeros(size, self.dtype)
        if page is not None:
            page.stamp.check()
            try:
                self._fill(data, page, rows, columns)
            except READ_ERRORS as error:
                raise failed(page.stamp.path, error) from error
        shape = list(self.shape)
        shape[self._rows], shape[self._columns] = size[2], size[3]
        rest = list(box)
        rest[self._rows] = rest[self._columns] = slice(None)
        return data.reshape(shape)[tuple(rest)]

    def _fill(self, data: NDArray[Any], page: _Page, rows: slice, columns: slice) -> None:
        keyframe, path = self._keyframe, page.stamp.path
        if keyframe.is_final:
            stored = self.dtype.newbyteorder(keyframe.parent.byteorder)
            mapped = np.memmap(path, stored, "r", page.offsets[0], tuple(keyframe.shaped))
            data[:] = mapped[:, :, rows, columns]
            return
        ends = self._starts[:, 1:] + self._sizes
        met = (self._starts[:, 2] < rows.stop) & (ends[:, 1] > rows.start)
        met &= (self._starts[:, 3] < columns.stop) & (ends[:, 2] > columns.start)
        with path.open("rb") as file:
            for segment in np.flatnonzero(met):
                self._paste(data, file, page, int(segment), rows, columns)

    def _paste(
        self, data: NDArray[Any], file: Any, page: _Page, segment: int, rows: slice, columns: slice
    ) -> None:
        """Decode a strip or tile and copy what of it lies in the box."""
        decoded, (sample, depth, row, column, _), size = self._decoded(file, page, segment)
        _, deep, length, width, _ = self._keyframe.shaped
        top, left = max(row, rows.start), max(column, columns.start)
        bottom = min(row + size[1], rows.stop, length)
        right = min(column + size[2], columns.stop, width)
        layers = slice(depth, min(depth + size[0], deep))
        target = data[
            sample,
            layers,
            top - rows.start : bottom - rows.start,
            left - columns.start : right - columns.start,
        ]
        if decoded is None:
            target[:] = self._keyframe.nodata
        else:
            inside = decoded[: layers.stop - layers.start]
            target[:] = inside[:, top - row : bottom - row, left - column : right - column]

    def _decoded(self, file: Any, page: _Page, segment: int) -> Any:
        length = page.counts[segment] if segment < len(page.counts) else 0
        content = None
        if length:
            file.seek(page.offsets[segment])
            content = file.read(length)
        return self._keyframe.decode(content, segment, **page.options)


def _page(page: tifffile.TiffPage | tifffile.TiffFrame, stamps: dict[str, Stamp]) -> _Page:
    """Return where a page lies, which may be in another file of the same series."""
    handle = page.parent.filehandle
    stamp = stamps.setdefault(handle.path, Stamp.of(Path(handle.path)))
    ends = [start + n for start, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if max(ends, default=0) > stamp.size:
        raise EOFError(f"it has {stamp.size} bytes, {max(ends)} are expected")
    options: dict[str, Any] = {}
    keyframe = page.keyframe
    if keyframe is not None and keyframe.compression in _JPEG:
        options = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
    return _Page(stamp, tuple(page.dataoffsets), tuple(page.databytecounts), options)
