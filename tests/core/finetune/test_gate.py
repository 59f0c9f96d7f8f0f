"""The gate lets better networks through, and refuses what only looks better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_lgmsnet.core.finetune import Example, FineTuneSettings
from napari_lgmsnet.core.finetune.compare import Comparison, change_of
from napari_lgmsnet.core.finetune.evidence import chance, read_outs, resemblance
from napari_lgmsnet.core.finetune.gate import constant_dice, judge
from napari_lgmsnet.core.finetune.pieces import prepare_pieces
from napari_lgmsnet.core.inference import predict
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.progress import run
from tests.core.finetune.helpers import shuffled, squares, tune, untrained


def comparison(before: list[float], after: list[float]) -> Comparison:
    """Return tables of one class, 100 voxels each, with these Dice coefficients."""

    def tables(values: list[float]) -> dict[int, np.ndarray]:
        return {n: np.array([[100 * dice, 100, 100]]) for n, dice in enumerate(values)}

    return Comparison(tables(before), tables(after), (), ())


def verdict_of(before: list[float], after: list[float], **more: float | None) -> str:
    """Return "" if the gate opens, otherwise its reason."""
    known = {"foreground_dice": 0.8, "constant_dice": 0.3, "chance": 0.02, "cases": 12}
    verdict = judge(comparison(before, after), ["square"], FineTuneSettings(), **{**known, **more})  # type: ignore[arg-type] # figures by name
    return "" if verdict.better else verdict.reason


def test_a_clear_rise_opens_the_gate() -> None:
    assert verdict_of([0.5, 0.6, 0.4], [0.7, 0.7, 0.6]) == ""


@pytest.mark.parametrize(
    ("before", "after", "more", "reason"),
    [
        ([0.7, 0.7], [0.705, 0.705], {}, "a rise of 0.01 was asked for"),
        ([0.7, 0.7], [0.5, 0.5], {}, "a rise"),
        ([0.9, 0.9, 0.0], [0.8, 0.8, 0.9], {}, "most held-out cases became worse"),
        ([0.2, 0.9, 0.9, 0.9], [0.8, 0.7, 0.9, 0.7], {}, "too much to tell that from chance"),
        ([0.1, 0.1], [0.4, 0.4], {"foreground_dice": 0.32}, "0.320, and one and the same mask"),
        ([0.1, 0.1], [0.4, 0.4], {"chance": 0.3}, "exchanged masks"),
    ],
)
def test_reasons_to_refuse(
    before: list[float], after: list[float], more: dict[str, float], reason: str
) -> None:
    assert reason in verdict_of(before, after, **more)


def test_a_constant_mask_says_nothing_where_masks_certainly_belong() -> None:
    low = {"foreground_dice": 0.32, "chance": 0.005}
    assert verdict_of([0.1, 0.1], [0.4, 0.4], **low) == ""
    assert "one and the same mask" in verdict_of([0.1, 0.1], [0.4, 0.4], **low | {"chance": None})


def test_no_class_may_fall() -> None:
    before, after = (
        {0: np.array([[20.0, 100, 100], [80, 100, 100]])},
        {0: np.array([[90.0, 100, 100], [70, 100, 100]])},
    )
    verdict = judge(
        Comparison(before, after, (), ()), ["a", "b"], FineTuneSettings(),
        foreground_dice=0.8, constant_dice=None, chance=None, cases=3,
    )  # fmt: skip
    assert not verdict.better
    assert '"b" fell by 0.100' in verdict.reason


def test_exchanged_masks_are_told_from_own_ones() -> None:
    model, examples = untrained(), squares(8)

    def likely(chosen: list[Example]) -> float:
        pieces = run(prepare_pieces(chosen, model.info))
        device = next(model.network.parameters()).device
        return chance(resemblance(run(read_outs(model.network, pieces, device)), pieces))

    assert likely(examples) < 0.01
    assert min(likely(shuffled(examples, by)) for by in (1, 2, 3)) > 0.05


def test_chance_is_even_where_nothing_is_known() -> None:
    generator = np.random.default_rng(0)
    found = [chance(generator.normal(size=(6, 6))) for _ in range(200)]
    assert 0.4 < float(np.mean(found)) < 0.6
    assert 0.01 < float(np.mean(np.array(found) <= 0.05)) < 0.1


def test_a_constant_mask_is_chosen_without_the_held_out_cases() -> None:
    here, there = np.array([1.0, 1, 0, 0]), np.array([0.0, 0, 1, 1])
    both, known = here + there, np.ones(4)
    assert constant_dice([(here, known)], [(here, known)]) == 1.0
    assert constant_dice([(here, known)] * 3, [(there, known)]) == 0.0
    # A low level fits these three best, whatever is held out.
    train = [(here, known), (both, known), (both, known)]
    assert constant_dice(train, [(both, known)]) == 1.0
    assert constant_dice(train, [(here, known)]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("by", [1, 3])
def test_shuffled_masks_are_refused(by: int) -> None:
    result = tune(untrained(), shuffled(squares(8), by), epochs=6)
    assert result.candidate is not None
    assert not result.verdict.better, result.verdict.reason


def test_empty_masks_are_refused_before_training() -> None:
    examples = [replace(one, labels=np.zeros_like(one.labels)) for one in squares(5)]
    result = tune(untrained(), examples)
    assert not result.verdict.better
    assert "no mask shows a class" in result.verdict.reason
    assert result.candidate is None


def test_correcting_nothing_changes_nothing(parent: Model) -> None:
    examples = [replace(one, labels=predict(parent, one.image).labels) for one in squares(5)]
    result = tune(parent, examples)
    assert not result.verdict.better
    assert "nothing was corrected" in result.verdict.reason
    assert result.steps == 0


def test_what_was_gained_and_lost() -> None:
    before, after, labels = np.array([[0, 1, 1, 2], [0, 1, 0, 2], [1, 1, 0, 1]], dtype=np.uint8)
    counts = np.ones(4, np.bool_)
    assert change_of(before, after, labels, counts).tolist() == [0, 0, 1, 0]
    assert change_of(after, before, labels, counts).tolist() == [0, 0, 2, 0]
    assert change_of(before, after, labels, ~counts).tolist() == [0, 0, 0, 0]


def test_forgetting_is_measured_and_averaging_limits_it(parent: Model) -> None:
    examples, known = squares(6, inverted=True), squares(4, first=50)
    free, held = (
        tune(parent, examples, epochs=4, adapt="gently", learning_rate=5e-3, guard=guard,
             references=known)
        for guard in ("none", "average")
    )  # fmt: skip
    assert free.forgetting is not None
    assert held.forgetting is not None
    assert free.forgetting.against == "masks"
    assert free.share == 1.0
    assert held.share <= 1.0
    replayed = tune(
        parent, examples, guard="replay", references=[one.image for one in known], epochs=1
    )
    assert replayed.plan is not None
    assert replayed.plan.guard == "replay"
    assert replayed.forgetting is not None
    assert replayed.forgetting.cases == 2
    assert replayed.forgetting.dice_before == 1.0
