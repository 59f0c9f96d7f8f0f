"""Files in; maps, tables and figures out, without a window."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.core.inspect.attention import AttentionMaps
from napari_lgmsnet.core.inspect.compare import compare
from napari_lgmsnet.core.inspect.features import Features, iterate
from napari_lgmsnet.core.inspect.gradcam import grad_cam
from napari_lgmsnet.core.inspect.inspection import inspect
from napari_lgmsnet.core.inspect.maps import CoarseMap, check_reduction
from napari_lgmsnet.core.inspect.numbers import Record, Row, rows_of
from napari_lgmsnet.core.inspect.occlusion import occlude, occlusion_map
from napari_lgmsnet.core.inspect.redundancy import Spectrum
from napari_lgmsnet.core.inspect.scores import classes_in, count, rank_channels, score
from napari_lgmsnet.core.inspect.stages import block_named, stage_named
from napari_lgmsnet.core.inspect.targets import class_named
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Progress, Volume


@dataclass(frozen=True)
class Wishes:
    """What is to be made of every image.

    Parameters
    ----------
    stages : tuple of str
        Maps of these, by ``reduce`` (and ``channel``); the first one is that of ``gradcam`` and
        ``other``.
    reduce : str
    channel : int, optional
    box : tuple of slice, optional
        Look at this part only.
    frame : int, optional
        Of time series: which one.
    point : tuple of float, optional
        Attention of this point, in ``block`` and ``head``.
    block : str
    head : int, optional
    class_name : str
        What ``gradcam``, ``occlude`` and ``occlusion`` ask about; the first class without it.
    on_mask : bool
        They ask about where the mask shows the class, not about where the network finds it.
    gradcam, occlusion : bool
        Whether these maps are made.
    occlude : tuple of slice, optional
        Cover this part, and say what changes. Like ``point`` it is counted on the whole image,
        also if only a ``box`` of it is looked at.
    other : Model, optional
        A second checkpoint to compare with.
    settings : PredictSettings
    """

    stages: tuple[str, ...]
    reduce: str = "mean"
    channel: int | None = None
    box: Box | None = None
    frame: int | None = None
    point: tuple[float, ...] | None = None
    block: str = "encoder5"
    head: int | None = None
    class_name: str = ""
    on_mask: bool = False
    gradcam: bool = False
    occlusion: bool = False
    occlude: tuple[slice, ...] | None = None
    other: Model | None = None
    settings: PredictSettings = field(default_factory=PredictSettings)

    def check(self, model: Model) -> None:
        """Refuse what cannot be asked of a checkpoint, before any image is read.

        Raises
        ------
        InputError
            If there is no such stage, block, class or reduction.
        """
        check_reduction(self.reduce, self.channel)
        for one in (model, *([self.other] if self.other else [])):
            for stage in self.stages:
                stage_named(one.network, stage)
        if self.point is not None:
            block_named(model.network, self.block)
        class_named(model.info, self.class_name)
        if self.other is not None and self.reduce == "components":
            raise InputError(
                "colours of two networks cannot be compared: choose the mean or the norm"
            )


@dataclass
class Case:
    """What was made of one image.

    Parameters
    ----------
    name : str
    maps : dict of str to CoarseMap
        By what their files are called.
    rows : list of Row
    spectra : dict of str to Spectrum
    ranking, occlusions : list of dict
        Rows of their tables.
    mask : Volume, optional
        On the image (or the part of it that was looked at).
    """

    name: str
    maps: dict[str, CoarseMap]
    rows: list[Row]
    spectra: dict[str, Spectrum]
    ranking: list[Record] = field(default_factory=list)
    occlusions: list[Record] = field(default_factory=list)
    mask: Volume | None = None


def inspect_file(
    model: Model, source: Path, mask: Path | None, wishes: Wishes
) -> Generator[Progress, None, Case]:
    """Read one image and make everything that is wished for.

    Yields
    ------
    Progress

    Returns
    -------
    Case

    Raises
    ------
    LGMSNetError
        If a file cannot be read, or something wished for cannot be made of it.
    """
    volume = read(source)
    labels = read_labels(mask) if mask is not None else None
    if wishes.frame is not None:
        volume = volume.frame(wishes.frame)
        if labels is not None and labels.axes.startswith("T"):
            labels = labels.frame(wishes.frame)
    found = yield from iterate(
        model,
        volume,
        labels,
        box=wishes.box,
        stages=wishes.stages,
        reduce=wishes.reduce,
        channel=wishes.channel,
        settings=wishes.settings,
    )
    name = split_suffix(source)[0]
    maps = {f"{stage}_{_tag(wishes)}": coarse for stage, coarse in found.maps.items()}
    case = Case(name, maps, list(found.numbers), found.spectra, mask=found.mask)
    yield from _ask_further(case, found, wishes)
    if wishes.other is not None:
        yield from _compare(case, found, wishes, wishes.other)
    return case


def _ask_further(case: Case, found: Features, wishes: Wishes) -> Generator[Progress, None, None]:
    inspection, info = found.inspection, found.inspection.model.info
    number = class_named(info, wishes.class_name)
    name = info.classes[number].name
    stage = wishes.stages[0]
    region = _region(found, name) if wishes.on_mask else None
    if wishes.point is not None:
        attention = AttentionMaps(inspection)
        point = tuple(_moved(wishes.point, found, wishes))
        yield from attention.prepare(point)
        head = "" if wishes.head is None else f"_head{wishes.head}"
        where = attention.at(point, wishes.block, wishes.head)
        _add(case, found, f"{wishes.block}_attention{head}", where.map)
    if wishes.gradcam:
        coarse = yield from grad_cam(inspection, stage, number, region)
        _add(case, found, f"{stage}_gradcam", coarse)
    if wishes.occlusion:
        coarse = yield from occlusion_map(inspection, number, region)
        _add(case, found, "occlusion", coarse)
    if wishes.occlude is not None:
        starts = _moved([cut.start for cut in wishes.occlude], found, wishes)
        stops = _moved([cut.stop for cut in wishes.occlude], found, wishes)
        ends = zip(starts, stops, strict=True)
        part = tuple(slice(max(0, int(start)), max(0, int(stop))) for start, stop in ends)
        result = yield from occlude(inspection, part, number, region)
        box = ",".join(f"{cut.start}:{cut.stop}" for cut in wishes.occlude)
        figures = {"before": result.before, "after": result.after, "drop": result.drop}
        case.occlusions.append({"case": case.name, "class": name, "box": box, **figures})
    if found.mask is not None:
        inside = found.mask.data != 0
        if inside.any() and not inside.all():
            ranked = yield from rank_channels(inspection, stage, inside)
            case.ranking += [
                {"case": case.name, "stage": stage, "channel": channel, "auc": auc}
                for channel, auc in ranked
            ]


def _tag(wishes: Wishes) -> str:
    return f"channel{wishes.channel}" if wishes.reduce == "channel" else wishes.reduce


def _moved(index: Sequence[float], found: Features, wishes: Wishes) -> list[float]:
    """Return an index of the whole image as one of the part that is looked at."""
    count = found.inspection.volume.ndim_spatial
    if len(index) != count:
        raise InputError(f"this image has {count} axes, got numbers for {len(index)}")
    starts = [cut.start if isinstance(cut, slice) else cut for cut in wishes.box or ()]
    return [i - (start or 0) for i, start in zip(index, starts or [0] * count, strict=True)]


def _region(found: Features, name: str) -> NDArray[np.bool_]:
    """Return where the mask shows a class."""
    if found.mask is None:
        raise InputError("there is no mask to ask about: give one, or ask about the prediction")
    background: NDArray[np.bool_] = found.mask.data == 0
    return classes_in(found.inspection, found.mask).get(name, background)


def _compare(
    case: Case, found: Features, wishes: Wishes, other: Model
) -> Generator[Progress, None, None]:
    inspection = found.inspection
    second = yield from inspect(other, inspection.volume, wishes.stages, wishes.settings)
    for stage in wishes.stages:
        both = compare(
            inspection, second, stage, wishes.reduce, channel=wishes.channel, mask=found.mask
        )
        case.maps[f"{stage}_{_tag(wishes)}_second"] = both.second
        case.maps[f"{stage}_{_tag(wishes)}_difference"] = both.difference
        case.rows += [row for row in both.rows if row.checkpoint != inspection.model.info.name]


def _add(case: Case, found: Features, tag: str, coarse: CoarseMap) -> None:
    """Keep a map, and score it if there is a mask."""
    case.maps[tag] = coarse
    if found.mask is not None:
        classes = classes_in(found.inspection, found.mask)
        scores = {
            name: score(coarse.data, count(coarse.cells, inside))
            for name, inside in classes.items()
        }
        case.rows += rows_of(found.inspection, coarse.stage, coarse.kind, scores)
