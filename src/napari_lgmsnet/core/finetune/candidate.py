"""What a candidate says of itself: parent, cases, settings, figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_lgmsnet.core.finetune.examples import Example
from napari_lgmsnet.core.finetune.result import CaseScore, FineTuneResult, Forgetting, Verdict
from napari_lgmsnet.core.finetune.settings import Plan
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.model import Model


def describe_metrics(
    verdict: Verdict, scores: Sequence[CaseScore], forgotten: Forgetting | None
) -> dict[str, float]:
    """Return the figures that a checkpoint carries, with words as keys."""
    metrics = {
        "held out, mean Dice before": verdict.dice_before,
        "held out, mean Dice after": verdict.dice_after,
    }
    for name in dict.fromkeys(score.class_name for score in scores):
        rows = [score for score in scores if score.class_name == name]
        for when in ("before", "after"):
            for figure, words in (("iou", "IoU"), ("hd95", "HD95"), ("attention", "attention")):
                values = np.array([getattr(row, f"{figure}_{when}") for row in rows])
                if np.isfinite(values).any():
                    metrics[f"held out, {name}, {words} {when}"] = float(np.nanmean(values))
    if forgotten is not None:
        metrics["reference images, mean Dice before"] = forgotten.dice_before
        metrics["reference images, mean Dice after"] = forgotten.dice_after
    return {key: round(value, 4) for key, value in metrics.items() if np.isfinite(value)}


def _symmetric(parent: ModelInfo, info: ModelInfo, plan: Plan) -> dict[str, Any]:
    if plan.adapt == "gently":
        return dict(parent.training.get("augmentation", {}))
    return {"flip_axes": list(info.recipe.sensible_flips), "rotate_90": False}


def candidate_info(
    parent: Model,
    info: ModelInfo,
    result: FineTuneResult,
    examples: Sequence[Example],
    cases: tuple[Sequence[int], Sequence[int]],
) -> ModelInfo:
    """Return the description of a candidate.

    Parameters
    ----------
    parent : Model
    info : ModelInfo
        Of the network that was trained.
    result : FineTuneResult
    examples : sequence of Example
    cases : pair of sequences of int
        Which of them were trained on, and held out.
    """
    assert result.plan is not None
    listed = [{examples[case].name: examples[case].sha256 for case in group} for group in cases]
    training = {
        "kind": "fine-tuning",
        "parent": parent.info.name,
        "settings": result.settings.model_dump(mode="json"),
        "adapt": result.plan.adapt,
        "train": result.plan.train,
        "learning_rate": result.plan.learning_rate,
        "batch_size": result.plan.batch_size,
        "guard": result.plan.guard,
        "share": result.share,
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        "trained_on": listed[0],
        "held_out": listed[1],
        # The next fine-tuning asks which flips and turns make sense.
        "augmentation": _symmetric(parent.info, info, result.plan),
    }
    count = len(listed[0])
    return info.model_copy(
        update={
            "name": f"{parent.info.name}-tuned",
            "title": f"{parent.info.title or parent.info.name}, fine-tuned on {count} images",
            "training_data": f"{parent.info.training_data}; then {count} corrected images",
            "training": training,
            "metrics": result.metrics,
            "parent_sha256": parent.sha256,
        }
    )
