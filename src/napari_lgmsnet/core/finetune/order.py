"""What a process of its own is asked to train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_lgmsnet.core.finetune.examples import Example
from napari_lgmsnet.core.finetune.settings import FineTuneSettings
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.types import Volume


@dataclass(frozen=True, eq=False)
class Order:
    """The arguments of :func:`fine_tune`, and which cores to leave.

    Parameters
    ----------
    model, examples, settings, references, run_folder
        As for :func:`~napari_lgmsnet.core.finetune.fine_tune`.
    spare : int
        Cores left to the window.
    """

    model: Model
    examples: tuple[Example, ...]
    settings: FineTuneSettings
    references: tuple[Example | Volume, ...]
    run_folder: Path | None
    spare: int
