"""Checkpoints: find, read safely, verify, write.

Two kinds are read. The project's own is safetensors with a JSON description in its header. The
authors' is a torch file with official keys, read with ``weights_only=True`` and nothing else: a
file that needs more than tensors and plain containers is refused, never executed.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_lgmsnet.core.catalogue import FORMAT, FORMAT_VERSION, SUFFIX, shipped
from napari_lgmsnet.core.errors import CheckpointError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.model import Model, ModelInfo, default_classes
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.network.architecture import Architecture
from napari_lgmsnet.core.network.official import (
    from_official,
    infer_architecture,
    looks_official,
    module_names,
    strip_wrappers,
    to_official,
)
from napari_lgmsnet.core.recipes import (
    GREY_2D,
    MR_3D,
    PAPER_BTCV,
    PAPER_KVASIR,
    PAPER_ULTRASOUND_SKIN,
    Recipe,
)
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.validation import first_problem

__all__ = ["build", "export_official", "file_sha256", "guess_recipe", "load", "save", "shipped"]


def load(path_or_name: str | Path, recipe: Recipe | None = None) -> Model:
    """Load a checkpoint.

    Parameters
    ----------
    path_or_name : str or Path
        A file (the project's ``.safetensors``, or the authors' ``.pth``), or the name of a
        checkpoint that ships with the package (see :func:`shipped`).
    recipe : Recipe, optional
        Used instead of the checkpoint's own. A bare official file names none: then a recipe is
        guessed (:func:`guess_recipe`).

    Returns
    -------
    Model
        On the CPU, in float32 and evaluation mode.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, or it cannot be used; the message says why.
    """
    path, expected_sha256 = _locate(path_or_name)
    sha256 = file_sha256(path)
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise CheckpointError(
            f'"{path.name}" is not the file that weights/index.json lists (SHA-256 {sha256[:12]}… '
            f"instead of {expected_sha256[:12]}…): install the package again"
        )
    own = _is_safetensors(path)
    state, info = _read_own(path) if own else _read_official(path)
    network = build(state, info.architecture, path)
    model = Model(network, info, sha256, path)
    if recipe is None:
        return model
    try:
        return model.with_recipe(recipe)
    except pydantic.ValidationError as error:
        raise CheckpointError(
            f'recipe "{recipe.name}" is for {recipe.dimensions}D, "{path.name}" is a '
            f"{info.architecture.dimensions}D network: choose another recipe"
        ) from error


def save(path: str | Path, model: Model, *, half: bool = False, overwrite: bool = False) -> str:
    """Write a checkpoint in the project's own format, atomically.

    Parameters
    ----------
    path : str or Path
        Ends in ``.safetensors``.
    model : Model
    half : bool
        Store weights as float16, for files that ship. Norm statistics stay float32: their
        variances leave float16's range.
    overwrite : bool
        Replace an existing file; otherwise that is an error.

    Returns
    -------
    str
        SHA-256 of the written file.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise CheckpointError(f'"{path.name}" must end in {SUFFIX}')
    tensors = {}
    for key, tensor in model.network.state_dict().items():
        shrink = half and tensor.is_floating_point() and ".running_" not in key
        tensors[key] = (
            tensor.detach().cpu().to(torch.float16 if shrink else tensor.dtype).contiguous()
        )
    metadata = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "model": model.info.model_dump_json(),
    }
    with atomic_path(path, overwrite=overwrite) as temporary:
        save_file(tensors, temporary, metadata=metadata)
        return file_sha256(temporary)


def export_official(path: str | Path, model: Model, *, overwrite: bool = False) -> None:
    """Write a plain state dict with official keys, which the authors' code loads."""
    state = to_official(model.network.state_dict(), model.info.architecture)
    with atomic_path(Path(path), overwrite=overwrite) as temporary:
        torch.save({key: tensor.detach().cpu().clone() for key, tensor in state.items()}, temporary)


def build(state: Mapping[str, Tensor], architecture: Architecture, path: Path) -> LGMSNet:
    """Build a network and fill it, or say in plain words what does not fit.

    Raises
    ------
    CheckpointError
        If tensors are missing, unexpected or have another shape.
    """
    with torch.device("meta"):
        network = LGMSNet(architecture)
    expected = network.state_dict()
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    misshapen = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if missing or unexpected or misshapen:
        parts = [
            f"{len(keys)} {word} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
            for word, keys in (
                ("missing", missing),
                ("unexpected", unexpected),
                ("of another shape", misshapen),
            )
            if keys
        ]
        raise CheckpointError(
            f'the tensors in "{path.name}" do not make a whole LGMSNet: {"; ".join(parts)}. '
            "Choose a checkpoint of the whole network, saved after training"
        )
    tensors = {k: t.float() if t.is_floating_point() else t for k, t in state.items()}
    broken = [k for k, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()]
    if broken:
        raise CheckpointError(
            f'"{path.name}" holds numbers that are not finite (in {broken[0]}): its training '
            "failed, choose an earlier checkpoint"
        )
    network.load_state_dict(tensors, assign=True)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return network


def guess_recipe(architecture: Architecture, state: Mapping[str, Tensor]) -> Recipe:
    """Guess with which of the paper's recipes an official checkpoint was trained.

    In 2D the stem's running variance tells: inputs that were divided by 255 once more leave a
    variance of about 1/255 squared of what unit-variance inputs leave behind the same weights.
    """
    if architecture.dimensions == 3:
        return PAPER_BTCV if architecture.out_channels == 14 else MR_3D
    if architecture.in_channels != 3:
        return GREY_2D
    weight, variance = state["stem.conv.0.weight"], state["stem.conv.1.running_var"]
    energy = weight.float().square().sum(dim=(1, 2, 3))
    ratio = (variance.float() / energy.clamp_min(1e-12)).median()
    return PAPER_ULTRASOUND_SKIN if float(ratio) < 1e-2 else PAPER_KVASIR


def _locate(path_or_name: str | Path) -> tuple[Path, str | None]:
    """Return the file, and the SHA-256 that it must have if it ships with the package."""
    path = Path(path_or_name)
    entry = shipped().get(str(path_or_name))
    if entry is not None and not path.is_file():
        path = resource_folder("weights") / entry["file"]
        if not path.is_file():
            raise CheckpointError(f'"{path.name}" is missing from the package: install it again')
        return path, entry["sha256"]
    if path.is_dir():
        raise CheckpointError(f'"{path}" is a folder: choose the checkpoint file in it')
    if not path.is_file():
        raise CheckpointError(
            f'there is no checkpoint "{path_or_name}": give a file, or one of '
            f"{', '.join(shipped())}"
        )
    if path.stat().st_size == 0:
        raise CheckpointError(f'"{path.name}" is empty: copy or download it again')
    return path, None


def _is_safetensors(path: Path) -> bool:
    """Tell by content: eight bytes of header length, then a JSON object."""
    if path.suffix == SUFFIX:
        return True
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:9] == b"{"


def _read_own(path: Path) -> tuple[dict[str, Tensor], ModelInfo]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f'"{path.name}" is not a whole safetensors file ({error}): copy or download it again'
        ) from error
    if metadata.get("format") != FORMAT or "model" not in metadata:
        state = strip_wrappers(state)
        if looks_official(state):
            return _describe_official(state, path)
        raise CheckpointError(
            f'"{path.name}" is a safetensors file, but not of {FORMAT}: it does not say which '
            "network it is for"
        )
    if metadata.get("version") != FORMAT_VERSION:
        raise CheckpointError(
            f'"{path.name}" has format version {metadata.get("version")}, this program reads '
            f"{FORMAT_VERSION}: update {FORMAT}"
        )
    try:
        return state, ModelInfo.model_validate_json(metadata["model"])
    except pydantic.ValidationError as error:
        place, problem = first_problem(error)
        raise CheckpointError(
            f'the description in "{path.name}" is not valid ({place}: {problem})'
        ) from error


def _read_official(path: Path) -> tuple[dict[str, Tensor], ModelInfo]:
    state = strip_wrappers(_state_dict(_torch_load(path), path))
    if not looks_official(state):
        names = set(module_names(Architecture(dimensions=2)))
        known = sum(key.rpartition(".")[0] in names for key in state)
        raise CheckpointError(
            f'"{path.name}" holds another network, not LGMSNet (of its {len(state)} tensors '
            f"{known} have a name that LGMSNet knows; the first is {next(iter(state))}): "
            "choose an LGMSNet checkpoint"
        )
    return _describe_official(state, path)


def _describe_official(state: dict[str, Tensor], path: Path) -> tuple[dict[str, Tensor], ModelInfo]:
    try:
        architecture = infer_architecture(state)
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f'"{path.name}" is not a whole LGMSNet: {error} is missing or has another shape. '
            "Choose a checkpoint of the whole network"
        ) from error
    except ValueError as error:
        raise CheckpointError(f'"{path.name}" is no LGMSNet that can be built: {error}') from error
    info = ModelInfo(
        name=path.stem,
        title="official checkpoint",
        architecture=architecture,
        recipe=guess_recipe(architecture, state),
        classes=default_classes(architecture.out_channels),
    )
    return from_official(state, architecture), info


def _torch_load(path: Path) -> Any:
    """Read a torch file without executing anything that is in it."""
    with path.open("rb") as file:
        head = file.read(2)
    if head != b"PK" and head[:1] != b"\x80":
        raise CheckpointError(
            f'"{path.name}" is neither a torch nor a safetensors file: choose a checkpoint'
        )
    if head == b"PK" and not zipfile.is_zipfile(path):
        raise CheckpointError(f'"{path.name}" is cut short: copy or download it again')
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_inert_globals()):
            warnings.simplefilter("ignore")  # torch warns of its own deprecations here
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'"{path.name}" was refused: it asks to run code, or is damaged. Only tensors are '
            "read. Ask its author for a plain state dict (torch.save(model.state_dict(), ...))"
        ) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
    ) as error:
        raise CheckpointError(
            f'"{path.name}" is damaged or no torch checkpoint: copy or download it again'
        ) from error


def _inert_globals() -> list[Any]:
    """Return numpy's scalar types: trainers store their best score as one, and they run nothing."""
    # The function that numpy's scalars are pickled with has no public name.
    scalar = np.float64(0).__reduce__()[0]
    return [
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)),
    ]


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the mapping of tensors inside a trainer's wrapping."""
    if isinstance(content, Mapping):
        for key in ("state_dict", "model_state_dict", "model"):
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
        state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        if state and len(state) == len(content):
            return state
    raise CheckpointError(
        f'"{path.name}" holds no state dict (a mapping of names to tensors): save '
        "model.state_dict() and choose that file"
    )
