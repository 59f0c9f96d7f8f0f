"""Training: it learns, resumes exactly after a kill, and refuses bad data before it starts."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.training.augment import Augmentation, paste_box
from napari_lgmsnet.core.training.config import (
    AugmentationConfig,
    DataConfig,
    TrainingConfig,
    read_training_config,
)
from napari_lgmsnet.core.training.data import list_cases, read_mask
from napari_lgmsnet.core.training.optimise import make_schedule
from napari_lgmsnet.core.training.samples import random_window
from napari_lgmsnet.core.training.trainer import train

CONFIG = """
name = "squares"
classes = ["square"]
epochs = {epochs}
batch_size = 4
learning_rate = 0.01
average_decay = 0.8

[architecture]
in_channels = 1
dims = [4, 8, 8, 8, 8]
splits = [[6, 2], [6, 2], [6, 2], [6, 2]]

[recipe]
name = "small"
title = "small"
dimensions = 2
size = [32, 32]
window = [32, 32]
intensity = {{ kind = "zscore" }}

[data]
foreground_above = 127

[augmentation]
flip_axes = [0, 1]
rotate_90 = true
rotate_degrees = 10
brightness = 0.1
"""


def write_squares(folder: Path, count: int = 20) -> None:
    """Write noisy pictures of a bright square each, and its mask."""
    generator = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(count):
        mask = np.zeros((40, 48), dtype=np.uint8)
        y, x = generator.integers(2, 24, 2)
        mask[y : y + 12, x : x + 12] = 255
        image = 40 + mask // 2 + generator.integers(0, 40, mask.shape)
        Image.fromarray(image.astype(np.uint8)).save(folder / "images" / f"case {i} (a).png")
        Image.fromarray(mask).save(folder / "masks" / f"case {i} (a).png")
    names = [f"case {i} (a)" for i in range(count)]
    (folder / "train.txt").write_text("\n".join(names[4:]) + "\n")
    (folder / "val.txt").write_text("\n".join(names[:4]) + "\n")


def read_config(folder: Path, epochs: int) -> TrainingConfig:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(epochs=epochs))
    return read_training_config(path)


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_it_learns_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    write_squares(tmp_path / "data")
    result = run(train(read_config(tmp_path, 12), tmp_path / "data", tmp_path / "run"))
    rows = log_of(tmp_path / "run")
    assert len(rows) == 12
    assert float(rows[-1]["loss"]) < 0.6 * float(rows[0]["loss"])
    assert result.dice > 0.8
    assert result.dice == pytest.approx(max(float(row["dice"]) for row in rows), rel=1e-4)
    with Image.open(tmp_path / "run" / "curve.png") as curve:
        assert curve.size == (700, 350)
        assert len(curve.convert("RGB").getcolors(100_000) or []) > 20
    model = load(result.checkpoint)
    assert model.info.training["epochs"] == 12
    assert model.info.classes[1].name == "square"


def test_shuffled_masks_do_not_train(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data)
    masks = sorted((data / "masks").iterdir())
    contents = [path.read_bytes() for path in masks]
    for path, content in zip(masks, contents[7:] + contents[:7], strict=True):
        path.write_bytes(content)
    result = run(train(read_config(tmp_path, 12), data, tmp_path / "run"))
    assert result.dice < 0.6


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    write_squares(tmp_path / "data")
    config = read_config(tmp_path, 5)
    run(train(config, tmp_path / "data", tmp_path / "whole"))

    command = [sys.executable, "-m", "napari_lgmsnet", "train", str(tmp_path / "config.toml")]
    command += ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "killed"), "--quiet"]
    process = subprocess.Popen(command)
    log = tmp_path / "killed" / "log.csv"
    deadline = time.monotonic() + 120
    while not (log.exists() and len(log.read_text().splitlines()) > 2):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = torch.load(tmp_path / "killed" / "last.pt", weights_only=True)
    assert state["epoch"] < 5

    run(train(config, tmp_path / "data", tmp_path / "killed"))
    assert log_of(tmp_path / "killed") == log_of(tmp_path / "whole")
    ends = [load(tmp_path / name / "best.safetensors").network for name in ("killed", "whole")]
    states = [network.state_dict() for network in ends]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_another_configuration_needs_another_folder(tmp_path: Path) -> None:
    write_squares(tmp_path / "data", 8)
    run(train(read_config(tmp_path, 1), tmp_path / "data", tmp_path / "run"))
    with pytest.raises(TrainingError, match="other settings"):
        run(train(read_config(tmp_path, 2), tmp_path / "data", tmp_path / "run"))


def test_a_run_that_its_data_stopped_may_begin_again_with_other_settings(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    bad = data / "images" / "case 5 (a).png"
    whole = bad.read_bytes()
    bad.write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"case 5 \(a\)"):
        run(train(read_config(tmp_path, 2), data, tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    bad.write_bytes(whole)
    run(train(read_config(tmp_path, 1), data, tmp_path / "run"))
    assert len(log_of(tmp_path / "run")) == 1


@pytest.mark.parametrize("schedule", ["one-cycle", "polynomial", "cosine"])
def test_short_runs_have_a_schedule(schedule: str) -> None:
    """Of 4 steps as well, the rise of which torch takes to have no length."""
    for steps in range(2, 9):
        weight = torch.nn.Parameter(torch.zeros(1))
        optimiser = torch.optim.AdamW([weight], lr=0.1)
        config = SimpleNamespace(schedule=schedule, learning_rate=0.1)
        rates = make_schedule(config, optimiser, steps)
        seen = []
        for _ in range(steps):
            seen.append(rates.get_last_lr()[0])
            optimiser.step()
            if len(seen) < steps:
                rates.step()
        assert 0.05 < max(seen) <= 0.1 + 1e-9
        assert min(seen) > 0


def test_every_bad_pair_is_listed_before_training_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 10)
    (data / "masks" / "case 5 (a).png").unlink()
    (data / "images" / "case 6 (a).png").unlink()
    with pytest.raises(TrainingError) as caught:
        run(train(read_config(tmp_path, 1), data, tmp_path / "run"))
    assert '"case 5 (a)" has no mask' in str(caught.value)
    assert '"case 6 (a)" has no image' in str(caught.value)


def test_masks_of_another_size_or_with_unknown_values_are_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 10)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(data / "masks" / "case 5 (a).png")
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(epochs=1).replace("foreground_above = 127", ""))
    with pytest.raises(TrainingError) as caught:
        run(train(read_training_config(path), data, tmp_path / "run"))
    assert "differ in size" in str(caught.value)
    assert "foreground_above = 127" in str(caught.value)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB"])
def test_masks_of_every_picture_mode_are_read_alike(tmp_path: Path, mode: str) -> None:
    mask = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    mask.convert(mode).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png", 127).data.tolist() == [[0, 1], [1, 0]]


def test_a_class_that_no_case_shows_is_an_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    for path in (data / "masks").iterdir():
        Image.fromarray(np.zeros((40, 48), np.uint8)).save(path)
    with pytest.raises(TrainingError, match='no training case shows "square"'):
        run(train(read_config(tmp_path, 1), data, tmp_path / "run"))


def write_tables(data: Path) -> None:
    """Write train.csv and val.csv instead of the lists, with paths of both common kinds."""
    for name in ("train", "val"):
        cases = (data / f"{name}.txt").read_text().splitlines()
        rows = ["image;mask"]
        rows += [f"images/{case}.png;{data.resolve() / 'masks' / case}.png" for case in cases]
        (data / f"{name}.csv").write_text("\n".join(rows) + "\n")


def tables_config(folder: Path) -> TrainingConfig:
    config = read_config(folder, 1)
    lists = {"train": "train.csv", "validation": "val.csv"}
    return config.model_copy(update={"data": config.data.model_copy(update=lists)})


def test_tables_of_paths_name_the_same_cases(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    write_tables(data)
    for name, table in (("train.txt", "train.csv"), ("val.txt", "val.csv")):
        listed = list_cases(data, DataConfig(), name)
        tabled = list_cases(data, DataConfig(), table)
        assert [case.name for case in listed] == [case.name for case in tabled]
        for one, other in zip(listed, tabled, strict=True):
            assert one.image.samefile(other.image)
            assert one.mask.samefile(other.mask)
    run(train(tables_config(tmp_path), data, tmp_path / "run"))
    assert len(log_of(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("image,mask\nimages/none.png,masks/none.png", 'row 1: there is no image "images/none'),
        ("image,mask\nimages/case 1 (a).png,", "row 1 names no mask"),
        ("picture,mask\nimages/case 1 (a).png,masks/case 1 (a).png", "picture, mask"),
        ("image,mask\n" + 2 * "images/case 1 (a).png,masks/case 1 (a).png\n", "2 times"),
    ],
)
def test_bad_tables_are_said(tmp_path: Path, rows: str, message: str) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    write_tables(data)
    (data / "train.csv").write_text(rows)
    with pytest.raises(TrainingError, match=re.escape(message)):
        run(train(tables_config(tmp_path), data, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_case_in_both_tables_is_an_error_whatever_it_is_called(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    write_tables(data)
    (data / "val.csv").write_text(
        "name,image,mask\nother,images/case 5 (a).png,masks/case 5 (a).png\n"
    )
    with pytest.raises(TrainingError, match="both trained on and validated on"):
        run(train(tables_config(tmp_path), data, tmp_path / "run"))


def test_a_validation_case_among_the_training_cases_is_an_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    (data / "val.txt").write_text("case 5 (a)\n")
    with pytest.raises(TrainingError, match="both trained on and validated on"):
        run(train(read_config(tmp_path, 1), data, tmp_path / "run"))


RECIPE_OF_48 = (
    'recipe = { name = "a", title = "a", dimensions = 2, window = [48, 48], '
    'intensity = { kind = "zscore" } }'
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs = 0", "epochs"),
        ("unknown = 1", "unknown"),
        ('recipe = "nonsense"', "nonsense"),
        ("not toml", "TOML"),
        (RECIPE_OF_48, r'"config.toml", recipe: window \(48, 48\): every size is a multiple of 32'),
    ],
)
def test_bad_configurations_are_said(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "config.toml"
    text = CONFIG.format(epochs=1)
    key = change.split(" ", maxsplit=1)[0]
    kept = [line for line in text.splitlines() if not line.startswith(f"{key} ")]
    if key == "recipe":
        start, end = kept.index("[recipe]"), kept.index("[data]")
        kept = kept[:start] + kept[end:]
    path.write_text("\n".join([change, *kept]))
    with pytest.raises(Exception, match=message) as caught:
        read_training_config(path)
    assert "nonsense" in change or isinstance(caught.value, TrainingError)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_augmentation_is_determined_by_its_seed(dimensions: int) -> None:
    config = AugmentationConfig(
        flip_axes=tuple(range(dimensions)),
        rotate_90=dimensions == 2,
        rotate_degrees=20,
        scale=0.2,
        shear=0.1,
        shift=0.1,
        brightness=0.2,
        contrast=0.2,
        gamma=0.3,
        noise=0.1,
        blur=1.0,
        bias_field=0.2,
        erase=1.0,
    )
    size = (32,) * dimensions
    augmentation = Augmentation(config, size)
    image = torch.randn(1, *size)
    mask = (torch.rand(1, *size) > 0.7).to(torch.uint8) * 2
    first, second = augmentation(image, mask, 5), augmentation(image, mask, 5)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], augmentation(image, mask, 6)[0])
    assert first[0].shape == image.shape
    assert set(first[1].unique().tolist()) <= {0, 2}


@pytest.mark.parametrize("size", [(32, 24), (16, 20, 12)])
def test_a_pasted_box_is_the_same_in_image_and_mask(size: tuple[int, ...]) -> None:
    onto = torch.zeros(3, *size), torch.zeros(1, *size, dtype=torch.uint8)
    other = torch.ones(3, *size), torch.full((1, *size), 2, dtype=torch.uint8)
    image, mask = paste_box(onto, other, 7)
    assert torch.equal(image[:1] == 1, mask == 2)
    assert 0 < int((mask == 2).sum()) < mask.numel()
    assert not onto[0].any()
    assert torch.equal(image, paste_box(onto, other, 7)[0])
    assert not torch.equal(image, paste_box(onto, other, 8)[0])


def test_erasing_blanks_the_image_only() -> None:
    augmentation = Augmentation(AugmentationConfig(erase=1.0), (32, 32))
    image, mask = torch.ones(2, 32, 32), torch.ones(1, 32, 32, dtype=torch.uint8)
    erased, same = augmentation(image, mask, 3)
    assert 0 < int((erased == 0).sum()) < erased.numel() // 2
    assert torch.equal(same, mask)


def test_image_and_mask_move_together() -> None:
    config = AugmentationConfig(flip_axes=(0, 1), rotate_90=True, rotate_degrees=20, scale=0.2)
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    mask[:, 20:44, 26:40] = 1
    for seed in range(10):
        image, moved = Augmentation(config, (64, 64))(mask.float(), mask, seed)
        assert ((image > 0.5) != (moved > 0)).float().mean() < 0.01


def test_windows_hold_image_and_mask_of_the_same_place() -> None:
    image = torch.arange(40.0 * 20).view(1, 40, 20)
    mask = (image % 251).to(torch.uint8)
    for seed in range(5):
        window, cut = random_window(image, mask, (32, 32), seed)
        assert window.shape == cut.shape == (1, 32, 32)
        assert torch.equal((window % 251).to(torch.uint8), cut)
