"""Several images and checkpoints in one table, and the control with random weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.control import untrained
from napari_lgmsnet.core.inspect.features import features
from napari_lgmsnet.core.inspect.numbers import number_stages
from napari_lgmsnet.core.inspect.stages import stage_to_begin_with
from napari_lgmsnet.core.inspect.survey import SurveyCase, survey
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import Averages, look

GENERATOR = np.random.default_rng(0)


def case(name: str, mask: np.ndarray | None = None) -> SurveyCase:
    volume = Volume.from_array(GENERATOR.normal(size=(40, 48)), "YX")
    square = np.zeros((40, 48), np.uint8)
    square[8:24, 10:30] = 1
    return SurveyCase(name, reader(volume, square if mask is None else mask))


def reader(volume: Volume, mask: np.ndarray) -> Callable[[], tuple[Volume, Volume | np.ndarray]]:
    return lambda: (volume, mask)


def test_rows_are_those_of_each_image_alone() -> None:
    model = small_model(2)
    cases = [case("a"), case("b")]
    found = run(survey([model, untrained(model)], cases, "norm"))
    assert found.failures == {}
    names = [(row.case, row.checkpoint) for row in found.rows if row.stage == "encoder5"]
    second = f"{model.info.name}, random weights"
    assert names == [(c, m) for c in "ab" for m in (model.info.name, second)]
    volume, mask = cases[1].read()
    alone = features(model, volume, mask, stages="all", reduce="norm").numbers
    mine = [row for row in found.rows if (row.case, row.checkpoint) == ("b", model.info.name)]
    assert [row.energy for row in mine] == [row.energy for row in alone]
    assert [row.effective_rank for row in mine] == [row.effective_rank for row in alone]


def test_checkpoints_of_one_name_are_told_apart() -> None:
    model = small_model(2)
    rows = run(survey([model, model], [case("a")])).rows
    assert {row.checkpoint for row in rows} == {model.info.name, f"{model.info.name} (2)"}


def test_a_case_that_cannot_be_used_is_said_and_the_others_go_on() -> None:
    cases = [
        case("empty", np.zeros((40, 48), np.uint8)),
        case("other", np.ones((9, 9), np.uint8)),
        case("good"),
    ]
    found = run(survey([small_model(2)], cases))
    assert {row.case for row in found.rows} == {"good"}
    assert found.failures["empty"] == "the mask is empty"
    assert "choose the mask of this image" in found.failures["other"]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="no image has a mask"):
        run(survey([small_model(2)], []))
    with pytest.raises(InputError, match="across stages"):
        run(survey([small_model(2)], [case("a")], "channel"))


def test_the_control_differs_in_its_weights_only() -> None:
    model = small_model(2)
    state = torch.random.get_rng_state()
    one, same, other = untrained(model, 1), untrained(model, 1), untrained(model, 2)
    assert torch.equal(torch.random.get_rng_state(), state)
    first = next(one.network.parameters())
    assert torch.equal(first, next(same.network.parameters()))
    assert not torch.equal(first, next(other.network.parameters()))
    assert one.info.recipe == model.info.recipe
    assert one.info.classes == model.info.classes
    assert "random weights" in one.info.name


def test_singular_values_are_not_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    inspection = look(small_model(2), Volume.from_array(GENERATOR.normal(size=(32, 32)), "YX"))
    mask = np.zeros((32, 32), np.uint8)
    mask[4:9, 4:9] = 1
    rows, spectra = number_stages(inspection, mask)
    monkeypatch.setattr(
        "napari_lgmsnet.core.inspect.numbers.spectrum", lambda _: pytest.fail("computed again")
    )
    assert number_stages(inspection, mask, spectra=spectra) == (rows, spectra)


def test_the_stage_to_begin_with_is_one_that_the_network_has() -> None:
    network = Averages(2)
    assert stage_to_begin_with(network, "encoder3") == "encoder3"
    assert stage_to_begin_with(network, "decoder2") == "encoder5"
    del network.encoder5
    assert stage_to_begin_with(network) == "encoder3"
    with pytest.raises(InputError, match="it has none, choose another checkpoint"):
        stage_to_begin_with(torch.nn.Identity())
