"""What the Inspect widget asks in the background. Torch is loaded there, when first needed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.adapters.jobs import Loaded, Request, load
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.attention import AttentionMap, AttentionMaps
    from napari_lgmsnet.core.inspect.compare import Comparison
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.core.inspect.maps import CoarseMap
    from napari_lgmsnet.core.inspect.numbers import Row
    from napari_lgmsnet.core.inspect.occlusion import Occlusion


@dataclass(frozen=True)
class MaskPart:
    """The part of a Labels layer that lies over what was inspected.

    Parameters
    ----------
    data : array-like of int
        The layer's own; it may be lazy.
    box : tuple of int or slice
    """

    data: Any
    box: Box

    def read(self) -> NDArray[np.integer]:
        """Return the labels, along the spatial axes of the image."""
        return np.asarray(self.data[self.box])


@dataclass(frozen=True)
class View:
    """Which map of a stage is wanted.

    Parameters
    ----------
    stage : str
    reduce : str
        One of :data:`~napari_lgmsnet.core.inspect.maps.REDUCTIONS`.
    channel : int, optional
    mask : MaskPart, optional
        What the map is scored against.
    """

    stage: str
    reduce: str = "mean"
    channel: int | None = None
    mask: MaskPart | None = None


@dataclass(frozen=True)
class Seen:
    """A map and its scores.

    Parameters
    ----------
    map : CoarseMap
    rows : list of Row
        One a class; none without a mask.
    channels : int
        Of the stage.
    """

    map: CoarseMap
    rows: list[Row]
    channels: int


@dataclass(frozen=True)
class Plotted:
    """A measure per stage.

    Parameters
    ----------
    rows : list of Row
        Of all stages and classes.
    picture : bytes
        A PNG; empty if nothing was scored.
    """

    rows: list[Row]
    picture: bytes


def look(request: Request, stage: str) -> Generator[Progress, None, tuple[Loaded, Inspection]]:
    """Load the checkpoint if need be, read the part of the image, and run the network.

    Without a stage, or with one that this network does not have, the one after the fourth
    downsampling is read.
    """
    loaded = request.loaded
    if loaded is None or not loaded.fresh:
        loaded = yield from load(request.reference)
    from napari_lgmsnet.core import device
    from napari_lgmsnet.core.inspect.inspection import inspect
    from napari_lgmsnet.core.inspect.stages import FIRST, stages_of
    from napari_lgmsnet.core.prediction import make_settings

    device.set_thread_budget(spare=1)
    settings = make_settings(**request.settings)
    yield Progress(0, 0, "reading the image")
    volume = request.image.read(request.region)
    known = {one.name for one in stages_of(loaded.model.network)}
    wanted = stage if stage in known else FIRST
    inspection = yield from inspect(loaded.model, volume, [wanted], settings)
    return loaded, inspection


def see(inspection: Inspection, view: View) -> Generator[Progress, None, Seen]:
    """Make a map of a stage; the network runs only if the stage is not at hand."""
    from napari_lgmsnet.core.inspect.maps import stage_map
    from napari_lgmsnet.core.inspect.numbers import rows_of
    from napari_lgmsnet.core.inspect.scores import classes_in, count, score

    stage = view.stage
    yield from inspection.load([stage])
    coarse = stage_map(inspection, stage, view.reduce, view.channel)
    channels = len(inspection.stage(stage).data)
    if view.mask is None:
        return Seen(coarse, [], channels)
    # Colours have no size: what is scored for them is the norm, and the row says so.
    reduce = "norm" if coarse.colours else view.reduce
    scored = stage_map(inspection, stage, reduce, view.channel)
    words = f"channel {view.channel}" if reduce == "channel" else reduce
    classes = classes_in(inspection, view.mask.read())
    scores = {
        name: score(scored.data, count(scored.cells, inside)) for name, inside in classes.items()
    }
    return Seen(coarse, rows_of(inspection, stage, words, scores), channels)


def plot(inspection: Inspection, view: View, measure: str) -> Generator[Progress, None, Plotted]:
    """Score every stage against the mask and draw a measure of all of them."""
    from io import BytesIO

    from napari_lgmsnet.core.inspect.numbers import number_stages
    from napari_lgmsnet.core.inspect.plots import stage_figure

    yield from inspection.load(stage.name for stage in inspection.stages)
    yield Progress(0, 0, "scoring the stages")
    mask = view.mask.read() if view.mask is not None else None
    # A number of a channel means nothing across stages.
    reduce = "mean" if view.reduce == "channel" else view.reduce
    rows, _spectra = number_stages(inspection, mask, reduce)
    if not any(np.isfinite(row.energy) for row in rows):
        return Plotted(rows, b"")
    figure = stage_figure(rows, measure)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return Plotted(rows, file.getvalue())


def compare(
    inspection: Inspection, reference: str, view: View
) -> Generator[Progress, None, Comparison]:
    """Look at the same image with another checkpoint, and compare a stage."""
    from napari_lgmsnet.core.inspect.compare import compare as work
    from napari_lgmsnet.core.inspect.inspection import inspect

    other = yield from load(reference)
    yield from inspection.load([view.stage])
    settings = inspection.settings
    second = yield from inspect(other.model, inspection.volume, [view.stage], settings)
    yield Progress(0, 0, "comparing")
    mask = None if view.mask is None else view.mask.read()
    return work(inspection, second, view.stage, view.reduce, channel=view.channel, mask=mask)


def rank(inspection: Inspection, view: View) -> Generator[Progress, None, list[tuple[int, float]]]:
    """Rank a stage's channels by how well they separate the foreground of the mask."""
    from napari_lgmsnet.core.inspect.scores import rank_channels

    assert view.mask is not None
    mask = view.mask.read() != 0
    yield from inspection.load([view.stage])
    return (yield from rank_channels(inspection, view.stage, mask))


def attend(
    maps: AttentionMaps, point: tuple[float, ...], block: str, head: int | None
) -> Generator[Progress, None, AttentionMap]:
    """Find where a point attends; the network runs only if its window was not asked before."""
    if not maps.ready(point):
        yield from maps.prepare(point)
    return maps.at(point, block, head)


def explain(
    inspection: Inspection, stage: str, class_number: int, mask: MaskPart | None
) -> Generator[Progress, None, CoarseMap]:
    """Make a Grad-CAM for a class, over the mask or where the network finds it."""
    from napari_lgmsnet.core.inspect.gradcam import grad_cam

    return (yield from grad_cam(inspection, stage, class_number, _foreground(mask)))


def cover(
    inspection: Inspection, box: tuple[slice, ...], class_number: int, mask: MaskPart | None
) -> Generator[Progress, None, Occlusion]:
    """Cover a box and see what becomes of a class."""
    from napari_lgmsnet.core.inspect.occlusion import occlude

    return (yield from occlude(inspection, box, class_number, _foreground(mask)))


def cover_everywhere(
    inspection: Inspection, class_number: int, mask: MaskPart | None
) -> Generator[Progress, None, CoarseMap]:
    """Cover patch after patch and map what becomes of a class."""
    from napari_lgmsnet.core.inspect.occlusion import occlusion_map

    return (yield from occlusion_map(inspection, class_number, _foreground(mask)))


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
        figure = map_figure(coarse, _foreground(mask), axis=axis, index=index)
        save_figure(path, figure, overwrite=True)
    else:
        write(path, coarse.on_grid(), overwrite=True)
    return path


def save_numbers(path: Path, rows: list[Row]) -> Generator[Progress, None, Path]:
    """Write rows as CSV."""
    yield Progress(0, 0, f'writing "{path.name}"')
    from napari_lgmsnet.core.inspect.numbers import write_table

    write_table(path, rows, overwrite=True)
    return path


def _foreground(mask: MaskPart | None) -> NDArray[np.bool_] | None:
    return None if mask is None else mask.read() != 0
