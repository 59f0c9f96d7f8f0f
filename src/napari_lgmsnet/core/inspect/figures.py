"""Figures for papers and reports, drawn by matplotlib without any window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.maps import CoarseMap
from napari_lgmsnet.core.inspect.planes import plane_of
from napari_lgmsnet.core.io.atomic import atomic_path, ending

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")
_OUTLINE = "#00e5ff"
_ROUND = (1, 2, 5)


def map_figure(
    coarse: CoarseMap,
    mask: NDArray[np.bool_] | None = None,
    *,
    axis: int | None = None,
    index: int | None = None,
    opacity: float = 0.5,
    colormap: str | None = None,
) -> Figure:
    """Draw a map over its image, with a scale bar and a colour bar.

    Parameters
    ----------
    coarse : CoarseMap
    mask : bool array (*S), optional
        Drawn as an outline.
    axis, index : int, optional
        Which slice of a volume, as for :func:`~napari_lgmsnet.core.inspect.planes.plane_of`.
    opacity : float
        Of the map, 0 to 1.
    colormap : str, optional
        One of matplotlib's; without it, inferno, or blue to red around zero for differences.

    Returns
    -------
    matplotlib Figure
        Every cell is drawn where it lies, not resampled. Colours are the same in all slices.

    Raises
    ------
    InputError
        If there is no such slice or colour map, or the mask is that of another image.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if colormap is not None and colormap not in matplotlib.colormaps:
        raise InputError(f'no colour map is called "{colormap}": choose one of matplotlib\'s')
    plane = plane_of(coarse, mask, axis, index)
    aspect = plane.pixel[0] / plane.pixel[1]
    figure = Figure(figsize=(5.5, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(plane.image, cmap="gray", aspect=aspect, extent=plane.image_extent)
    if plane.cells is not None:
        low, high = _range(coarse)
        drawn = axes.imshow(
            plane.cells,
            cmap=colormap or ("coolwarm" if coarse.signed else "inferno"),
            vmin=low,
            vmax=high,
            alpha=opacity,
            aspect=aspect,
            extent=plane.cells_extent,
            interpolation="nearest",
        )
        if not coarse.colours:
            bar = figure.colorbar(drawn, ax=axes, shrink=0.8, label=coarse.kind)
            if bar.solids is not None:  # as strong as the map would be without the image
                bar.solids.set_alpha(1.0)
    if plane.mask is not None and plane.mask.any() and not plane.mask.all():
        axes.contour(plane.mask.astype(float), levels=[0.5], colors=[_OUTLINE], linewidths=1.0)
    axes.set(xlim=plane.limits[0], ylim=plane.limits[1])
    _scale_bar(axes, plane.pixel[1], "mm" if coarse.volume.units == "mm" else "pixels")
    axes.set_axis_off()
    axes.set_title(f"{coarse.volume.name}: {coarse.stage}{plane.where}", fontsize=10)
    return figure


def save_figure(path: Path, figure: Figure, *, overwrite: bool = False, dpi: int = 200) -> None:
    """Write a figure as PNG or SVG, as the file's ending says.

    Raises
    ------
    InputError
        If the ending is another one, the file exists, or it cannot be written.
    """
    kind = ending(path)
    if kind not in ENDINGS:
        raise InputError(f'"{path}" is no name for a figure: use one of {", ".join(ENDINGS)}')
    import matplotlib

    # Equal figures give equal files, and text in an SVG stays text.
    settings: Any = {"svg.hashsalt": "napari-lgmsnet", "svg.fonttype": "none"}
    metadata: dict[str, Any] = {"Date": None} if kind == ".svg" else {"Software": None}
    with matplotlib.rc_context(settings), atomic_path(path, overwrite) as temporary:
        figure.savefig(temporary, format=kind[1:], dpi=dpi, metadata=metadata)


def _range(coarse: CoarseMap) -> tuple[float | None, float | None]:
    """Return the values of the two ends of the colour bar."""
    if coarse.colours:
        return None, None
    low, high = float(np.nanmin(coarse.data)), float(np.nanmax(coarse.data))
    if coarse.signed:
        high = max(abs(low), abs(high))
        low = -high
    return low, high


def _scale_bar(axes: Axes, pixel: float, unit: str) -> None:
    """Draw a bar of a round length, about a fifth of the image's width."""
    left, right = axes.get_xlim()
    width = abs(right - left)
    wanted = width * pixel / 5
    power = 10.0 ** np.floor(np.log10(wanted))
    length = max(n * power for n in _ROUND if n * power <= wanted)
    end = 0.05 + length / pixel / width
    axes.plot([0.05, end], [0.05, 0.05], color="white", lw=3, transform=axes.transAxes)
    axes.text(
        (0.05 + end) / 2, 0.07, f"{length:g} {unit}",
        color="white", ha="center", va="bottom", fontsize=9, transform=axes.transAxes,
    )  # fmt: skip
