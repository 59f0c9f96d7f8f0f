"""Evaluate a checkpoint, or masks made elsewhere, on cases with references."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.errors import InputError, LGMSNetError
from napari_lgmsnet.core.evaluation.pairs import Pair, pairs_in, pairs_of_masks
from napari_lgmsnet.core.evaluation.scores import CaseScore, case_columns, read_reference, score
from napari_lgmsnet.core.evaluation.summary import (
    ALL,
    Summary,
    case_means,
    summarise,
    summary_columns,
)
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import read
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings, make_settings
from napari_lgmsnet.core.tables import Cell
from napari_lgmsnet.core.types import Progress, Volume


@dataclass(frozen=True)
class Evaluation:
    """How good masks are against references.

    Parameters
    ----------
    scores : tuple of CaseScore
        By case and class.
    summary : tuple of Summary
    failures : tuple of (str, str)
        Cases that could not be evaluated, and why.
    checkpoint, sha256 : str
        What made the masks; empty for masks made elsewhere.
    """

    scores: tuple[CaseScore, ...]
    summary: tuple[Summary, ...]
    failures: tuple[tuple[str, str], ...] = ()
    checkpoint: str = ""
    sha256: str = ""

    def figure(self, metric: str, class_name: str | None = None) -> Summary:
        """Return one figure.

        Parameters
        ----------
        metric : str
            "Dice", "IoU", "precision", "recall", "HD95", "average surface distance" or
            "false alarms".
        class_name : str, optional
            Without it the only class, or "all classes" where there are several.

        Raises
        ------
        InputError
            If there is no such figure.
        """
        names = {row.class_name for row in self.summary}
        wanted = class_name or (ALL if ALL in names else next(iter(names), ""))
        for row in self.summary:
            if (row.class_name, row.metric) == (wanted, metric):
                return row
        raise InputError(f'there is no figure "{metric}" of "{wanted}" in this evaluation')

    def ranking(self) -> list[tuple[str, float]]:
        """Return the cases by their mean Dice over classes, the worst first."""
        return sorted(case_means(self.scores, "dice").items(), key=lambda item: item[1])

    def case_columns(self) -> dict[str, list[Cell]]:
        """Return the scores as columns, for a table or a file."""
        return case_columns(self.scores)

    def summary_columns(self) -> dict[str, list[Cell]]:
        """Return the summary as columns, for a table or a file."""
        return summary_columns(self.summary)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it; figures that are missing are None."""
        return {
            "checkpoint": self.checkpoint,
            "sha256": self.sha256,
            "summary": [_plain(row) for row in self.summary],
            "cases": [_plain(row) for row in self.scores],
            "failed": [{"case": name, "reason": reason} for name, reason in self.failures],
        }


def evaluate(
    model: Model | None,
    data: str | Path | Sequence[Pair],
    *,
    predictions: str | Path | None = None,
    images: str = "images",
    masks: str = "masks",
    listed: str | Path | Sequence[str] | None = None,
    foreground_above: int | None = None,
    **settings: Any,
) -> Evaluation:
    """Say how good a checkpoint is on cases with references.

    Parameters
    ----------
    model : Model or None
        None to compare masks that are there already.
    data : str, Path or sequence of Pair
        A folder with images and masks, a table of paths, or the cases themselves. With
        ``predictions``, the folder of references.
    predictions : str or Path, optional
        Folder of masks made elsewhere.
    images, masks, listed
        As for :func:`~napari_lgmsnet.core.evaluation.pairs.pairs_in`.
    foreground_above : int, optional
        As for :func:`~napari_lgmsnet.core.evaluation.scores.read_reference`.
    **settings
        As for :class:`~napari_lgmsnet.core.prediction.PredictSettings`.

    Returns
    -------
    Evaluation
        Dice, IoU, precision, recall, 95 % Hausdorff and average surface distance by case and
        class, and their means with 95 % bootstrap intervals.

    Raises
    ------
    InputError
        If files are missing, or no case could be evaluated.
    """
    if predictions is not None:
        if model is not None or not isinstance(data, str | Path):
            raise InputError("masks made elsewhere need a folder of references, and no checkpoint")
        pairs = pairs_of_masks(predictions, data)
    elif isinstance(data, str | Path):
        pairs = pairs_in(data, images=images, masks=masks, listed=listed)
    else:
        pairs = list(data)
    job = evaluate_pairs(model, pairs, make_settings(**settings), foreground_above=foreground_above)
    return progress.run(job)


def evaluate_pairs(
    model: Model | None,
    pairs: Sequence[Pair],
    settings: PredictSettings,
    *,
    foreground_above: int | None = None,
) -> Generator[Progress, None, Evaluation]:
    """Evaluate case by case; see :func:`evaluate`. One bad case does not stop the rest.

    Yields
    ------
    Progress
        One a window, a slice or a class.
    """
    names = class_names(model)
    scores: list[CaseScore] = []
    failures: list[tuple[str, str]] = []
    done: list[str] = []
    for count, pair in enumerate(pairs):
        here = Progress(count, len(pairs), pair.name)
        yield here
        try:
            _, mask, reference = yield from progress.within(
                answer_of(model, pair, settings, foreground_above), here
            )
            scores += yield from progress.within(score(pair.name, mask, reference, names), here)
            done.append(pair.name)
        except LGMSNetError as error:
            failures.append((pair.name, str(error)))
    if failures and not done:
        raise InputError(f"no case could be evaluated: {failures[0][0]}: {failures[0][1]}")
    return Evaluation(
        tuple(scores),
        tuple(summarise(scores, done)),
        tuple(failures),
        "" if model is None else model.info.name,
        "" if model is None else model.sha256,
    )


def answer_of(
    model: Model | None, pair: Pair, settings: PredictSettings, foreground_above: int | None
) -> Generator[Progress, None, tuple[Volume | None, Volume, Volume]]:
    """Return the image of a case if there is one, the mask, and the reference.

    Raises
    ------
    InputError
        If a file cannot be used, or image and reference differ in size.
    """
    classes = None if model is None else len(model.info.classes)
    reference = read_reference(pair.reference, classes, foreground_above)
    image = read(pair.image) if isinstance(pair.image, Path) else pair.image
    if model is None:
        if pair.mask is None:
            raise InputError(f'"{pair.name}" has no mask to compare with: choose a checkpoint')
        mask = read_reference(pair.mask, None, foreground_above)
    else:
        if image is None:
            raise InputError(f'"{pair.name}" has no image to segment')
        _check_size(image, reference, pair.name)
        mask = (yield from iterate(model, image, settings)).label_volume()
    _check_size(mask, reference, pair.name)
    if mask.ndim_spatial == 2 or "pixel" in (mask.units, reference.units):
        # Files of pictures do not agree on their size: what counts is that pixels do.
        better = mask if mask.units == "mm" else reference
        mask, reference = (better.with_data(one.data, one.axes) for one in (mask, reference))
    return image, mask, reference


def class_names(model: Model | None) -> dict[int, str]:
    """Return the names of a checkpoint's classes but background."""
    classes = () if model is None else model.info.classes
    return {label: one.name for label, one in enumerate(classes) if label}


def _check_size(one: Volume, reference: Volume, name: str) -> None:
    if one.spatial_shape != reference.spatial_shape:
        raise InputError(
            f'"{name}" has {one.spatial_shape} voxels, its reference {reference.spatial_shape}: '
            "choose the reference of this image"
        )


def _plain(row: CaseScore | Summary) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and value != value else value
        for key, value in asdict(row).items()
    }
