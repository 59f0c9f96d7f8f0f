"""`napari-lgmsnet evaluate`, driven as a person or a program would."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three pictures with masks of one square each."""
    folder = tmp_path / "data"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(3):
        mask = np.zeros((36, 40), np.uint8)
        mask[5 : 15 + 5 * i, 5:25] = 255
        pixels = GENERATOR.integers(0, 99, (36, 40, 3), dtype=np.uint8) + mask[..., None] // 2
        Image.fromarray(pixels).save(folder / "images" / f"case [{i}].png")
        Image.fromarray(mask).save(folder / "masks" / f"case [{i}].png")
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save(path, small_model(2, in_channels=3, colour="rgb", size=(32, 32)))
    return path


def test_tables_and_a_picture(
    data: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert run("evaluate", data, "-c", checkpoint, "-o", out, "-v") == 0
    printed = capsys.readouterr().out
    for word in ("Dice", "IoU", "HD95 (px)", "case [1]: Dice"):
        assert word in printed
    with (out / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ["case [0]", "case [1]", "case [2]"]
    with (out / "summary.csv").open(encoding="utf-8-sig", newline="") as file:
        means = {row["metric"]: row for row in csv.DictReader(file)}
    mean = np.mean([float(row["Dice"]) for row in rows])
    assert float(means["Dice"]["mean"]) == pytest.approx(mean)
    assert float(means["Dice"]["95 % from"]) <= mean <= float(means["Dice"]["95 % to"])
    picture = np.asarray(Image.open(out / "cases.png").convert("RGB")).astype(int)
    assert picture.shape[0] > 600
    orange = np.abs(picture - (255, 127, 14)).sum(axis=-1) < 30
    green = np.abs(picture - (44, 160, 44)).sum(axis=-1) < 30
    assert orange.any()
    assert green.any()
    assert run("evaluate", data, "-c", checkpoint, "-o", out) == 2
    assert "cases.csv" in capsys.readouterr().err


def test_masks_made_elsewhere_for_programs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for path in (data / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(mask // 255).save(made / f"{path.stem}_mask.png")
    references = data / "masks"
    assert run("evaluate", references, "--predictions", made, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    dice = next(row for row in found["summary"] if row["metric"] == "Dice")
    assert (dice["mean"], dice["cases"]) == (1.0, 3)
    assert found["cases"][0]["hd95"] == 0.0
    assert found["failed"] == []


def test_one_bad_case_is_named_and_the_rest_is_done(
    data: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "images" / "case [1].png").write_text("no picture")
    assert run("evaluate", data, "-c", checkpoint, "--json", "-q") == 1
    printed = capsys.readouterr()
    assert "case [1]" in printed.err
    found = json.loads(printed.out)
    assert [one["case"] for one in found["cases"]] == ["case [0]", "case [2]"]
    assert [one["case"] for one in found["failed"]] == ["case [1]"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say what made the masks"),
        (("--predictions", "x", "-c", "polyp-2d"), "not both"),
        (("-c", "none.pth"), "none.pth"),
        (("-c", "polyp-2d", "--masks", "nowhere"), "nowhere"),
        (("-c", "polyp-2d", "--list", "nolist"), "nolist"),
        (("-c", "polyp-2d", "--threshold", "2"), "threshold"),
    ],
)
def test_wrong_use_is_one_line(
    data: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", data, *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_masks_of_folders_inside_as_predict_makes_them(
    data: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("images", "masks"):
        (data / kind / "ward").mkdir()
        (data / kind / "case [1].png").rename(data / kind / "ward" / "case [0].png")
    made = tmp_path / "made"
    assert run("predict", data / "images", "-o", made, "-c", checkpoint, "-q") == 0
    assert (made / "ward" / "case [0]_mask.png").is_file()
    told = []
    for words in (["masks", "--predictions", made], ["", "-c", checkpoint]):
        assert run("evaluate", data / str(words[0]), *words[1:], "--json") == 0
        told.append(json.loads(capsys.readouterr().out))
    assert [one["case"] for one in told[0]["cases"]] == ["case [0]", "case [2]", "ward/case [0]"]
    means = [[row["mean"] for row in one["summary"] if row["metric"] == "Dice"] for one in told]
    assert means[0] == pytest.approx(means[1], abs=1e-9)
