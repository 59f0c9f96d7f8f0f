"""Learning from a larger network's answers beside the masks, or instead of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.training.config import TrainingConfig
from napari_lgmsnet.core.training.teacher import Teacher
from napari_lgmsnet.core.training.trainer import train
from tests.core.training.test_trainer import log_of, read_config, write_squares

CPU = torch.device("cpu")


def with_wrong_masks(data: Path) -> None:
    """Give every training picture another one's mask; validation keeps its own."""
    names = (data / "train.txt").read_text().splitlines()
    masks = [data / "masks" / f"{name}.png" for name in names]
    contents = [path.read_bytes() for path in masks]
    for path, content in zip(masks, contents[7:] + contents[:7], strict=True):
        path.write_bytes(content)


def only_the_teacher(config: TrainingConfig, weight: float) -> TrainingConfig:
    zero = {"dice_weight": 0.0, "cross_entropy_weight": 0.0, "teacher_weight": weight}
    return config.model_copy(update=zero)


def written(path: Path, convolution: nn.Conv2d) -> Path:
    """Write one convolution as OpenVINO IR."""
    openvino = pytest.importorskip("openvino")
    nodes = pytest.importorskip("openvino.opset13")
    assert convolution.bias is not None
    weight, bias = (p.detach().numpy() for p in (convolution.weight, convolution.bias))
    strides, edge = list(convolution.stride), [convolution.padding[0]] * 2
    x = nodes.parameter([-1, weight.shape[1], 32, 32], np.float32)
    y = nodes.convolution(x, nodes.constant(weight), strides, edge, edge, [1, 1])
    y = nodes.add(y, nodes.constant(bias.reshape(1, -1, 1, 1)))
    openvino.save_model(openvino.Model([y], [x], "teacher"), path, compress_to_fp16=False)
    return path


def test_a_pupil_learns_from_its_teacher_alone_and_not_from_wrong_masks(tmp_path: Path) -> None:
    write_squares(tmp_path / "data")
    teacher = run(train(read_config(tmp_path, 12), tmp_path / "data", tmp_path / "teacher"))
    with_wrong_masks(tmp_path / "data")
    config = read_config(tmp_path, 12)
    taught, untaught = (only_the_teacher(config, weight) for weight in (1.0, 0.0))
    path = teacher.checkpoint
    pupil = run(train(taught, tmp_path / "data", tmp_path / "pupil", teacher=path))
    idle = run(train(untaught, tmp_path / "data", tmp_path / "idle", teacher=path))
    assert pupil.dice > 0.75
    assert idle.dice < 0.6
    origin = load(path)
    assert load(pupil.checkpoint).info.training["teacher_sha256"] == origin.sha256


def test_a_graph_answers_as_the_network_it_was_made_from(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, 3, padding=1)
    info = read_config(tmp_path, 1).model_info()
    teacher = Teacher(written(tmp_path / "teacher.xml", network), info, CPU)
    images = torch.randn(3, 1, 32, 32).to(memory_format=torch.channels_last)
    with torch.no_grad():
        assert torch.allclose(teacher(images), network(images), atol=1e-5)
        network.bias += 1.0  # type: ignore[operator] # it has one
    # Layout and numbers lie in two files: a teacher is known by both.
    other = written(tmp_path / "other.xml", network)
    assert Teacher(other, info, CPU).sha256 != teacher.sha256


def test_a_run_goes_on_with_its_own_teacher_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_squares(data, 8)
    config = read_config(tmp_path, 1)
    first = run(train(config, data, tmp_path / "a")).checkpoint
    second = run(train(config.model_copy(update={"seed": 5}), data, tmp_path / "b")).checkpoint
    run(train(config, data, tmp_path / "taught", teacher=first))
    assert len(log_of(tmp_path / "taught")) == 1
    run(train(config, data, tmp_path / "taught", teacher=first))
    for teacher in (second, None):
        with pytest.raises(TrainingError, match="other settings"):
            run(train(config, data, tmp_path / "taught", teacher=teacher))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "none.xml", "there is no teacher"),
        (lambda path: garbage(path / "bad.onnx"), "cannot be read"),
        (lambda path: written(path / "a.xml", nn.Conv2d(3, 1, 1)), "does not take images"),
        (lambda _: load("polyp-2d").path, "does not take images"),
        (lambda _: load("hippocampus-3d").path, "does not take images"),
        (lambda path: written(path / "b.xml", nn.Conv2d(1, 4, 1)), "must know the same classes"),
        (lambda path: written(path / "c.xml", nn.Conv2d(1, 1, 2, 2)), "at the size of its"),
    ],
)
def test_teachers_that_do_not_fit_are_said(tmp_path: Path, make: Any, message: str) -> None:
    write_squares(tmp_path / "data", 8)
    teacher = make(tmp_path)
    job = train(read_config(tmp_path, 1), tmp_path / "data", tmp_path / "run", teacher=teacher)
    with pytest.raises(TrainingError, match=message):
        run(job)
    assert not (tmp_path / "run").exists()


def garbage(path: Path) -> Path:
    pytest.importorskip("openvino")
    path.write_bytes(b"no network")
    return path


def test_a_configuration_that_names_its_teacher_takes_no_other(tmp_path: Path) -> None:
    write_squares(tmp_path / "data", 8)
    config = read_config(tmp_path, 1)
    path = run(train(config, tmp_path / "data", tmp_path / "run")).checkpoint
    named = config.model_copy(update={"teacher_sha256": "0" * 64})
    for teacher, message in ((None, "name its file"), (path, "is another teacher")):
        with pytest.raises(TrainingError, match=message):
            run(train(named, tmp_path / "data", tmp_path / "new", teacher=teacher))


def test_the_command_takes_a_teacher(tmp_path: Path) -> None:
    write_squares(tmp_path / "data", 8)
    read_config(tmp_path, 1)
    command = [sys.executable, "-m", "napari_lgmsnet", "train", str(tmp_path / "config.toml")]
    command += ["--data", str(tmp_path / "data"), "--quiet", "--run"]
    subprocess.run([*command, str(tmp_path / "a")], check=True)
    best = tmp_path / "a" / "best.safetensors"
    subprocess.run([*command, str(tmp_path / "b"), "--teacher", str(best)], check=True)
    assert load(tmp_path / "b" / "best.safetensors").info.training["teacher_sha256"]
    done = subprocess.run(
        [*command, str(tmp_path / "c"), "--teacher", str(tmp_path / "none.onnx")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "there is no teacher" in " ".join(done.stderr.split())
