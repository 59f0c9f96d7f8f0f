"""Two processes train as one does: a real torchrun, gloo, and the same curve."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.training import trainer
from napari_lgmsnet.core.training.config import read_training_config
from napari_lgmsnet.core.training.processes import Processes
from napari_lgmsnet.core.training.trainer import train
from tests.core.training.test_trainer import read_config, write_squares

# Where the processor has bfloat16, sums in another order would be rounded far more.
IN_FULL_PRECISION = """
from contextlib import nullcontext
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.training import trainer
from napari_lgmsnet.core.training.config import read_training_config

trainer.autocast = lambda device: nullcontext()
main()
"""


def curve(folder: Path) -> np.ndarray:
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[key]) for key in ("loss", "dice", "iou")] for row in rows])


def test_two_processes_have_the_curve_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 15 cases in batches of 4: the shares of two processes differ in size.
    write_squares(tmp_path / "data", 19)
    # Adam divides gradients by their size, and so makes rounding errors as large as they are;
    # and at ten times this rate one and two threads of a single process already differ by 5e-4.
    read_config(tmp_path, 2)
    text = (tmp_path / "config.toml").read_text().replace("rate = 0.01", "rate = 0.001")
    (tmp_path / "config.toml").write_text(f'optimiser = "sgd"\n{text}')
    config = read_training_config(tmp_path / "config.toml")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    (tmp_path / "driver.py").write_text(IN_FULL_PRECISION)
    command += [str(tmp_path / "driver.py"), "train", str(tmp_path / "config.toml")]
    command += ["--data", str(tmp_path / "data"), "-o", str(tmp_path / "two"), "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) == 1  # one of them speaks
    monkeypatch.setattr(trainer, "autocast", lambda device: nullcontext())
    run(train(config, tmp_path / "data", tmp_path / "one"))
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert one.shape == two.shape == (2, 3)
    # Shares that were not weighted by their sizes would differ by 6e-5.
    assert np.allclose(one[:, 0], two[:, 0], rtol=3e-5)
    assert one[1, 0] < one[0, 0] * (1 - 1e-3)  # and what was compared is a curve, not a line
    assert np.allclose(one[:, 1:], two[:, 1:], atol=0.02)
    # And a run that two began, one can go on with.
    state = torch.load(tmp_path / "two" / "last.pt", weights_only=True)
    assert state["epoch"] == 2
    assert not any(key.startswith("module.") for key in state["network"])
    assert load(tmp_path / "two" / "best.safetensors").info.name == "squares"


def test_batches_must_hold_an_image_for_everyone() -> None:
    Processes(0, 2).check_batches(cases=4, steps=2)
    with pytest.raises(TrainingError, match="smallest batch has 1"):
        Processes(0, 2).check_batches(cases=3, steps=2)


def test_shares_make_up_the_whole() -> None:
    all_of_them = [Processes(rank, 3) for rank in range(3)]
    shares = [one.share(np.arange(8)) for one in all_of_them]
    assert np.concatenate(shares).tolist() == list(range(8))
    assert sum(one.weight(len(s), 8) for one, s in zip(all_of_them, shares, strict=True)) == 3
    dealt = [list(one.mine(list("abcdefgh"))) for one in all_of_them]
    assert sorted("".join(map("".join, dealt))) == list("abcdefgh")


def test_alone_nothing_is_wrapped() -> None:
    network = nn.Linear(2, 2)
    assert Processes().wrap(network, torch.device("cpu")) is network
    assert Processes().gathered([1, 2]) == [1, 2]
    assert Processes().total(2.5) == 2.5
