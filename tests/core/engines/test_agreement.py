"""Every engine says what plain torch says, or is not used."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_lgmsnet import load, predict
from napari_lgmsnet.core.engines import checked as checks
from napari_lgmsnet.core.engines.choice import Engines
from napari_lgmsnet.core.engines.fused import FusedEngine
from napari_lgmsnet.core.engines.names import installed
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.network import LGMSNet
from tests.core.engines.helpers import CPU, WINDOWS, choose, run, trained_network
from tests.core.helpers import small_model

OTHERS = [name for name in installed() if name != "torch"]


def allowed(name: str, dimensions: int) -> float:
    """How far logits may be from plain torch's: OpenVINO's instance norm rounds more coarsely."""
    return 5e-4 if (name, dimensions) == ("openvino", 3) else 5e-5


def build(name: str, network: LGMSNet, window: tuple[int, ...]) -> checks.Engine:
    return checks.BUILDERS[name](network, window, 1)


def answer(network: LGMSNet, batch: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(batch)


def test_all_engines_are_tested() -> None:
    assert OTHERS == ["fused", "openvino"]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("name", OTHERS)
def test_logits_agree(name: str, dimensions: int) -> None:
    network, window = trained_network(dimensions), WINDOWS[dimensions]
    batch = torch.cat([checks.example(network, window), 3 * checks.example(network, window) - 1])

    logits = build(name, network, window)(batch)

    assert logits.shape == (2, network.architecture.out_channels, *window)
    assert logits.dtype == torch.float32
    assert checks.deviation(logits, answer(network, batch)) < allowed(name, dimensions)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("checkpoint", ["polyp-2d", "hippocampus-3d"])
def test_shipped_checkpoints_agree(name: str, checkpoint: str) -> None:
    model = load(checkpoint)
    window = (96, 96) if model.info.recipe.dimensions == 2 else (32, 32, 32)
    batch = checks.example(model.network, window)

    logits = build(name, model.network, window)(batch)

    away = checks.deviation(logits, answer(model.network, batch))
    assert away < allowed(name, model.info.recipe.dimensions)


@pytest.mark.parametrize("name", OTHERS)
def test_an_engine_keeps_its_answers_and_leaves_the_network_alone(name: str) -> None:
    network, window = trained_network(2), WINDOWS[2]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    engine, batch = build(name, network, window), checks.example(network, window)

    first = engine(batch)
    kept = first.clone()
    engine(-batch)

    torch.testing.assert_close(first, kept, rtol=0, atol=0)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", OTHERS)
def test_predictions_are_those_of_plain_torch(name: str) -> None:
    model = small_model(2, in_channels=3, colour="rgb", size=(64, 64))
    image = np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)

    plain = predict(model, image, engine="torch", flips=True)
    other = predict(model, image, engine=name, flips=True)

    assert (plain.engine, other.engine) == ("torch", name)
    assert name in other.describe()
    assert other.notes == ()
    np.testing.assert_allclose(other.probabilities, plain.probabilities, atol=1e-4)


class Broken:
    """An engine that is a little wrong."""

    name = "fused"

    def __init__(self, network: LGMSNet, window: tuple[int, ...], threads: int) -> None:
        self._right = FusedEngine(network)

    def __call__(self, batch: Tensor) -> Tensor:
        logits = self._right(batch)
        wrong = torch.zeros_like(logits)
        # One voxel, by a hundredth of the spread.
        wrong.view(-1)[7] = 0.01 * (logits.max() - logits.min())
        return logits + wrong


class NoNumbers(Broken):
    def __call__(self, batch: Tensor) -> Tensor:
        return self._right(batch) * math.nan


class Unable(Broken):
    def __call__(self, batch: Tensor) -> Tensor:
        raise RuntimeError("operation not supported\nby this processor")


@pytest.mark.parametrize(
    ("broken", "words"),
    [(Broken, "away from plain torch"), (NoNumbers, "inf"), (Unable, "operation not supported")],
)
def test_a_wrong_engine_is_not_used_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, broken: Any, words: str
) -> None:
    monkeypatch.setitem(checks.BUILDERS, "fused", broken)
    model = small_model(2, in_channels=3, colour="rgb", size=(64, 64))
    image = np.zeros((64, 64, 3), np.uint8)

    prediction = predict(model, image, engine="fused")

    assert prediction.engine == "torch"
    assert len(prediction.notes) == 1
    assert "fused is not used" in prediction.notes[0]
    assert words in prediction.notes[0]
    expected = predict(model, image, engine="torch")
    np.testing.assert_array_equal(prediction.probabilities, expected.probabilities)


def test_an_engine_follows_changed_weights() -> None:
    network = trained_network(2)
    engines, batch = Engines(network), checks.example(network, WINDOWS[2])
    before, _ = choose(engines, "fused")
    with torch.no_grad():
        network.head.bias += 1

    after, _ = choose(engines, "fused")

    assert checks.deviation(before.engine(batch), answer(network, batch)) > 1e-3
    assert checks.deviation(after.engine(batch), answer(network, batch)) < 5e-5


def test_an_engine_is_built_once() -> None:
    engines = Engines(trained_network(2))

    first, second = choose(engines, "fused")[0], choose(engines, "fused")[0]

    assert first.engine is second.engine


def test_where_somebody_listens_the_network_itself_runs() -> None:
    network = trained_network(2)
    heard = []
    handle = network.encoder4.register_forward_hook(lambda *_: heard.append(1))
    engines = Engines(network)

    chosen, _ = choose(engines, "fused")
    chosen.engine(checks.example(network, WINDOWS[2]))

    assert heard == [1]
    handle.remove()
    assert choose(engines, "fused")[0].engine.name == "fused"


def test_wrong_wishes_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Model = small_model(2, in_channels=3, colour="rgb", size=(32, 32))
    with pytest.raises(InputError, match="engine"):
        predict(model, np.zeros((32, 32, 3), np.uint8), engine="warp")
    with pytest.raises(InputError, match="runs on the processor only"):
        run(model.engines.choose("fused", (32, 32), 1, torch.device("cuda")))
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"napari-lgmsnet\[openvino\]"):
        run(model.engines.choose("openvino", (32, 32), 1, CPU))
