"""What was done once can be written to a file, and done again with the same result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.recipes import RECIPES
from napari_lgmsnet.core.settings_file import (
    SavedSettings,
    read_settings,
    settings_of,
    write_settings,
)
from tests.core.helpers import small_model, small_recipe


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("recipe", [*RECIPES.values(), None])
def test_there_and_back(tmp_path: Path, recipe: object) -> None:
    settings = PredictSettings(threshold=0.3, flips=False, overlap=0.25, channels=(2, 0))
    saved = SavedSettings('odd "name" \\ ü.pth', "ab" * 32, recipe, settings, "auto")
    write_settings(tmp_path / "a.toml", saved)
    assert read_settings(tmp_path / "a.toml") == saved
    with pytest.raises(InputError, match="exists"):
        write_settings(tmp_path / "a.toml", saved)


def test_the_same_mask_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 44, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    checkpoint = tmp_path / "small.safetensors"
    save(checkpoint, small_model(2, size=(32, 32)))
    model = load(checkpoint, small_recipe(2, window=(64, 64), size=(64, 64)))
    prediction = predict(model, read(tmp_path / "a.png"), flips=True, channels=(1,))
    prediction = prediction.at_threshold(float(np.median(prediction.probabilities)))
    assert 0 < prediction.labels.mean() < 1
    file = tmp_path / "how.toml"
    write_settings(file, settings_of(prediction, checkpoint))
    image, out = tmp_path / "a.png", tmp_path / "mask.png"
    assert run("predict", image, "-o", out, "--settings", file, "-q") == 0
    assert np.array_equal(read_labels(out).data, prediction.labels)
    # Options go before the file.
    every = ("predict", image, "-o", out, "--settings", file, "-q", "--overwrite")
    assert run(*every, "--threshold", "0") == 0
    assert read_labels(out).data.all()
    save(checkpoint, small_model(2, size=(32, 32), seed=1), overwrite=True)
    assert run(*every) == 2
    assert "SHA-256" in capsys.readouterr().err


def test_a_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[checkpoint]\nname = "polyp-2d"\n')
    assert read_settings(path) == SavedSettings("polyp-2d", "", None, PredictSettings())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "TOML"),
        ("", "checkpoint"),
        ('[checkpoint]\nname = "a"\n[settings]\ncolour = 1\n', "colour"),
        ('[checkpoint]\nname = "a"\n[settings]\nthreshold = 2\n', "threshold"),
        ('[checkpoint]\nname = "a"\n[recipe]\nname = "b"\n', "recipe"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_settings(path)
