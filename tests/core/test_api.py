"""The names that Python users start from: arrays in, arrays out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import napari_lgmsnet as lgms
from napari_lgmsnet.core.errors import InputError, TrainingError
from tests.core.helpers import small_model
from tests.core.training.test_trainer import read_config, write_squares

PROJECT = Path(__file__).resolve().parents[2]
NAMES = [name for name in lgms.__all__ if not name.startswith("__")]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented_and_typed(name: str) -> None:
    thing = getattr(lgms, name)
    assert thing.__doc__ is not None
    assert "Parameters" in thing.__doc__
    table = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    assert re.search(rf"`{name}[(`]", table), "it is missing in docs/api.md"
    if inspect.isfunction(thing):
        hints = inspect.signature(thing)
        assert hints.return_annotation is not inspect.Signature.empty
        assert all(p.annotation is not p.empty for p in hints.parameters.values())


def test_training_and_its_checkpoint(tmp_path: Path) -> None:
    write_squares(tmp_path / "data", 8)
    read_config(tmp_path, 1)
    result = lgms.train(tmp_path / "config.toml", tmp_path / "data", tmp_path / "run")
    assert lgms.load(result.checkpoint).info.name == "squares"
    with pytest.raises(TrainingError, match="TOML"):
        lgms.train(tmp_path / "none.toml", tmp_path / "data", tmp_path / "run")


def test_fine_tuning_on_arrays() -> None:
    model = small_model(2, size=(32, 32))
    generator = np.random.default_rng(0)
    pairs = []
    for place in (4, 12):
        mask = np.zeros((36, 40), np.uint8)
        mask[place : place + 14, 6:26] = 1
        pairs.append((mask * 100 + generator.integers(0, 20, mask.shape), mask))
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    result = lgms.finetune(model, pairs, epochs=1, device="cpu")
    assert result.held_out
    assert result.verdict.reason
    after = model.network.state_dict()
    assert all((before[key] == after[key]).all() for key in before)
    with pytest.raises(InputError, match="epochs"):
        lgms.finetune(model, pairs, epochs=0)
