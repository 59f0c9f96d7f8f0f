"""What makes a training process quick is done in processes of its own, and in no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_lgmsnet.cli import main
from napari_lgmsnet.core import device

SMALL = "float((torch.full((64,), 1e-38) / 10).max())"
DEDICATED = f"""
import torch
from napari_lgmsnet.core.dedicated import dedicate_process
before = {SMALL}
dedicate_process()
print(before > 0, {SMALL})
"""
COMMAND = f"""
import sys, torch
from napari_lgmsnet.cli import main
sys.argv = ["napari-lgmsnet", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(end.code, {SMALL})
"""

CHILD = f"""
import io, os, torch
from napari_lgmsnet.core.finetune import child
from napari_lgmsnet.core.finetune.order import Order
from napari_lgmsnet.core.finetune.wire import receive, send

def job(*arguments, **more):
    return {SMALL}
    yield

child.fine_tune = job
ours, its = os.pipe()
wishes = os.fdopen(its, "wb")
send(wishes, Order(None, (), None, (), None, 0))
wishes.flush()
news = io.BytesIO()
child.work(os.fdopen(ours, "rb"), news)
news.seek(0)
print(receive(news))
"""

# Most voxels lie in the first of three thick slices, at a coordinate of 0.
SURFACES = """
import numpy as np
from napari_lgmsnet.core.metrics import surface_distances
mask = np.zeros((3, 6, 6), dtype=bool)
mask[0], mask[2, 2:4, 2:4] = True, True
other = np.roll(mask, 1, axis=2)
print("%.6f %.6f" % surface_distances(mask, other, np.diag([40.0, 1.0, 1.0])))
"""


def _said(program: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout.strip()


def _denormal() -> float:
    return float((torch.full((64,), 1e-38) / 10).max())


def test_denormal_numbers_become_0(tmp_path: Path) -> None:
    assert _said(DEDICATED, tmp_path) == "True 0.0"


def test_surfaces_along_the_edge_of_an_image_are_compared_where_denormal_numbers_are_0(
    tmp_path: Path,
) -> None:
    dedicated = "from napari_lgmsnet.core.dedicated import dedicate_process as d; d()\n"
    assert _said(dedicated + SURFACES, tmp_path) == _said(SURFACES, tmp_path) == "0.050000 0.050000"


@pytest.mark.parametrize(
    "command",
    ["train missing.toml --data . --run run", "finetune missing -c polyp-2d -o new.safetensors"],
)
def test_training_by_command_is_a_process_of_its_own(tmp_path: Path, command: str) -> None:
    assert _said(COMMAND, tmp_path, *command.split()) == "2 0.0"


def test_the_window_trains_in_a_process_that_does_nothing_else(tmp_path: Path) -> None:
    assert _said(CHILD, tmp_path) == "0.0"


def test_a_program_that_calls_the_command_line_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["train", str(tmp_path / "missing.toml"), "--data", ".", "--run", "run"])

    assert _denormal() > 0


@pytest.mark.parametrize("pays", [True, False])
def test_training_is_reduced_only_where_that_is_quicker(
    monkeypatch: pytest.MonkeyPatch, pays: bool
) -> None:
    monkeypatch.setattr(device, "processor_has_bfloat16", lambda: True)
    monkeypatch.setattr(device, "_bfloat16_pays", lambda: pays)
    with device.autocast(torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu") is pays
