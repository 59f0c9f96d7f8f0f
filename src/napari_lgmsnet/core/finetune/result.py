"""What a fine-tuning leaves: figures before and after, a verdict, a candidate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.finetune.settings import FineTuneSettings, Plan
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.tables import Cell
from napari_lgmsnet.core.types import Volume

CHANGES = ("same", "gained", "lost", "other")
"""What the numbers of a :class:`CaseChange` mean, from 0 on."""


@dataclass(frozen=True)
class CurvePoint:
    """A point of the curve.

    Parameters
    ----------
    step : int
    seconds : float
        Of the budget.
    loss : float
        Mean since the last point.
    held_out_dice : float
        Of the state at this step, in that share.
    share : float
        Of the new weights in it.
    """

    step: int
    seconds: float
    loss: float
    held_out_dice: float
    share: float


@dataclass(frozen=True)
class CaseScore:
    """One class of one held-out case, before and after. NaN where there is no figure.

    Parameters
    ----------
    case, class_name : str
    dice_before, dice_after, iou_before, iou_after : float
        Of the labelled, held-out voxels on the image's own grid.
    hd95_before, hd95_after : float
        95th percentile of the Hausdorff distance, in ``unit``; of a stack that a 2D network
        works on, the mean over slices. NaN where the mask is partial.
    unit : "mm" or "px"
    attention_before, attention_after : float
        Share of the energy of the features after the fourth downsampling that lies on the
        class; NaN where it was not measured.
    gained, lost : int
        Voxels that are right now and were not, and the other way round.
    """

    case: str
    class_name: str
    dice_before: float
    dice_after: float
    iou_before: float
    iou_after: float
    hd95_before: float
    hd95_after: float
    unit: str
    attention_before: float
    attention_after: float
    gained: int
    lost: int


@dataclass(frozen=True, eq=False)
class CaseChange:
    """What became of the mask of a held-out image, frame or slice.

    Parameters
    ----------
    name : str
    volume : Volume
        The image (of a stack, the slice), whose geometry the arrays have.
    before, after : uint8 array
        Answers of parent and candidate.
    change : uint8 array
        What :data:`CHANGES` names: 0 the same answer, or not a voxel that counts; 1 right now and
        wrong before; 2 the other way round; 3 wrong before and after, in another way.
    """

    name: str
    volume: Volume
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    change: NDArray[np.uint8]


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Parameters
    ----------
    better : bool
        Whether accepting is offered.
    reason : str
        In a person's words.
    dice_before, dice_after : float
        Means over held-out cases and classes; NaN where nothing was compared.
    """

    better: bool
    reason: str
    dice_before: float = float("nan")
    dice_after: float = float("nan")


@dataclass(frozen=True)
class Forgetting:
    """What became of answers on reference images.

    Parameters
    ----------
    cases : int
    against : "masks" or "parent"
        Given masks, or the parent's own answers (whose Dice with itself is 1).
    dice_before, dice_after : float
    """

    cases: int
    against: str
    dice_before: float
    dice_after: float

    @property
    def lost(self) -> float:
        """Return how much Dice fell."""
        return self.dice_before - self.dice_after


@dataclass(frozen=True, eq=False)
class FineTuneResult:
    """What a fine-tuning leaves.

    Parameters
    ----------
    verdict : Verdict
    candidate : Model or None
        None where nothing was trained. Its description names parent, cases and metrics.
    plan : Plan or None
        What was done, and why.
    settings : FineTuneSettings
    held_out : str
        What was held out, in words.
    scores : tuple of CaseScore
    changes : tuple of CaseChange
    curve : tuple of CurvePoint
    forgetting : Forgetting or None
        None without reference images.
    trained_on, held_out_cases : tuple of str
        SHA-256 of images; a case that is held out in part is in both.
    steps : int
    seconds : float
        Of training.
    images_per_second : float
    share : float
        Of the new weights in the candidate; the rest is the parent's.
    stopped : bool
        Whether the person ended training early.
    """

    verdict: Verdict
    candidate: Model | None
    plan: Plan | None
    settings: FineTuneSettings
    held_out: str = ""
    scores: tuple[CaseScore, ...] = ()
    changes: tuple[CaseChange, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    forgetting: Forgetting | None = None
    trained_on: tuple[str, ...] = ()
    held_out_cases: tuple[str, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    share: float = 0.0
    stopped: bool = False
    metrics: dict[str, float] = field(default_factory=dict)

    def columns(self) -> dict[str, list[Cell]]:
        """Return the scores as columns with units in their headers, for a table or a file."""
        rows = self.scores
        unit = rows[0].unit if rows else "px"
        return {
            "case": [row.case for row in rows],
            "class": [row.class_name for row in rows],
            "Dice before": [row.dice_before for row in rows],
            "Dice after": [row.dice_after for row in rows],
            "IoU before": [row.iou_before for row in rows],
            "IoU after": [row.iou_after for row in rows],
            f"HD95 before ({unit})": [row.hd95_before for row in rows],
            f"HD95 after ({unit})": [row.hd95_after for row in rows],
            "attention before": [row.attention_before for row in rows],
            "attention after": [row.attention_after for row in rows],
            "voxels gained": [row.gained for row in rows],
            "voxels lost": [row.lost for row in rows],
        }

    def describe(self) -> str:
        """Return what happened, in a few lines for a person."""
        lines = [
            ("better: " if self.verdict.better else "not better: ") + self.verdict.reason,
            *([self.held_out] if self.held_out else []),
            *([self.plan.reason] if self.plan is not None else []),
        ]
        if self.steps:
            lines.append(
                f"{self.steps} steps in {self.seconds:.0f} s, "
                f"{self.images_per_second:.1f} images a second, learning rate "
                f"{self.plan.learning_rate:g}, {100 * self.share:.0f} % of the new weights"
                if self.plan is not None
                else f"{self.steps} steps in {self.seconds:.0f} s"
            )
        if self.forgetting is not None:
            what = "given masks" if self.forgetting.against == "masks" else "own earlier answers"
            lines.append(
                f"on {self.forgetting.cases} reference images Dice with {what} went from "
                f"{self.forgetting.dice_before:.3f} to {self.forgetting.dice_after:.3f}"
            )
        return "\n".join(lines)
