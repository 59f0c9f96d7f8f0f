"""One image, one checkpoint: run once, then asked for many things."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.channels import choose_channels
from napari_lgmsnet.core.device import choose_device
from napari_lgmsnet.core.errors import InputError, OutOfMemoryError
from napari_lgmsnet.core.inference import is_out_of_memory
from napari_lgmsnet.core.inspect.blend import Blend
from napari_lgmsnet.core.inspect.grid import CellGrid, Part
from napari_lgmsnet.core.inspect.hooks import outputs_of
from napari_lgmsnet.core.inspect.inputs import Inputs, prepare_inputs
from napari_lgmsnet.core.inspect.stages import FIRST, Stage, stage_named, stages_of
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.postprocess import labels_from_probabilities, probabilities_from_logits
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Progress, Volume

Place = tuple[slice, ...]


@dataclass(frozen=True)
class StageFeatures:
    """A stage's answer over the whole image, windows blended.

    Parameters
    ----------
    data : float32 array (C, *cells)
        Along the network's axes, cells of padding left out.
    strides : tuple of int
        Pixels of the network's input that a cell covers along each axis.
    part : tuple of slice
        Which cells of the padded input these are.
    """

    data: NDArray[np.float32]
    strides: tuple[int, ...]
    part: Part


class Inspection:
    """An image (or a part of one) as one checkpoint sees it.

    Made by :func:`inspect`; afterwards it answers for other stages, reductions and points
    without preparing the image again. It holds arrays only, never a graph or a hook.

    Parameters
    ----------
    model : Model
    inputs : Inputs
    settings : PredictSettings
    device : torch.device
    """

    def __init__(
        self, model: Model, inputs: Inputs, settings: PredictSettings, device: torch.device
    ) -> None:
        self.model = model
        self.inputs = inputs
        self.settings = settings
        self.device = device
        self.probabilities: NDArray[np.float32] = np.zeros((0,), dtype=np.float32)
        self.labels: NDArray[np.uint8] = np.zeros((0,), dtype=np.uint8)
        self._features: dict[str, StageFeatures] = {}

    @property
    def volume(self) -> Volume:
        """Return the image that was looked at."""
        return self.inputs.volume

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the stages that the network has."""
        return stages_of(self.model.network)

    def has(self, stage: str) -> bool:
        """Return whether a stage's answer is at hand."""
        return stage in self._features

    def stage(self, name: str) -> StageFeatures:
        """Return a stage's answer along the network's axes.

        Raises
        ------
        InputError
            If the network has no such stage, or :meth:`load` was not run for it.
        """
        stage_named(self.model.network, name)
        if name not in self._features:
            raise InputError(f'stage "{name}" is not loaded: run load(["{name}"]) first')
        return self._features[name]

    def features(self, name: str) -> NDArray[np.float32]:
        """Return a stage's answer (C, *cells) along the volume's axes; raises as :meth:`stage`."""
        return self.inputs.grid.arrange(self.stage(name).data)

    def cells(self, name: str) -> CellGrid:
        """Return where a stage's cells lie on the volume; raises as :meth:`stage`."""
        stage = self.stage(name)
        return self.inputs.grid.cells(stage.strides, stage.part)

    def forget(self, name: str) -> None:
        """Let go of a stage's answer, to free memory."""
        self._features.pop(name, None)

    def load(self, names: Iterable[str]) -> Generator[Progress, None, None]:
        """Run the network for stages that are not at hand yet.

        Yields
        ------
        Progress
            One a window.

        Raises
        ------
        InputError
            If the network has no such stage, or its answer would not fit into memory.
        OutOfMemoryError
            If the network's run does not.
        """
        missing = [name for name in dict.fromkeys(names) if name not in self._features]
        for name in missing:
            stage_named(self.model.network, name)
        if not missing and self.labels.size:
            return
        blends = [Blend(name, self.inputs) for name in missing]
        answer = None if self.labels.size else Blend("the answer", self.inputs, bounded=False)
        for piece, index in windows(self.inputs):
            place = self.inputs.tiling.places[index]
            yield progress_of(self.inputs, piece, index)
            logits, found = self.run(piece, place, missing)
            for blend in blends:
                blend.add(found[blend.name], piece, place)
            if answer is not None:
                answer.add(logits, piece, place)
        self._features |= {blend.name: self._trimmed(blend) for blend in blends}
        if answer is not None:
            restored = self.inputs.restore(answer.blended())
            self.probabilities = probabilities_from_logits(restored).numpy()
            self.labels = labels_from_probabilities(self.probabilities, self.settings.threshold)

    def run(
        self, piece: int, place: Place, names: Iterable[str] = ()
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network on one window.

        Parameters
        ----------
        piece : int
            Which slice of a stack; otherwise 0.
        place : tuple of slice
            The window.
        names : iterable of str
            Stages to listen to.

        Returns
        -------
        logits : float32 tensor (K, *window)
        found : dict of str to float32 tensor (C, *cells)
            On the CPU, like the logits.
        """
        return self.run_on(self.inputs.pieces[piece][(slice(None), *place)], names)

    def run_on(self, window: Tensor, names: Iterable[str] = ()) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network on a window (C, *window) with other content, as :meth:`run`."""
        network = self.model.network
        # Neither the hooks nor the mode may stay on while a generator waits.
        with out_of_memory_said(self.device), torch.inference_mode():
            with outputs_of(network, names) as found:
                logits = network(window[None].to(self.device))[0].float().cpu()
            return logits, {name: out[0].float().cpu() for name, out in found.items()}

    def _trimmed(self, blend: Blend) -> StageFeatures:
        """Leave out the cells of padding."""
        grid = self.inputs.grid
        strides = grid.strides(blend.stride)
        part = grid.trim(strides)
        whole = blend.blended()
        data = whole if self.inputs.stacked else whole[:, 0]
        return StageFeatures(data[(slice(None), *part)].contiguous().numpy(), strides, part)


def inspect(
    model: Model, volume: Volume, stages: Iterable[str], settings: PredictSettings
) -> Generator[Progress, None, Inspection]:
    """Look into a network while it works on an image.

    Parameters
    ----------
    model : Model
    volume : Volume
        ``YX`` or ``ZYX`` with or without ``C``; for a part of it, see
        :func:`napari_lgmsnet.core.geometry.crop`. A 2D network takes a volume slice by slice.
    stages : iterable of str
        Names of stages, as :func:`~napari_lgmsnet.core.inspect.stages.stages_of` lists them.
    settings : PredictSettings
        Without flips: features of a flipped image are not those of the image.

    Yields
    ------
    Progress
        One a window.

    Returns
    -------
    Inspection

    Raises
    ------
    InputError
        If the volume does not suit the checkpoint, or the network has no such stage.
    OutOfMemoryError
        If a window does not fit into memory.
    """
    if settings.flips:
        raise InputError("flips average predictions, not features: switch them off to inspect")
    wanted = list(stages) or [FIRST]
    for name in wanted:
        stage_named(model.network, name)
    if volume.axes.startswith("T"):
        raise InputError(f'"{volume.name}" is a time series: choose one frame')
    device = choose_device(settings.device)
    chosen = choose_channels(volume, settings.channels)
    model.network.to(device)
    inputs = yield from prepare_inputs(model, chosen, settings)
    inspection = Inspection(model, inputs, settings, device)
    yield from inspection.load(wanted)
    return inspection


def windows(inputs: Inputs) -> Iterator[tuple[int, int]]:
    """Yield every pair of piece and window, by their numbers."""
    for piece in range(len(inputs.pieces)):
        for index in range(len(inputs.tiling.places)):
            yield piece, index


def progress_of(inputs: Inputs, piece: int, index: int) -> Progress:
    """Return how far work has come that takes window after window."""
    count, pieces = len(inputs.tiling.places), len(inputs.pieces)
    done = piece * count + index
    words = f"slice {piece + 1} of {pieces}" if inputs.stacked else ""
    if count > 1 or not words:
        words = ", ".join(filter(None, [words, f"window {index + 1} of {count}"]))
    return Progress(done, count * pieces, words)


@contextmanager
def out_of_memory_said(device: torch.device) -> Iterator[None]:
    """Turn torch's out-of-memory error into one that says what to do."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"a window does not fit into the memory of {device}: close other programs, choose "
            "another device, or a recipe with smaller windows"
        ) from error
