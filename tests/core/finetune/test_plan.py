"""What the data decide: the size a new task is learnt at, and practising on old images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_lgmsnet.core.finetune import evidence, make_settings
from napari_lgmsnet.core.finetune.pieces import Piece
from napari_lgmsnet.core.finetune.plan import large_enough, smaller_size, way
from napari_lgmsnet.core.finetune.sampling import variation
from napari_lgmsnet.core.finetune.tuner import Tuner
from napari_lgmsnet.core.network import LGMSNet
from tests.core.finetune.helpers import same, squares, tune, untrained, weights
from tests.core.helpers import small_model, small_recipe

WIDE = {"size": (128, 128), "window": (128, 128)}


@pytest.mark.parametrize(
    ("size", "smaller"),
    [((128, 128), (96, 96)), ((256, 256), (160, 160)), ((96, 96), None), ((32, 160), (32, 96))],
)
def test_two_thirds_of_the_size(size: tuple[int, ...], smaller: tuple[int, ...] | None) -> None:
    assert smaller_size(small_recipe(2, size=size, window=size)) == smaller


def test_a_new_task_is_varied_more_than_a_known_one_in_every_way() -> None:
    info = small_model(2).info
    gently, anew = variation("light", info, "gently"), variation("strong", info, "anew")
    assert gently is not None
    assert anew is not None
    shapes = ("rotate_degrees", "scale", "shift")
    greys = ("brightness", "contrast", "gamma", "blur")
    for name in (*shapes, *greys):
        assert getattr(anew, name) > getattr(gently, name), name
    assert variation("none", info, "anew") is None


@pytest.mark.parametrize(
    ("iou", "labelled", "adapt"),
    [
        (0.36, 1.0, "gently"),
        (0.34, 1.0, "anew"),
        (0.46, 0.03, "anew"),  # seen on scribbles in images of a new task
        (0.72, 0.03, "gently"),  # and of one that the network knows
        (0.46, 0.5, "anew"),
        (0.48, 0.5, "gently"),
    ],
)
def test_few_labelled_voxels_say_less_for_a_network(
    iou: float, labelled: float, adapt: str
) -> None:
    assert way(make_settings(), iou, labelled) == adapt
    assert way(make_settings(adapt="gently"), iou, labelled) == "gently"


def test_volumes_and_windows_at_native_size_stay() -> None:
    assert smaller_size(small_recipe(3)) is None
    assert smaller_size(small_recipe(2)) is None


def test_objects_have_to_be_seen() -> None:
    assert large_enough([25, 400, 0])
    assert not large_enough([24, 3])
    assert not large_enough([0])


@pytest.mark.parametrize(
    ("adapt", "asked", "size"),
    [("anew", None, (96, 96)), ("gently", None, (128, 128)), ("anew", (128, 128), (128, 128))],
)
def test_a_new_task_is_learnt_smaller(
    adapt: str, asked: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    model = small_model(2, **WIDE)
    result = tune(model, squares(4), adapt=adapt, size=asked, epochs=1)
    assert result.candidate is not None
    recipe = result.candidate.info.recipe
    assert recipe.size == recipe.window == size
    assert model.info.recipe.size == (128, 128)


@pytest.mark.parametrize(
    ("adapt", "augmentation", "axes"),
    [("anew", "auto", (1,)), ("anew", "none", ()), ("gently", "auto", None)],
)
@pytest.mark.parametrize("asked", [None, (32, 32)])
def test_a_new_task_is_averaged_over_flips_that_it_saw_alone(
    adapt: str, augmentation: str, axes: tuple[int, ...] | None, asked: tuple[int, int] | None
) -> None:
    model = small_model(2, flips=True, **WIDE)
    result = tune(model, squares(4), adapt=adapt, augmentation=augmentation, size=asked, epochs=1)
    assert result.candidate is not None
    recipe = result.candidate.info.recipe
    assert recipe.flip_axes == axes
    assert recipe.flips is (axes != ())


def test_the_next_fine_tuning_sees_the_flips_of_a_new_task() -> None:
    model = small_model(2, flips=True, **WIDE)
    first = tune(model, squares(4), adapt="anew", epochs=1).candidate
    assert first is not None
    following = variation("light", first.info, "gently")
    assert following is not None
    assert following.flip_axes == (1,)
    assert not following.rotate_90


def test_small_objects_are_learnt_at_full_size() -> None:
    examples = []
    for one in squares(4):
        dot = np.zeros_like(one.labels)
        dot[tuple(np.argwhere(one.labels)[0])] = 1
        examples.append(replace(one, labels=dot))
    result = tune(small_model(2, **WIDE), examples, epochs=1)
    assert result.candidate is not None
    assert result.candidate.info.recipe.size == (128, 128)


def test_the_gate_looks_at_images_as_the_parent_saw_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, ...]] = []
    read_outs = evidence.read_outs

    def watched(network: LGMSNet, pieces: Sequence[Piece], device: torch.device) -> Any:
        shown.extend(tuple(piece.image.shape[1:]) for piece in pieces)
        return read_outs(network, pieces, device)

    monkeypatch.setattr(evidence, "read_outs", watched)
    result = tune(small_model(2, **WIDE), squares(4), epochs=1)
    assert result.candidate is not None
    assert result.candidate.info.recipe.size == (96, 96)
    assert shown == [(128, 128)] * 4


def test_practising_follows_the_parents_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    def learnt() -> dict[str, np.ndarray]:
        references = [one.image for one in squares(4, first=50)]
        return weights(tune(untrained(), squares(4), references=references, epochs=2))

    with_answers = learnt()
    assert same(with_answers, learnt())
    monkeypatch.setattr(Tuner, "_apart", lambda *_: 0.0)
    assert not same(with_answers, learnt())
