"""Plots of the Inspect widget, drawn in the background."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.theme import get_theme

from napari_lgmsnet.adapters.inspect_jobs import MaskPart
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from napari import Viewer

    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.core.inspect.numbers import Row
    from napari_lgmsnet.core.inspect.redundancy import Spectrum

REDUNDANCY = "redundancy"
"""What is plotted that is no measure against a mask."""
WIDTH, DOTS, LETTERS = 3.7, 192, 8
"""Inches that a dock is wide, dots of an inch, and the size of letters: as those beside them."""


@dataclass(frozen=True)
class Plotted:
    """A plot of all stages.

    Parameters
    ----------
    what : str
        A measure, or REDUNDANCY.
    rows : list of Row
        Of all stages and classes.
    spectra : mapping of str to Spectrum
        Of all stages.
    picture : bytes
        A PNG; empty if the mask is.
    """

    what: str
    rows: list[Row] = field(default_factory=list)
    spectra: Mapping[str, Spectrum] = field(default_factory=dict)
    picture: bytes = b""


def ink_of(viewer: Viewer) -> str:
    """Return the colour of letters in a viewer's window."""
    return str(get_theme(viewer.theme).text.as_hex())


def plot(
    inspection: Inspection,
    what: str,
    mask: MaskPart | None,
    reduce: str,
    ink: str,
    known: Mapping[str, Spectrum],
) -> Generator[Progress, None, Plotted]:
    """Run the network for all stages if need be, score them, and draw.

    Parameters
    ----------
    inspection : Inspection
    what : str
        A measure, or REDUNDANCY, which needs no mask.
    mask : MaskPart, optional
    reduce : str
        A single channel means nothing across stages: their mean is taken for it.
    ink : str
        Colour of lines and letters.
    known : mapping of str to Spectrum
        Of an earlier plot of this inspection.
    """
    from napari_lgmsnet.core.inspect.numbers import number_stages

    yield from inspection.load(stage.name for stage in inspection.stages)
    labels = None if mask is None else mask.read()
    reduce = "mean" if reduce == "channel" else reduce
    rows, spectra = number_stages(inspection, labels, reduce, spectra=known)
    drawn = what == REDUNDANCY or any(np.isfinite(row.energy) for row in rows)
    picture = png_of(stage_plot(what, rows, spectra), ink) if drawn else b""
    return Plotted(what, rows, spectra, picture)


def stage_plot(what: str, rows: list[Row], spectra: Mapping[str, Spectrum]) -> Figure:
    """Draw a plot of all stages for paper."""
    from napari_lgmsnet.core.inspect.plots import spectrum_figure, stage_figure

    return spectrum_figure(spectra) if what == REDUNDANCY else stage_figure(rows, what)


def share_plot(rows: list[Row], measure: str, class_name: str) -> Figure:
    """Draw how a measure spreads over images, for paper."""
    from napari_lgmsnet.core.inspect.plots import share_figure

    return share_figure(rows, measure, class_name)


def share_picture(
    rows: list[Row], measure: str, class_name: str, ink: str
) -> Generator[Progress, None, bytes]:
    """Draw how a measure spreads over images, as a PNG for a dock."""
    yield Progress(0, 0, "drawing")
    return png_of(share_plot(rows, measure, class_name), ink)


def png_of(figure: Figure, ink: str) -> bytes:
    """Return a figure as a PNG for a dock."""
    from io import BytesIO

    from napari_lgmsnet.core.inspect.plots import tinted

    width, height = figure.get_size_inches()
    figure.set_size_inches(WIDTH, WIDTH * height / width)
    for axes in figure.axes:
        axes.tick_params(labelsize=LETTERS)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize(LETTERS)
    file = BytesIO()
    tinted(figure, ink).savefig(file, format="png", dpi=DOTS)
    return file.getvalue()
