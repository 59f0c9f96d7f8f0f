"""How much memory a large image takes beside itself."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

PEAK = Path(__file__).resolve().parents[2] / "benchmarks" / "peak.py"
EDGE = 1536
PROGRAM = """
import json, sys
import numpy as np
import torch
from napari_lgmsnet import load, predict
from napari_lgmsnet.core.model import Model
from peak import begin, report

class StandIn(torch.nn.Module):
    def forward(self, batch):
        return batch[:, :1]

(edge,) = json.loads(sys.argv[1])
known = load("polyp-2d")
model = Model(StandIn(), known.info, known.sha256)
predict(model, np.zeros((192, 192, 3), np.uint8), native=True, device="cpu")
pixels = np.random.default_rng(0).integers(0, 255, (edge, edge, 3), dtype=np.uint8)
begin()
predict(model, pixels, native=True, flips=False, overlap=0.0, device="cpu")
report()
"""


@pytest.fixture
def peak() -> ModuleType:
    spec = util.spec_from_file_location("peak", PEAK)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much was taken since")
def test_an_image_in_native_windows_takes_its_input_and_its_result(peak: ModuleType) -> None:
    """Three colours in single precision, the probability and the mask: 17 bytes a pixel."""
    memory, _ = peak.measure(PROGRAM, EDGE)
    result = 5 * EDGE**2 / 1e6
    assert result < memory < 17 * EDGE**2 / 1e6 + 25
