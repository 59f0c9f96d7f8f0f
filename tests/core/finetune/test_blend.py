"""What is kept of a training: its states, weighted by what they scored."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import torch
from torch import Tensor

from napari_lgmsnet.core.finetune import Control, make_settings
from napari_lgmsnet.core.finetune.blend import Blend
from napari_lgmsnet.core.finetune.control import TuneProgress
from napari_lgmsnet.core.finetune.plan import make_plan
from napari_lgmsnet.core.finetune.sampling import Sampler, variation
from napari_lgmsnet.core.finetune.tuner import Tuner
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.progress import run
from tests.core.finetune.helpers import SIDE, same, untrained


def state(value: float) -> dict[str, Tensor]:
    return {"weight": torch.full((3,), float(value)), "seen": torch.tensor(int(value))}


def blended(*states: tuple[float, float], cases: int = 2) -> Blend:
    """Return what is kept of states of a value and a Dice each; all of their weights are new."""
    blend = Blend(cases)
    for value, dice in states:
        blend.add(state(value), dice, 1.0)
    return blend


def value(blend: Blend) -> float:
    first, *others = blend.weights["weight"].tolist()
    assert others == [first, first]
    return float(first)


def test_one_state_is_kept_as_it_is() -> None:
    assert same(blended((7, 0.3)).weights, state(7))


def test_equals_are_averaged_and_counters_are_the_last_ones() -> None:
    blend = blended((1, 0.5), (2, 0.5), (6, 0.5))
    assert value(blend) == pytest.approx(3)
    assert blend.weights["seen"] == 6


@pytest.mark.parametrize("order", [((0, 0.9), (1, 0.6)), ((1, 0.6), (0, 0.9))])
def test_a_state_of_0_3_less_weighs_about_a_tenth(order: tuple[tuple[float, float], ...]) -> None:
    assert value(blended(*order)) == pytest.approx(0.1 / 1.1, abs=0.01)
    assert value(blended(*order, cases=4)) == pytest.approx(0.01, abs=0.003)


def test_spoilt_states_hardly_count() -> None:
    good = [(1.0, 0.85), (1.0, 0.9)]
    assert value(blended(*good, (1000.0, 0.0))) < 1.5
    assert value(blended((1000.0, 0.0), *good)) < 1.5


def test_the_share_of_new_weights_is_averaged_likewise() -> None:
    blend = Blend(2)
    for share in (0.3, 0.7):
        blend.add(state(1), 0.5, share)
    assert blend.share == pytest.approx(0.5)


def test_it_goes_on_from_what_was_written() -> None:
    states = [(1.0, 0.2), (2.0, 0.6), (3.0, 0.5), (4.0, 0.7)]
    whole, half = blended(*states), blended(*states[:2])
    resumed = Blend(2)
    resumed.restore(half.state())
    for number, dice in states[2:]:
        resumed.add(state(number), dice, 1.0)
    assert same(resumed.weights, whole.weights)
    assert resumed.state().keys() == whole.state().keys()


def test_a_training_that_was_spoilt_keeps_what_was_good() -> None:
    """Of four checks the second scores 0.9, the others nothing: that state is what is kept."""
    dice = [0.0, 0.9, 0.0, 0.0]
    model = untrained()
    settings = make_settings(epochs=4, adapt="anew", guard="none", device="cpu")
    plan = make_plan(
        settings, "anew", 0.0, same_classes=True, references=0, samples=2, parent=model.info.recipe
    )
    sample = (torch.rand(1, SIDE, SIDE), torch.ones(1, SIDE, SIDE))
    sample[1][0, 4:20, 4:20] = 2
    kind = variation(plan.augmentation, model.info, plan.adapt)
    sampler = Sampler([sample] * 2, [], model.info.recipe.window, kind, 2, 0.0, 0)
    checked: list[dict[str, Tensor]] = []

    def score(network: LGMSNet) -> Generator[TuneProgress, None, float]:
        yield TuneProgress(0, 1, "asking", "train")
        checked.append({key: tensor.clone() for key, tensor in network.state_dict().items()})
        return dice[len(checked) - 1]

    start = {key: tensor.clone() for key, tensor in model.network.state_dict().items()}
    tuner = Tuner(
        model.network, start, plan, settings, sampler, score, 0.1, 2, torch.device("cpu"), Control()
    )
    run(tuner.run(lambda: None))
    assert [point.held_out_dice for point in tuner.curve] == dice

    def distance(one: dict[str, Tensor]) -> float:
        kept = tuner.blend.weights
        return sum(float((kept[key] - one[key]).abs().sum()) for key in kept if "weight" in key)

    first, best, *_, last = map(distance, checked)
    assert best < 0.05 * min(first, last)
