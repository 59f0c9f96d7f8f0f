"""The same image, checkpoint and settings are answered from memory, and only they."""

from __future__ import annotations

from dataclasses import replace

import dask.array
import numpy as np
import pytest
import torch

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.remembered import NOTE, Remembered
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model

SETTINGS = PredictSettings(engine="torch")
BYTES = 40 * 48 * (1 + 4)
"""Of one prediction: labels and one probability."""


@pytest.fixture
def model() -> Model:
    return small_model(2)


def image(seed: int = 0) -> Volume:
    data = np.random.default_rng(seed).normal(size=(40, 48)).astype(np.float32)
    return Volume.from_array(data, "YX", name=f"image {seed}")


def ask(
    memory: Remembered, model: Model, volume: Volume, settings: PredictSettings = SETTINGS
) -> Prediction:
    return progress.run(memory.iterate(model, volume, settings))


def recalled(prediction: Prediction) -> bool:
    return NOTE in prediction.notes


def test_the_same_is_recalled_and_nothing_runs(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Remembered()
    first = ask(memory, model, image())
    assert not recalled(first)
    # Would fail if anything ran the network.
    monkeypatch.setattr(model.network, "forward", None)

    again = replace(image(), name="the same under another name")
    second = ask(memory, model, again)

    assert recalled(second)
    assert second.volume is again
    np.testing.assert_array_equal(second.labels, first.labels)
    np.testing.assert_array_equal(second.probabilities, first.probabilities)


def test_another_threshold_is_cut_from_memory(model: Model) -> None:
    memory = Remembered()
    ask(memory, model, image())
    settings = PredictSettings(engine="torch", threshold=0.45)

    answer = ask(memory, model, image(), settings)

    assert recalled(answer)
    expected = ask(Remembered(), model, image(), settings)
    assert answer.settings == expected.settings
    np.testing.assert_array_equal(answer.labels, expected.labels)


def test_one_changed_pixel_is_another_image(model: Model) -> None:
    memory, volume = Remembered(), image()
    ask(memory, model, volume)
    data = volume.data.copy()
    data[17, 23] = np.nextafter(data[17, 23], np.float32(np.inf))

    assert not recalled(ask(memory, model, volume.with_data(data, "YX")))


def test_other_circumstances_are_not_the_same(model: Model) -> None:
    memory, volume = Remembered(), image()
    ask(memory, model, volume)

    assert not recalled(ask(memory, small_model(2, seed=1), volume))
    assert not recalled(ask(memory, model, volume, PredictSettings(engine="torch", flips=True)))
    wider = Volume.from_array(volume.data, "YX", (2.0, 2.0))
    assert not recalled(ask(memory, model, wider))
    same_bytes = Volume.from_array(volume.data.reshape(48, 40), "YX")
    assert not recalled(ask(memory, model, same_bytes))
    recipe = model.info.recipe.model_copy(update={"flips": True})
    assert not recalled(ask(memory, model.with_recipe(recipe), volume))
    with torch.no_grad():
        model.network.head.bias += 1
    assert not recalled(ask(memory, model, volume))


def test_the_oldest_is_forgotten_at_the_bound(model: Model) -> None:
    memory = Remembered(limit=2 * BYTES)
    ask(memory, model, image(0))
    ask(memory, model, image(1))
    assert memory.size == 2 * BYTES
    assert recalled(ask(memory, model, image(0)))  # now the younger one

    ask(memory, model, image(2))

    assert memory.size == 2 * BYTES
    assert recalled(ask(memory, model, image(0)))
    assert not recalled(ask(memory, model, image(1)))


def test_what_is_larger_than_the_bound_is_not_kept(model: Model) -> None:
    memory = Remembered(limit=BYTES - 1)
    ask(memory, model, image())

    assert memory.size == 0
    assert not recalled(ask(memory, model, image()))


def test_painting_into_an_answer_changes_no_other(model: Model) -> None:
    memory = Remembered()
    first = ask(memory, model, image())
    labels = first.labels.copy()
    first.labels[:] = 9
    first.probabilities[:] = 9
    second = ask(memory, model, image())
    np.testing.assert_array_equal(second.labels, labels)
    second.labels[:] = 9
    second.probabilities[:] = 9

    np.testing.assert_array_equal(ask(memory, model, image()).labels, labels)


def test_lazy_data_are_read_anew(model: Model) -> None:
    memory, volume = Remembered(), image()
    lazy = volume.with_data(dask.array.from_array(volume.data), "YX")
    ask(memory, model, lazy)

    assert memory.size == 0
    assert not recalled(ask(memory, model, lazy))
