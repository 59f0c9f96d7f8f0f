"""It learns, never from what does not count, and only what it is asked to change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_lgmsnet.core.errors import InputError, TrainingError
from napari_lgmsnet.core.finetune import Example, FineTuneResult, example_from_arrays
from napari_lgmsnet.core.finetune.loss import LabelledLoss
from napari_lgmsnet.core.finetune.network import ENCODER
from napari_lgmsnet.core.finetune.pieces import prepare_pieces
from napari_lgmsnet.core.finetune.scoring import region
from napari_lgmsnet.core.finetune.split import split
from napari_lgmsnet.core.inference import predict
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.finetune.helpers import same, squares, tune, untrained, weights
from tests.core.helpers import small_model


def dice(model: Model, examples: list[Example]) -> float:
    found = []
    for one in examples:
        answer = predict(model, one.image).labels > 0
        found.append(2 * (answer & (one.labels > 0)).sum() / (answer.sum() + one.labels.sum()))
    return float(np.mean(found))


def test_held_out_and_unseen_dice_rise_and_the_gate_says_so(taught: FineTuneResult) -> None:
    verdict = taught.verdict
    assert verdict.better, verdict.reason
    assert verdict.dice_after > verdict.dice_before + 0.3
    unseen = squares(6, first=100)
    assert taught.candidate is not None
    assert dice(taught.candidate, unseen) > dice(untrained(), unseen) + 0.3
    assert taught.held_out.startswith("3 of 12 cases were held out: square ")


def test_what_a_candidate_says_of_itself(taught: FineTuneResult) -> None:
    assert taught.candidate is not None
    info = taught.candidate.info
    held_out = set(info.training["held_out"].values())
    assert len(held_out) == 3
    assert len(info.training["trained_on"]) == 9
    assert not held_out & set(info.training["trained_on"].values())
    assert info.metrics["held out, mean Dice after"] == pytest.approx(
        taught.verdict.dice_after, abs=1e-4
    )
    assert len(taught.scores) == len(taught.changes) == 3
    for row, change in zip(taught.scores, taught.changes, strict=True):
        assert row.gained == (change.change == 1).sum()
        assert row.lost == (change.change == 2).sum()
        assert 0 <= row.attention_after <= 1


def test_the_parent_is_not_changed(parent: Model) -> None:
    before = {key: tensor.clone() for key, tensor in weights(parent).items()}
    tune(parent, squares(5, inverted=True), epochs=1)
    assert same(before, weights(parent))


def test_the_same_seed_gives_the_same_network() -> None:
    one, again, other = (tune(untrained(), squares(5), seed=seed) for seed in (3, 3, 4))
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))


@pytest.mark.parametrize(("changed", "alike"), [(2, True), (3, False)])
def test_held_out_cases_never_reach_training(changed: int, alike: bool) -> None:
    examples = squares(5)
    one = tune(untrained(), examples, held_out=("square 2",))
    noise = np.random.default_rng(0).integers(0, 255, examples[2].image.data.shape, np.uint8)
    image = examples[changed].image.with_data(noise, "YX")
    name = f"square {changed}"
    examples[changed] = Example(name, image, 1 - examples[changed].labels)
    other = tune(untrained(), examples, held_out=("square 2",))
    # What is kept is chosen on held-out cases, so the curves of the loss tell.
    assert ([p.loss for p in one.curve] == [p.loss for p in other.curve]) == alike


def test_the_cases_held_out_are_typical_ones_that_show_a_class() -> None:
    examples = squares(9)
    examples[4] = replace(examples[4], labels=np.zeros_like(examples[4].labels))
    pieces = run(prepare_pieces(examples, untrained().info))
    scores = {0: 0.9, 1: 0.1, 2: 0.5, 3: 0.2, 4: 0.55, 5: 0.95, 6: 0.8, 7: 0.3, 8: 0.0}
    held_out = split(pieces, examples, None, 0, scores).cases(pieces, held_out=True)
    assert len(held_out) == 2
    assert 4 not in held_out
    assert {scores[case] for case in held_out} & {0.0, 0.95} == set()
    single = split(pieces[:5], examples[:5], None, 0, scores).cases(pieces, held_out=True)
    assert [scores[case] for case in single] == [0.5]


@pytest.mark.parametrize("shape", [(40, 50), (31, 24)])
def test_of_a_single_image_a_part_is_held_out_that_training_never_sees(
    shape: tuple[int, int],
) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[8:20, 5:17] = 1
    image = Volume.from_array(np.random.default_rng(0).integers(0, 255, shape), "YX")
    example = Example("one", image, mask)
    pieces = run(prepare_pieces([example], untrained().info))
    chosen = split(pieces, [example], None, 0, {0: 0.5})
    assert chosen.kind == "parts"
    train, held_out = (region(pieces[0], p.box) for p in (*chosen.train, *chosen.held_out))
    assert not (train & held_out).any()
    # Where the input is coarser than the image, one of its voxels answers for several.
    assert not (ndimage.binary_dilation(train) & held_out).any()
    assert 0.1 < mask[held_out].sum() / mask.sum() < 0.5
    assert mask[train].sum() / mask.sum() > 0.4
    assert "a part of the image" in chosen.words


@pytest.mark.parametrize("channels", [1, 3])
def test_unlabelled_voxels_have_no_weight_in_the_loss(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, 8, 8, generator=generator, requires_grad=True)
    target = torch.randint(0, 1 + max(2, channels), (2, 1, 8, 8), generator=generator)
    loss = LabelledLoss(channels)(logits, target.to(torch.uint8))
    loss.backward()
    assert logits.grad is not None
    unlabelled = (target == 0).expand_as(logits)
    assert (logits.grad[unlabelled] == 0).all()
    assert (logits.grad[~unlabelled] != 0).any()
    moved = logits.detach() + 5 * unlabelled
    assert torch.equal(LabelledLoss(channels)(moved, target.to(torch.uint8)), loss.detach())


def test_labels_under_unlabelled_voxels_do_not_matter() -> None:
    def examples(fill: int) -> list[Example]:
        out = []
        for one in squares(5):
            known = np.zeros(one.labels.shape, np.bool_)
            known[4:20, 4:28] = True
            out.append(replace(one, labels=np.where(known, one.labels, fill), known=known))
        return out

    one, other = tune(untrained(), examples(0)), tune(untrained(), examples(1))
    assert same(weights(one), weights(other))
    assert one.verdict == other.verdict


def test_scribbles_alone_teach() -> None:
    scribbled = []
    for one in squares(8):
        drawn = np.full(one.labels.shape, 9)
        y, x = (int(places.mean()) for places in np.nonzero(one.labels))
        drawn[y - 1 : y + 2, x - 4 : x + 5] = 1
        drawn[0:2], drawn[-2:] = 0, 0
        drawn[:, 0:2], drawn[:, -2:] = 0, 0
        scribbled.append(example_from_arrays(one.image, drawn, unlabelled=9))
    result = tune(untrained(), scribbled, epochs=10)
    assert result.candidate is not None
    unseen = squares(6, first=100)
    assert dice(result.candidate, unseen) > dice(untrained(), unseen) + 0.2


def test_a_frozen_encoder_stays_to_the_last_bit_with_its_statistics(parent: Model) -> None:
    result = tune(parent, squares(5, inverted=True), epochs=3, train="decoder")
    before, after = weights(parent), weights(result)
    frozen = [key for key in before if key.partition(".")[0] in ENCODER]
    assert any("running_mean" in key for key in frozen)
    assert all(torch.equal(before[key], after[key]) for key in frozen)
    changed = [key for key in before if not torch.equal(before[key], after[key])]
    assert any("running_mean" in key for key in changed)
    assert "head.weight" in changed


def test_head_changes_norms_and_head_alone(parent: Model) -> None:
    result = tune(parent, squares(5, inverted=True), epochs=2, train="head")
    before, after = weights(parent), weights(result)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    convolutions = {key for key in before if before[key].ndim > 2} - {"head.weight"}
    assert "head.weight" in changed
    assert not changed & convolutions


def test_other_classes_get_a_new_head_that_keeps_what_is_known(parent: Model) -> None:
    examples = []
    for one in squares(8):
        labels = one.labels.copy()
        labels[:5][labels[:5] == 0] = 2
        examples.append(replace(one, labels=labels))
    with pytest.raises(TrainingError, match='label 2, "small-2d-tuned" knows 1 to 1'):
        tune(parent, examples)
    known = parent.info.classes[1].name
    result = tune(parent, examples, classes=(known, "top"), epochs=10)
    assert result.candidate is not None
    assert result.candidate.info.architecture.out_channels == 3
    assert [one.name for one in result.candidate.info.classes] == ["background", known, "top"]
    before = {row.class_name: row.dice_before for row in result.scores}
    after = {row.class_name: row.dice_after for row in result.scores}
    assert before[known] > 0.5
    assert before["top"] == 0
    assert after["top"] > 0.2


def test_volumes_and_stacks_are_learnt_from_too() -> None:
    generator = np.random.default_rng(0)
    mask = np.zeros((32, 32, 32), np.uint8)
    mask[10:22, 8:20, 9:21] = 1
    data = (50 + 100 * mask + generator.integers(0, 30, mask.shape)).astype(np.int16)
    volume = Volume.from_array(data, "ZYX", (1.0, 1.0, 1.0), "cube")
    result = tune(small_model(3), [Example("cube", volume, mask)], epochs=1)
    assert result.candidate is not None
    assert "a part of the image" in result.held_out
    sliced = tune(untrained(), [Example("cube", volume, mask)], epochs=1)
    assert "the last quarter of the slices" in sliced.held_out
    assert all("slice" in change.name for change in sliced.changes)


def test_two_cases_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match='two cases are called "square 0"'):
        tune(untrained(), squares(2) + squares(1))


def test_another_size_is_kept_in_the_recipe(parent: Model) -> None:
    result = tune(parent, squares(5, inverted=True), epochs=1, size=(64, 64))
    assert result.candidate is not None
    assert result.candidate.info.recipe.size == result.candidate.info.recipe.window == (64, 64)
