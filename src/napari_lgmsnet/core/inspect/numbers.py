"""Foreground attention in numbers: rows of a table, its CSV, and a summary over cases."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.inspect.inspection import Inspection
from napari_lgmsnet.core.inspect.maps import reduced
from napari_lgmsnet.core.inspect.redundancy import Spectrum, spectrum
from napari_lgmsnet.core.inspect.scores import Score, classes_in, count, score
from napari_lgmsnet.core.inspect.stages import IN_ORDER
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.types import Volume

Record = dict[str, object]
"""A row of a table: column -> value."""

MEASURES = ("energy", "pointing", "auc", "dice", "iou")
"""What :class:`Score` tells of a map, without the share of the foreground itself."""


@dataclass(frozen=True)
class Row:
    """One map of one case against one class.

    Parameters
    ----------
    case, checkpoint : str
        Names.
    stage, reduce : str
        Which map.
    class_name : str
        Empty without a mask.
    foreground, energy, pointing, auc, dice, iou : float
        As in :class:`~napari_lgmsnet.core.inspect.scores.Score`.
    effective_rank : float
        Of the stage; NaN for maps that are no stage's.
    channels : int
        Of the stage; 0 for maps that are no stage's.
    """

    case: str
    checkpoint: str
    stage: str
    reduce: str
    class_name: str
    foreground: float
    energy: float
    pointing: float
    auc: float
    dice: float
    iou: float
    effective_rank: float
    channels: int


@dataclass(frozen=True)
class Summary:
    """A measure over cases.

    Parameters
    ----------
    checkpoint, stage, reduce, class_name, measure : str
    cases : int
        Those with foreground.
    mean, median, low, high : float
        ``low`` and ``high`` are the quartiles.
    """

    checkpoint: str
    stage: str
    reduce: str
    class_name: str
    measure: str
    cases: int
    mean: float
    median: float
    low: float
    high: float


def number_stages(
    inspection: Inspection,
    mask: Volume | NDArray[np.integer] | None,
    reduce: str = "mean",
    channel: int | None = None,
    spectra: Mapping[str, Spectrum] | None = None,
) -> tuple[list[Row], dict[str, Spectrum]]:
    """Score every loaded stage of an image.

    Parameters
    ----------
    inspection : Inspection
    mask : Volume or integer array (*S), optional
        On the image's grid. Without it the effective rank is all that can be told.
    reduce : str
        As for :func:`~napari_lgmsnet.core.inspect.maps.stage_map`. Colours cannot be scored:
        for ``components`` the L2 norm is, and the row says so.
    channel : int, optional
    spectra : mapping of str to Spectrum, optional
        Those that an earlier call returned for this inspection: they do not depend on the mask.

    Returns
    -------
    rows : list of Row
        In the order in which an image passes the stages.
    spectra : dict of str to Spectrum
        Of each stage.

    Raises
    ------
    InputError
        If the mask is that of another image.
    """
    classes = classes_in(inspection, mask) if mask is not None else {}
    scored = "norm" if reduce == "components" else reduce
    words = f"channel {channel}" if scored == "channel" else scored
    rows, known = [], dict(spectra or {})
    for stage in (name for name in IN_ORDER if inspection.has(name)):
        features, cells = inspection.features(stage), inspection.cells(stage)
        if stage not in known:
            known[stage] = spectrum(features)
        values = reduced(features, scored, channel) if classes else np.zeros(cells.shape)
        scores = {name: score(values, count(cells, inside)) for name, inside in classes.items()}
        rows += rows_of(inspection, stage, words, scores, known[stage])
    return rows, known


def rows_of(
    inspection: Inspection,
    stage: str,
    reduce: str,
    scores: dict[str, Score],
    spectrum: Spectrum | None = None,
) -> list[Row]:
    """Return a row for each class, or one without scores if there is no class."""
    rank = spectrum.effective_rank if spectrum is not None else float("nan")
    channels = spectrum.channels if spectrum is not None else 0
    of_classes = scores or {"": Score(*(float("nan"),) * 6)}
    names = inspection.volume.name, inspection.model.info.name
    return [
        Row(
            *names, stage, reduce, class_name, **asdict(one), effective_rank=rank, channels=channels
        )
        for class_name, one in of_classes.items()
    ]


def spectrum_records(case: str, spectra: Mapping[str, Spectrum]) -> list[Record]:
    """Return a row for each singular value of a case, with the effective rank of its stage."""
    return [
        {
            "case": case,
            "stage": stage,
            "channels": one.channels,
            "effective rank": one.effective_rank,
            "number": number,
            "singular value": float(value),
        }
        for stage, one in spectra.items()
        for number, value in enumerate(one.values, start=1)
    ]


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """Return mean, median and quartiles over cases, of each measure, stage and class.

    Cases without foreground are left out.
    """
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        key = (row.checkpoint, row.stage, row.reduce, row.class_name)
        groups.setdefault(key, []).append(row)
    summaries = []
    for key, members in groups.items():
        for measure in ("foreground", *MEASURES, "effective_rank"):
            values = np.array([getattr(row, measure) for row in members], dtype=np.float64)
            values = values[np.isfinite(values)]
            if values.size:
                low, median, high = np.percentile(values, (25, 50, 75))
                figures = (float(f) for f in (values.mean(), median, low, high))
                summaries.append(Summary(*key, measure, values.size, *figures))
    return summaries


def write_table(
    path: Path, rows: Sequence[Row] | Sequence[Summary], *, overwrite: bool = False
) -> None:
    """Write rows as CSV; cells of what is not known stay empty.

    Raises
    ------
    InputError
        If the file exists, or cannot be written.
    """
    write_records(path, [asdict(row) for row in rows], overwrite=overwrite)


def write_records(path: Path, records: list[dict[str, object]], *, overwrite: bool = False) -> None:
    """Write records with equal keys as CSV; raises as :func:`write_table`."""
    columns = list(records[0]) if records else [field.name for field in fields(Row)]
    with (
        atomic_path(path, overwrite) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in one.items()} for one in records)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else ""
    return value
