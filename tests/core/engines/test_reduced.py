"""Reduced precision: only where a person asks and the processor can, and never silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_lgmsnet import load, predict
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.device import processor_has_bfloat16
from napari_lgmsnet.core.engines import checked as checks
from napari_lgmsnet.core.engines import choice
from napari_lgmsnet.core.engines.names import BFLOAT16
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.settings_file import read_settings, settings_of, write_settings
from tests.core.engines.helpers import WINDOWS

needs_bfloat16 = pytest.mark.skipif(
    not processor_has_bfloat16(), reason="this processor has neither AVX-512 BF16 nor AMX"
)


@needs_bfloat16
@pytest.mark.parametrize(("checkpoint", "window"), [("polyp-2d", 2), ("hippocampus-3d", 3)])
def test_logits_are_rounded_and_near(checkpoint: str, window: int) -> None:
    network = load(checkpoint).network
    batch = checks.example(network, WINDOWS[window])
    with torch.inference_mode():
        reference = network(batch)

    built = checks.checked(BFLOAT16, network, batch, reference)

    assert built.engine.name == BFLOAT16
    away = checks.deviation(built.engine(batch), reference)
    assert checks.TOLERANCE < away < checks.REDUCED_TOLERANCE


@needs_bfloat16
def test_a_prediction_says_that_it_is_reduced_and_is_repeated_so(tmp_path: Path) -> None:
    model = load("polyp-2d")
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    exact = predict(model, image, device="cpu")

    reduced = predict(model, image, device="cpu", engine=BFLOAT16)

    assert reduced.engine == BFLOAT16
    assert not np.array_equal(reduced.probabilities, exact.probabilities)
    np.testing.assert_allclose(reduced.probabilities, exact.probabilities, atol=0.1)
    path = tmp_path / "settings.toml"
    write_settings(path, settings_of(reduced, "polyp-2d"))
    assert read_settings(path).settings.engine == BFLOAT16


def test_a_processor_without_bfloat16_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(choice, "processor_has_bfloat16", lambda: False)
    image = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(InputError, match='choose "openvino"'):
        predict(load("polyp-2d"), image, device="cpu", engine=BFLOAT16)

    Image.fromarray(image).save(tmp_path / "image.png")
    asked = ["--checkpoint", "polyp-2d", "--device", "cpu", "--engine", BFLOAT16]
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(tmp_path / "image.png"), *asked, "-o", str(tmp_path / "mask.png")])

    assert stopped.value.code == 2
    assert 'choose "openvino"' in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "mask.png").exists()


def test_exact_engines_are_not_what_a_result_depends_on() -> None:
    for engine in ("torch", "fused", "openvino", "auto"):
        asked = PredictSettings(device="cpu", engine=engine)
        assert asked.of_the_result() == PredictSettings()
    reduced = PredictSettings(device="cpu", engine="openvino-bfloat16").of_the_result()
    assert reduced.engine == BFLOAT16
