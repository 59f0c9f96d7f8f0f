"""How long each engine takes for a checkpoint on this machine, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import platformdirs
import pydantic
import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat

from napari_lgmsnet import __version__
from napari_lgmsnet.core.engines.names import OPENVINO, TORCH, installed
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.network.lgmsnet import LGMSNet

KEPT = 200
"""So many files at most, each below 1 KB; the oldest go first."""


class Timing(BaseModel):
    """What a trial found out.

    Parameters
    ----------
    seconds : dict of str to float
        Engine to the time for one window; plain torch is always there.
    prepare : dict of str to float
        Engine to the time that building and checking it takes.
    notes : tuple of str
        Why an engine must not be used, in words for a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: dict[str, PositiveFloat]
    prepare: dict[str, PositiveFloat]
    notes: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _check(self) -> Timing:
        if TORCH not in self.seconds or set(self.prepare) != set(self.seconds) - {TORCH}:
            raise ValueError("plain torch, or the time to prepare an engine, is missing")
        if not set(self.seconds) <= set(installed()):
            raise ValueError("an engine is not installed")
        return self

    def best(self, windows: int, built: frozenset[str] = frozenset()) -> str:
        """Return the engine with which so many windows are done first.

        Parameters
        ----------
        windows : int
        built : frozenset of str
            Engines that need no preparation any more.
        """

        def total(name: str) -> float:
            prepare = 0.0 if name in built else self.prepare.get(name, 0.0)
            return prepare + windows * self.seconds[name]

        return min(self.seconds, key=total)


@dataclass(frozen=True)
class Circumstances:
    """Everything that a measurement holds for.

    Parameters
    ----------
    weights : str
        SHA-256 of the network's sizes and numbers.
    window : tuple of int
    threads : int
        Of torch.
    machine : tuple of str
        Its name and kind of processor: caches may lie on a shared disk.
    versions : tuple of str
        Of this package, torch and OpenVINO.
    """

    weights: str
    window: tuple[int, ...]
    threads: int
    machine: tuple[str, ...]
    versions: tuple[str, ...]

    @classmethod
    def here(cls, weights: str, window: tuple[int, ...]) -> Circumstances:
        """Return those of this machine at this moment."""
        processor = torch.backends.cpu.get_cpu_capability()
        machine = (platform.node(), platform.machine(), processor, str(os.cpu_count()))
        openvino = metadata.version(OPENVINO) if OPENVINO in installed() else ""
        versions = (__version__, str(torch.__version__), openvino)
        return cls(weights, window, torch.get_num_threads(), machine, versions)

    @property
    def path(self) -> Path:
        """Return the file that a measurement is kept in."""
        text = json.dumps(asdict(self), sort_keys=True)
        return folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def folder() -> Path:
    """Return where measurements are kept; it may vanish at any time."""
    return platformdirs.user_cache_path("napari-lgmsnet", appauthor=False) / "engines"


def weights_sha256(network: LGMSNet) -> str:
    """Return the SHA-256 of a network's sizes and numbers."""
    digest = hashlib.sha256(network.architecture.model_dump_json().encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()


def recall(circumstances: Circumstances) -> Timing | None:
    """Return what was measured before; None if nothing was, or what is there cannot be used."""
    try:
        text = circumstances.path.read_text(encoding="utf-8")
        return Timing.model_validate_json(text)
    except (OSError, ValueError):
        return None


def remember(circumstances: Circumstances, timing: Timing) -> None:
    """Keep a measurement. Where the folder cannot be written to it is made again next time."""
    path = circumstances.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(timing.model_dump_json(indent=1), encoding="utf-8")
        files = sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)
        for old in files[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, InputError):
        return
