"""Predicting the cases of a project. Loads torch; ``core.project`` itself does not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from napari_lgmsnet.core.errors import ReadOnlyError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.project.store import Project
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.core.uncertainty import entropy_of

_CERTAIN = 0.05
"""Entropy of a voxel that need not be looked at: a probability of about 0.006."""


def predict_case(
    project: Project, case_id: int, model: Model, settings: PredictSettings
) -> Generator[Progress, None, Prediction]:
    """Segment a case's image and keep the answer, its doubt and how it was made.

    It becomes the case's mask where the person neither touched nor vouched for anything.

    Parameters
    ----------
    project : Project
        Open for writing.
    case_id : int
    model : Model
    settings : PredictSettings

    Returns
    -------
    Prediction

    Raises
    ------
    ReadOnlyError
        If nothing can be stored.
    LGMSNetError
        If the image cannot be read or does not suit the checkpoint.
    """
    if project.read_only:
        raise ReadOnlyError(project.why_read_only)
    case = project.cases.get(case_id)
    yield Progress(0, 0, f"reading {case.name}")
    volume = case.source.read(lazy="auto")
    prediction = yield from iterate(model, volume, settings)
    yield Progress(0, 0, f"keeping the mask of {case.name}")
    if prediction.sha256:
        project.checkpoints.register(prediction.sha256, prediction.info.name)
    yield from project.labels.store(
        case_id,
        prediction=prediction.labels,
        checkpoint=prediction.sha256,
        settings=settings_of(prediction),
    )
    project.cases.set_doubt(case_id, doubt_of(prediction))
    return prediction


def settings_of(prediction: Prediction) -> dict[str, Any]:
    """Return how a prediction was made, in types that JSON can hold."""
    return {
        **prediction.settings.model_dump(mode="json"),
        "checkpoint": prediction.info.name,
        "recipe": prediction.info.recipe.name,
        "classes": [one.model_dump(mode="json") for one in prediction.info.classes],
        "device": prediction.device,
        "description": prediction.describe(),
    }


def doubt_of(prediction: Prediction) -> float:
    """Return how doubtful a prediction is as a whole, 0 to 1.

    It is the mean entropy of the voxels that are in the mask or in doubt themselves: the share of
    plain background, which is nearly all of most images, says nothing.
    """
    total, count = 0.0, 0
    labels = prediction.labels
    # Plane by plane: of a volume the entropy needs several times the memory of its mask.
    for place in range(labels.shape[0]):
        entropy = entropy_of(prediction.probabilities[:, place])
        counted = (labels[place] > 0) | (entropy > _CERTAIN)
        total += float(entropy.sum(where=counted, dtype=np.float64))
        count += int(np.count_nonzero(counted))
    return total / count if count else 0.0
