"""Which checkpoints there are and what they say of themselves. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pydantic

from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.resources import resource_folder

FORMAT = "napari-lgmsnet"
FORMAT_VERSION = "1"
SUFFIX = ".safetensors"
# A real header has some hundred kB; a damaged file must not make us read gigabytes.
_LONGEST_HEADER = 2**24


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """Return the checkpoints that ship with the package: name -> entry of weights/index.json."""
    entries = json.loads((resource_folder("weights") / "index.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in entries["checkpoints"]}


def default_checkpoint(*, colour: bool) -> str:
    """Return the name of the checkpoint to begin with, where nobody has chosen one.

    Parameters
    ----------
    colour : bool
        Whether it is for colour images; ``default_for`` in weights/index.json says which one is.
        For other images it is the first that ships.
    """
    names = [name for name, entry in shipped().items() if entry.get("default_for") == "colour"]
    return names[0] if colour and names else next(iter(shipped()), "")


def peek(path_or_name: str | Path) -> ModelInfo | None:
    """Return what a checkpoint in the project's own format says of itself.

    Only the header is read and nothing is checked against the tensors: this is for lists and
    tooltips. What can be used, :func:`napari_lgmsnet.load` decides.

    Parameters
    ----------
    path_or_name : str or Path
        A file, or the name of a checkpoint that ships with the package.

    Returns
    -------
    ModelInfo or None
        None if the file says nothing: the authors' files don't, nor do damaged ones.
    """
    path = Path(path_or_name)
    if not path.is_file():
        entry = shipped().get(str(path_or_name))
        if entry is None:
            return None
        path = resource_folder("weights") / entry["file"]
    try:
        metadata = _header(path).get("__metadata__", {})
        if metadata.get("format") != FORMAT:
            return None
        return ModelInfo.model_validate_json(metadata["model"])
    except (OSError, ValueError, KeyError, AttributeError, pydantic.ValidationError):
        return None


def _header(path: Path) -> Any:
    """Return the JSON object at the start of a safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError("the header is too long")
        return json.loads(file.read(length))
