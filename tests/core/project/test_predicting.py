"""Cases are predicted, and what is known of the prediction is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.errors import InputError, ReadOnlyError
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Edit, Project
from napari_lgmsnet.core.project.predicting import doubt_of, predict_case
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.project.helpers import SHAPE, add_pictures, mask_of


@pytest.fixture
def model(tmp_path: Path) -> Model:
    checkpoints.save(tmp_path / "small.safetensors", small_model(2))
    return checkpoints.load(tmp_path / "small.safetensors")


def test_a_prediction_is_kept_with_what_made_it(tmp_path: Path, model: Model) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        settings = PredictSettings(threshold=0.25)
        prediction = run(predict_case(project, case.id, model, settings))
        mask, case = mask_of(project, case), project.cases.get(case.id)
        assert case.state == "predicted"
        assert case.doubt == pytest.approx(doubt_of(prediction))
        assert mask.prediction is not None
        np.testing.assert_array_equal(mask.prediction, prediction.labels)
        np.testing.assert_array_equal(mask.labels, prediction.labels)
        assert not mask.touched.any()
        assert mask.checkpoint == model.sha256
        assert mask.settings["threshold"] == 0.25
        assert [one["name"] for one in mask.settings["classes"]] == ["background", "foreground"]
        assert [one.sha256 for one in project.checkpoints.all()] == [model.sha256]


def test_what_a_person_vouched_for_stays(tmp_path: Path, model: Model) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        first = np.full(SHAPE, 3, np.uint8)
        run(project.labels.store(case.id, prediction=first))
        project.labels.append(case.id, [Edit((slice(0, 9), slice(0, 9)), 1, layer="vouched")])
        prediction = run(predict_case(project, case.id, model, PredictSettings()))
        mask = mask_of(project, case)
        assert (mask.labels[:9, :9] == 3).all()
        np.testing.assert_array_equal(mask.labels[9:], prediction.labels[9:])


def test_what_a_person_touched_stays(tmp_path: Path, model: Model) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        run(project.labels.store(case.id, labels=np.zeros(SHAPE, np.uint8)))
        project.labels.append(case.id, [Edit((slice(0, 9), slice(0, 9)), 7)])
        prediction = run(predict_case(project, case.id, model, PredictSettings()))
        mask = mask_of(project, case)
        assert (mask.labels[:9, :9] == 7).all()
        np.testing.assert_array_equal(mask.labels[9:], prediction.labels[9:])
        assert project.cases.get(case.id).state == "in correction"


def test_what_cannot_be_predicted_changes_nothing(tmp_path: Path, model: Model) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        with pytest.raises(InputError, match="works on volumes"):
            run(predict_case(project, case.id, small_model(3), PredictSettings()))
        assert project.labels.read(case.id) is None
    with (
        Project.open(tmp_path / "a", read_only=True) as project,
        pytest.raises(ReadOnlyError),
    ):
        run(predict_case(project, case.id, model, PredictSettings()))


def prediction_with(probability: np.ndarray) -> Prediction:
    model = small_model(2)
    probability = probability.astype(np.float32)
    return Prediction(
        labels=(probability >= 0.5).astype(np.uint8),
        probabilities=probability[None],
        volume=Volume.from_array(probability, "YX"),
        info=model.info,
        sha256="",
        settings=PredictSettings(),
        device="cpu",
        window=(32, 32),
        notes=(),
        seconds=0.0,
    )


def test_doubt_is_that_of_the_object_and_not_of_the_background() -> None:
    sure = np.zeros((64, 64))
    sure[:20, :20] = 1
    assert doubt_of(prediction_with(sure)) == 0
    assert doubt_of(prediction_with(np.zeros((64, 64)))) == 0
    unsure = sure * 0.6
    small = np.zeros((64, 64))
    small[:4, :4] = 0.6
    assert doubt_of(prediction_with(unsure)) == pytest.approx(0.971, abs=1e-3)
    assert doubt_of(prediction_with(small)) == pytest.approx(doubt_of(prediction_with(unsure)))
    assert doubt_of(prediction_with(np.full((64, 64), 0.5))) == pytest.approx(1.0)
