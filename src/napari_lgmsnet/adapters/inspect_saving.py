"""Writing what the Inspect widget shows, in the background."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_lgmsnet.adapters.inspect_jobs import MaskPart
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_lgmsnet.core.inspect.maps import CoarseMap
    from napari_lgmsnet.core.inspect.numbers import Row
    from napari_lgmsnet.core.inspect.redundancy import Spectrum


def save_map(
    path: Path, coarse: CoarseMap, mask: MaskPart | None, plane: tuple[int | None, int | None]
) -> Generator[Progress, None, Path]:
    """Write a map as a figure (PNG, SVG) or as data on the image's grid (NIfTI, TIFF).

    Parameters
    ----------
    path : Path
        Its ending decides.
    coarse : CoarseMap
    mask : MaskPart, optional
        Drawn as an outline into figures.
    plane : pair of (int or None)
        Of a volume: across which axis, and at which index, a figure cuts.
    """
    yield Progress(0, 0, f'writing "{path.name}"')
    from napari_lgmsnet.core.inspect.figures import ENDINGS, map_figure, save_figure
    from napari_lgmsnet.core.io import write

    if path.suffix.lower() in ENDINGS:
        axis, index = plane
        inside = None if mask is None else mask.read() != 0
        save_figure(path, map_figure(coarse, inside, axis=axis, index=index), overwrite=True)
    else:
        write(path, coarse.on_grid(), overwrite=True)
    return path


def save_numbers(
    path: Path, rows: Sequence[Row], *, summary: bool = False
) -> Generator[Progress, None, Path]:
    """Write rows as CSV, or their means and quartiles over images."""
    yield Progress(0, 0, f'writing "{path.name}"')
    from napari_lgmsnet.core.inspect.numbers import summarise, write_table

    write_table(path, summarise(rows) if summary else rows, overwrite=True)
    return path


def save_spectra(
    path: Path, case: str, spectra: Mapping[str, Spectrum]
) -> Generator[Progress, None, Path]:
    """Write singular values of an image's stages as CSV."""
    yield Progress(0, 0, f'writing "{path.name}"')
    from napari_lgmsnet.core.inspect.numbers import spectrum_records, write_records

    write_records(path, spectrum_records(case, spectra), overwrite=True)
    return path


def save_plot(path: Path, draw: Callable[[], Figure]) -> Generator[Progress, None, Path]:
    """Write a plot as PNG or SVG."""
    yield Progress(0, 0, f'writing "{path.name}"')
    from napari_lgmsnet.core.inspect.figures import save_figure

    save_figure(path, draw(), overwrite=True)
    return path
