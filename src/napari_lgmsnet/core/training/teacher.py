"""A larger network whose answers a training run learns from, beside the masks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.training.config import TrainingConfig

GRAPHS = (".onnx", ".xml")


class Teacher:
    """Answers the run's own batches, so that it sees each image as varied as the pupil does.

    Parameters
    ----------
    path : Path
        A checkpoint of this package, or a network of any kind as ONNX (``.onnx``) or OpenVINO IR
        (``.xml``), which take the extra ``openvino`` and hold no code. A graph answers float32
        (B, C, *S), scaled by the run's recipe, with logits (B, K, *S).
    info : ModelInfo
        Of the pupil.
    device : torch.device

    Attributes
    ----------
    sha256 : str
        Of the file; of OpenVINO IR that of its two files' hashes.

    Raises
    ------
    TrainingError
        If the file is no network, or one for other images or classes.
    InputError
        If OpenVINO is needed and not installed.
    """

    def __init__(self, path: Path, info: ModelInfo, device: torch.device) -> None:
        if not path.is_file():
            raise TrainingError(f'there is no teacher "{path}"')
        self.sha256 = _sha256(path)
        self._device = device
        self._network: Any = None
        self._request: Any = None
        if path.suffix.lower() in GRAPHS:
            self._request = _compiled(path, _input_shape(info))
        else:
            model = load(path)
            ours, its = info.architecture, model.info.architecture
            if (its.in_channels, its.dimensions) != (ours.in_channels, ours.dimensions):
                raise _other_images(path, _input_shape(info))
            self._network = model.network.to(device)
        self._check(path, info)

    def __call__(self, images: Tensor) -> Tensor:
        """Return float32 logits (B, K, *S) of a float32 batch (B, C, *S)."""
        with torch.no_grad():
            if self._request is None:
                answer: Tensor = self._network(images)
                return answer.float()
            found = self._request.infer([images.cpu().contiguous().numpy()])
            return torch.from_numpy(found[0].copy()).to(self._device)

    def _check(self, path: Path, info: ModelInfo) -> None:
        window = info.recipe.window
        wanted = (1, info.architecture.out_channels, *window)
        found = tuple(self(torch.zeros(_input_shape(info), device=self._device)).shape)
        if found != wanted:
            raise TrainingError(
                f'the teacher "{path.name}" answers {found}, and the configuration asks for '
                f"{wanted}: it must know the same classes, and answer at the size of its input"
            )


def _input_shape(info: ModelInfo) -> tuple[int, ...]:
    return (1, info.architecture.in_channels, *info.recipe.window)


def taught(
    config: TrainingConfig, path: Path | None, device: torch.device
) -> tuple[TrainingConfig, Teacher | None]:
    """Return a run's configuration with its teacher's hash, and the teacher, if it has one.

    Raises
    ------
    TrainingError
        If the teacher cannot be used, or the configuration names another one.
    InputError
        If OpenVINO is needed and not installed.
    """
    if path is None:
        if config.teacher_sha256:
            raise TrainingError(
                "this configuration learns from a teacher (teacher_sha256 = "
                f'"{config.teacher_sha256}"): name its file (--teacher)'
            )
        return config, None
    teacher = Teacher(path, config.model_info(), device)
    if config.teacher_sha256 not in ("", teacher.sha256):
        raise TrainingError(
            f'"{path.name}" is another teacher than this configuration names: its hash is '
            f"{teacher.sha256}. Name the right file, or leave out teacher_sha256"
        )
    return config.model_copy(update={"teacher_sha256": teacher.sha256}), teacher


def _sha256(path: Path) -> str:
    numbers = path.with_suffix(".bin")
    if path.suffix.lower() != ".xml" or not numbers.is_file():
        return file_sha256(path)
    both = file_sha256(path) + file_sha256(numbers)
    return hashlib.sha256(both.encode()).hexdigest()


def _compiled(path: Path, shape: tuple[int, ...]) -> Any:
    openvino = optional("openvino", "openvino", "a teacher in ONNX or OpenVINO")
    wishes = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
    }
    try:
        graph = openvino.Core().read_model(path)
        # A graph does not refuse an array of another shape, it takes its numbers for another one.
        fits = [one.partial_shape.compatible(openvino.PartialShape(shape)) for one in graph.inputs]
        if fits == [True]:
            return openvino.Core().compile_model(graph, "CPU", wishes).create_infer_request()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TrainingError(f'the teacher "{path}" cannot be read ({reason})') from error
    raise _other_images(path, shape)


def _other_images(path: Path, shape: tuple[int, ...]) -> TrainingError:
    return TrainingError(
        f'the teacher "{path.name}" does not take images {shape}, which this configuration '
        "trains on: choose another teacher, or change [recipe]"
    )
