"""A run's folder: what is needed to go on after a kill, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.finetune.examples import Example, image_sha256
from napari_lgmsnet.core.finetune.settings import FineTuneSettings
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.types import Volume

STATE_FILE = "state.pt"


class RunState:
    """The state of a run in its folder; without a folder nothing is written.

    Parameters
    ----------
    folder : Path or None
    what : str
        Identifies parent, settings and data: another run's state is refused.
    """

    def __init__(self, folder: Path | None, what: str) -> None:
        self._path = None if folder is None else folder / STATE_FILE
        self._what = what
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, Any] | None:
        """Return the state that was kept, if any.

        Raises
        ------
        TrainingError
            If it is another run's, or damaged.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            stored = torch.load(self._path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f'"{self._path}" cannot be read ({error}): delete it and start again'
            ) from error
        if stored["what"] != self._what:
            raise TrainingError(
                f'"{self._path.parent}" holds a run with other cases or settings: choose another '
                "folder, or drop that run"
            )
        state: dict[str, Any] = stored["state"]
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Keep a state in place of the one before."""
        if self._path is not None:
            with atomic_path(self._path, overwrite=True) as temporary:
                torch.save({"what": self._what, "state": state}, temporary)

    def drop(self) -> None:
        """Forget the state."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def identity(
    parent_sha256: str,
    settings: FineTuneSettings,
    examples: Sequence[Example],
    references: Sequence[Example | Volume] = (),
) -> str:
    """Return what tells runs apart: parent, settings, images and masks, reference images."""
    digest = hashlib.sha256(f"{parent_sha256} {settings.model_dump_json()}".encode())
    for example in examples:
        _add(digest, example)
    for reference in references:
        if isinstance(reference, Example):
            _add(digest, reference)
        else:
            digest.update(image_sha256(reference).encode())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, example: Example) -> None:
    digest.update(json.dumps([example.name, example.sha256]).encode())
    digest.update(example.labels.tobytes())
    digest.update(b"" if example.known is None else example.known.tobytes())
