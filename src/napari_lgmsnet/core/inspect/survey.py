"""Every stage of one or more checkpoints against the masks of several images."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.errors import InputError, LGMSNetError
from napari_lgmsnet.core.inspect.features import mask_on, stage_names
from napari_lgmsnet.core.inspect.inspection import inspect
from napari_lgmsnet.core.inspect.numbers import Row, number_stages
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Progress, Volume


@dataclass(frozen=True)
class SurveyCase:
    """An image with its mask, read when its turn comes.

    Parameters
    ----------
    name : str
        What the case is called in the tables.
    read : callable
        Returns the image and its mask (integers, on the image's grid).
    """

    name: str
    read: Callable[[], tuple[Volume, Volume | NDArray[np.integer]]]


@dataclass(frozen=True)
class Survey:
    """Foreground attention of a set of cases.

    Parameters
    ----------
    rows : list of Row
        Of every case, checkpoint, stage and class.
    failures : dict of str to str
        What could not be done: case -> reason.
    """

    rows: list[Row]
    failures: dict[str, str]


def survey(
    models: Sequence[Model],
    cases: Sequence[SurveyCase],
    reduce: str = "mean",
    settings: PredictSettings | None = None,
) -> Generator[Progress, None, Survey]:
    """Score every stage on every case, as for the paper's figure 1a.

    A case that cannot be used is left out, and said; the others go on. No map is kept, so memory
    does not grow with the number of cases.

    Parameters
    ----------
    models : sequence of Model
        Those of one name are told apart by a number.
    cases : sequence of SurveyCase
    reduce : str
        As for :func:`~napari_lgmsnet.core.inspect.numbers.number_stages`; not a single channel,
        which means nothing across stages.
    settings : PredictSettings, optional

    Yields
    ------
    Progress
        One a window of one image and checkpoint.

    Returns
    -------
    Survey

    Raises
    ------
    InputError
        If there is no case, or a single channel is asked for.
    """
    if not cases:
        raise InputError("no image has a mask: choose images with their masks first")
    if reduce == "channel":
        raise InputError("a channel means nothing across stages: choose the mean or the norm")
    names = _told_apart([model.info.name for model in models])
    named = list(zip(names, models, strict=True))
    rows: list[Row] = []
    failures: dict[str, str] = {}
    for number, case in enumerate(cases):
        step = Progress(number, len(cases), case.name)
        yield step
        try:
            rows += yield from progress.within(
                _rows_of(case, named, reduce, settings or PredictSettings()), step
            )
        except LGMSNetError as error:
            failures[case.name] = str(error)
    return Survey(rows, failures)


def _rows_of(
    case: SurveyCase, models: Sequence[tuple[str, Model]], reduce: str, settings: PredictSettings
) -> Generator[Progress, None, list[Row]]:
    volume, mask = case.read()
    labels = mask_on(volume, mask)
    if not labels.data.any():
        raise InputError("the mask is empty")
    rows: list[Row] = []
    for name, model in models:
        inspection = yield from inspect(model, volume, stage_names(model, "all"), settings)
        found, _ = number_stages(inspection, labels, reduce)
        rows += [replace(row, case=case.name, checkpoint=name) for row in found]
    return rows


def _told_apart(names: Sequence[str]) -> list[str]:
    return [
        f"{name} ({names[: place + 1].count(name)})" if name in names[:place] else name
        for place, name in enumerate(names)
    ]
