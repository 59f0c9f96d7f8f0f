"""Checkpoints: every wrapping, safety, clear refusals, round trips."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.checkpoints import export_official, load, save, shipped
from napari_lgmsnet.core.errors import CheckpointError, InputError
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.network.official import to_official
from napari_lgmsnet.core.recipes import MR_3D, PAPER_KVASIR, PAPER_ULTRASOUND_SKIN
from napari_lgmsnet.core.resources import resource_folder
from tests.core.helpers import small_model

State = dict[str, Any]


def same_weights(a: Model, b: Model) -> bool:
    left, right = a.network.state_dict(), b.network.state_dict()
    return set(left) == set(right) and all(torch.equal(left[key], right[key]) for key in left)


def official_state(model: Model) -> State:
    return to_official(model.network.state_dict(), model.info.architecture)


WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "bare": lambda s: s,
    "trainer": lambda s: {
        "epoch": 3,
        "best_acc": np.float64(0.8),
        "state_dict": s,
        "optimizer": torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))]).state_dict(),
        "scheduler": {"last_epoch": 3, "base_lrs": [0.001]},
    },
    "data parallel": lambda s: {f"module.{k}": v for k, v in s.items()},
    "backbone": lambda s: {"state_dict": {f"backbone.{k}": v for k, v in s.items()}},
    "both": lambda s: {f"module.backbone.{k}": v for k, v in s.items()},
}


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_reads_official_files_in_every_wrapping(
    tmp_path: Path, wrapping: str, dimensions: int
) -> None:
    model = small_model(dimensions, in_channels=2, out_channels=3)
    path = tmp_path / "official.pth"
    torch.save(WRAPPINGS[wrapping](official_state(model)), path)
    loaded = load(path)
    assert loaded.info.architecture == model.info.architecture
    assert same_weights(loaded, model)


def test_own_format_keeps_everything(tmp_path: Path) -> None:
    model = small_model(3, out_channels=3)
    digest = save(tmp_path / "a.safetensors", model)
    loaded = load(tmp_path / "a.safetensors")
    assert loaded.info == model.info
    assert loaded.sha256 == digest
    assert same_weights(loaded, model)
    assert not loaded.network.training
    assert all(p.requires_grad for p in loaded.network.parameters())


def test_half_precision_keeps_norm_statistics_beyond_its_range(tmp_path: Path) -> None:
    model = small_model(2)
    statistics = {k: v for k, v in model.network.state_dict().items() if ".running_var" in k}
    for variance in statistics.values():
        variance.fill_(1e6)
    save(tmp_path / "half.safetensors", model, half=True)
    state = load(tmp_path / "half.safetensors").network.state_dict()
    assert statistics
    assert all(torch.equal(state[key], value) for key, value in statistics.items())


def test_half_precision_is_half_the_size(tmp_path: Path) -> None:
    model = small_model(2)
    save(tmp_path / "full.safetensors", model)
    save(tmp_path / "half.safetensors", model, half=True)
    assert next(load(tmp_path / "half.safetensors").network.parameters()).dtype == torch.float32
    with safe_open(tmp_path / "half.safetensors", "pt") as file:
        assert file.get_tensor("head.weight").dtype == torch.float16


def test_exports_what_the_authors_code_reads(tmp_path: Path) -> None:
    model = small_model(2, in_channels=3)
    export_official(tmp_path / "official.pth", model)
    state = torch.load(tmp_path / "official.pth", weights_only=True)
    assert {"stem.conv.0.weight", "Up_conv4.1.conv_spilt.dwconv3x3.weight"} <= set(state)
    assert same_weights(load(tmp_path / "official.pth"), model)


def test_saving_never_replaces_silently(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, small_model(2))
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"a\.safetensors"):
        save(path, small_model(2, seed=1))
    assert path.read_bytes() == before
    save(path, small_model(2, seed=1), overwrite=True)
    assert path.read_bytes() != before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


class Malicious:
    """Its pickle would create a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path: Path, legacy: bool) -> None:
    target, path = tmp_path / "executed", tmp_path / "malicious.pth"
    torch.save({"state_dict": Malicious(target)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="asks to run code"):
        load(path)
    assert not target.exists()
    path.write_bytes(pickle.dumps(Malicious(target)))
    with pytest.raises(CheckpointError):
        load(path)
    assert not target.exists()


def unet(path: Path) -> None:
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    torch.save(layers.state_dict(), path)


def zeros(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)


def truncated(path: Path) -> None:
    torch.save(official_state(small_model(2)), path)
    path.write_bytes(path.read_bytes()[:-2000])


def misshapen(path: Path) -> None:
    state = official_state(small_model(2))
    torch.save(state | {"Up5.up.1.weight": torch.zeros(1, 2, 3, 3)}, path)


def incomplete(path: Path) -> None:
    state = official_state(small_model(2))
    del state["Up5.up.1.weight"]
    torch.save(state, path)


def without_stage(path: Path) -> None:
    state = {k: v for k, v in official_state(small_model(2)).items() if "encoder2" not in k}
    torch.save(state, path)


def not_finite(path: Path) -> None:
    model = small_model(2)
    model.network.head.bias.data.fill_(float("nan"))
    torch.save(official_state(model), path)


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another network": (unet, "another network, not LGMSNet"),
    "empty": (lambda p: p.touch(), "is empty"),
    "truncated": (truncated, "cut short|damaged"),
    "zeros": (zeros, "neither a torch nor a safetensors file"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "text": (lambda p: p.write_text("hello, world"), "neither a torch"),
    "pickled list": (lambda p: torch.save([1, 2], p), "no state dict"),
    "misshapen": (misshapen, r"of another shape \(up5\.block\.conv\.weight \(1, 2, 3, 3\) instead"),
    "incomplete": (incomplete, r"1 missing \(up5\.block\.conv\.weight\)"),
    "without a stage": (without_stage, "not a whole LGMSNet"),
    "not finite": (not_finite, "not finite"),
    "missing": (lambda p: None, "no checkpoint"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_get_a_clear_answer(tmp_path: Path, kind: str) -> None:
    make, message = BAD_FILES[kind]
    path = tmp_path / "bad.pth"
    make(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path)
    assert "bad.pth" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}", "not a whole safetensors"),
        (b"\xff" * 100, "not a whole safetensors"),
    ],
)
def test_bad_safetensors_get_a_clear_answer(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "does not say which"),
        ({"format": "napari-lgmsnet", "version": "99", "model": "{}"}, "version 99"),
        ({"format": "napari-lgmsnet", "version": "1", "model": "{}"}, "not valid"),
    ],
)
def test_foreign_metadata_gets_a_clear_answer(
    tmp_path: Path, metadata: dict[str, str], message: str
) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_the_recipe_is_read_off_the_norm_statistics(tmp_path: Path) -> None:
    model = small_model(2, in_channels=3)
    state = official_state(model)
    energy = state["stem.conv.0.weight"].square().sum(dim=(1, 2, 3))
    for divisor, recipe in ((1.0, PAPER_KVASIR), (255.0**2, PAPER_ULTRASOUND_SKIN)):
        path = tmp_path / f"{recipe.name}.pth"
        torch.save(state | {"stem.conv.1.running_var": energy / divisor}, path)
        assert load(path).info.recipe == recipe
    assert load(path, PAPER_KVASIR).info.recipe == PAPER_KVASIR
    with pytest.raises(CheckpointError, match="choose another recipe"):
        load(path, MR_3D)


def test_shipped_checkpoints_are_what_the_index_lists() -> None:
    folder = resource_folder("weights")
    assert shipped()
    for name, entry in shipped().items():
        model = load(name)
        assert model.info.name == name
        assert model.sha256 == entry["sha256"]
        assert model.info.licence == entry["licence"]
    listed = {entry["file"] for entry in shipped().values()}
    assert {path.name for path in folder.glob("*.safetensors")} == listed


def test_a_file_that_differs_from_the_index_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.safetensors", small_model(2))
    entry = {"name": "a", "file": "a.safetensors", "sha256": "0" * 64}
    (tmp_path / "index.json").write_text(json.dumps({"checkpoints": [entry]}))
    monkeypatch.setattr(checkpoints, "resource_folder", lambda _name: tmp_path)
    monkeypatch.setattr(checkpoints, "shipped", lambda: {"a": entry})
    with pytest.raises(CheckpointError, match=r"not the file that weights/index\.json lists"):
        load("a")
