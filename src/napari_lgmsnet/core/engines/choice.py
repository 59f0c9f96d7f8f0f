"""Which engine runs a network: chosen by a person, or by a short measured trial.

The trial runs every engine a few times on a random window. It is made when a network has run (or
is about to run) more than ten windows, so that nobody waits for it with a single image, and its
result is kept for this machine and these weights. Then the engine is taken with which the windows
that have to be run are done first, the time to prepare it included.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from napari_lgmsnet.core.device import processor_has_bfloat16
from napari_lgmsnet.core.engines.checked import (
    Checked,
    DisagreesError,
    Engine,
    TorchEngine,
    checked,
    example,
)
from napari_lgmsnet.core.engines.names import AUTO, BFLOAT16, OPENVINO, TITLES, TORCH, installed
from napari_lgmsnet.core.engines.timings import (
    Circumstances,
    Timing,
    recall,
    remember,
    weights_sha256,
)
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.network.architecture import MULTIPLE
from napari_lgmsnet.core.network.lgmsnet import LGMSNet
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.types import Progress

TRIAL_AFTER = 10
"""Windows that plain torch runs before engines are tried."""
_KEPT = 2
_ROUNDS, _LONG = 3, 0.5
"""Passes of each engine, or one only if plain torch takes more seconds than this."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """An engine to use.

    Parameters
    ----------
    engine : Engine
    notes : tuple of str
        Which engine was not used, and why.
    """

    engine: Engine
    notes: tuple[str, ...] = ()


class Engines:
    """The engines of one network, each built when it is first needed.

    Parameters
    ----------
    network : LGMSNet
        In evaluation mode. Where its numbers change, engines are built anew.
    """

    def __init__(self, network: LGMSNet) -> None:
        self.network = network
        self._plain = TorchEngine(network)
        self._built: OrderedDict[tuple[Any, ...], Checked] = OrderedDict()
        self._numbers: tuple[Any, ...] = ()
        self._sha256 = ""
        self._windows = 0

    def choose(
        self, wanted: str, window: tuple[int, ...], windows: int, device: torch.device
    ) -> Generator[Progress, None, Chosen]:
        """Return the engine for some windows.

        Parameters
        ----------
        wanted : str
            ``auto``, or the name of an engine.
        window : tuple of int
            Size of the windows.
        windows : int
            How many are about to be run; counted for the next choice, too.
        device : torch.device
            Anything but the CPU is plain torch's.

        Yields
        ------
        Progress
            Before every pass of a trial.

        Raises
        ------
        InputError
            If there is no such engine, it is not installed, or it cannot run on this device.
        """
        if wanted not in TITLES:
            raise InputError(f'there is no engine "{wanted}": choose one of {", ".join(TITLES)}')
        if wanted in (OPENVINO, BFLOAT16):
            optional("openvino", "openvino", f"the engine {wanted}")
        if wanted == BFLOAT16 and not processor_has_bfloat16():
            raise InputError(
                f'the engine "{wanted}" needs a processor with bfloat16 (AVX-512 BF16 or AMX), '
                f'which this one has not: choose "{OPENVINO}", which is as fast here'
            )
        if wanted not in (AUTO, TORCH) and device.type != "cpu":
            raise InputError(
                f'the engine "{wanted}" runs on the processor only, not on {device}: choose the '
                "device cpu, or the engine auto"
            )
        self._windows += windows
        if wanted == TORCH or device.type != "cpu" or not self._known_network(window):
            return Chosen(self._plain)
        self._forget_if_changed()
        if wanted != AUTO:
            return self._named(wanted, window)
        circumstances = Circumstances.here(self._sha256, window)
        timing = recall(circumstances)
        notes: tuple[str, ...] = ()
        if timing is None:
            if self._windows <= TRIAL_AFTER:
                return Chosen(self._plain)
            timing = yield from self._trial(window)
            remember(circumstances, timing)
            notes = timing.notes
        built = frozenset(name for name in timing.seconds if self._key(name, window) in self._built)
        best = timing.best(self._windows, built)
        return Chosen(self._plain, notes) if best == TORCH else self._named(best, window, notes)

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the network's sizes and numbers as they are now."""
        self._forget_if_changed()
        return self._sha256

    def _known_network(self, window: tuple[int, ...]) -> bool:
        """Return whether engines can stand in for the network: nobody listens or changed it."""
        network = self.network
        return (
            type(network) is LGMSNet
            and "forward" not in vars(network)
            and not any(one._forward_hooks or one._forward_pre_hooks for one in network.modules())
            and all(n % MULTIPLE == 0 for n in window)
        )

    def _forget_if_changed(self) -> None:
        tensors = chain(self.network.parameters(), self.network.buffers())
        numbers = tuple((one.data_ptr(), one._version) for one in tensors)
        if numbers != self._numbers:
            self._built.clear()
            self._numbers, self._sha256 = numbers, weights_sha256(self.network)

    def _key(self, name: str, window: tuple[int, ...]) -> tuple[Any, ...]:
        return (name, window, torch.get_num_threads())

    def _named(self, name: str, window: tuple[int, ...], notes: tuple[str, ...] = ()) -> Chosen:
        key = self._key(name, window)
        found = self._built.get(key)
        if found is None:
            batch = example(self.network, window)
            try:
                found = checked(name, self.network, batch, self._answer(batch))
            except DisagreesError as refusal:
                return Chosen(self._plain, (*notes, str(refusal)))
            self._keep(key, found)
        return Chosen(found.engine, notes)

    def _keep(self, key: tuple[Any, ...], built: Checked) -> None:
        self._built[key] = built
        while len(self._built) > _KEPT:
            self._built.popitem(last=False)

    def _answer(self, batch: Tensor) -> Tensor:
        with torch.inference_mode():
            return self._plain(batch)

    def _trial(self, window: tuple[int, ...]) -> Generator[Progress, None, Timing]:
        """Measure every engine that agrees with plain torch."""
        yield Progress(0, 0, "once for this checkpoint: trying which engine is fastest")
        batch = example(self.network, window)
        start = time.perf_counter()
        reference = self._answer(batch)
        plain_pass = time.perf_counter() - start
        engines: dict[str, Engine] = {TORCH: self._plain}
        prepare: dict[str, float] = {}
        notes: list[str] = []
        for name in installed():
            if name == TORCH:
                continue
            yield Progress(0, 0, f"once for this checkpoint: preparing {TITLES[name]}")
            try:
                built = checked(name, self.network, batch, reference)
            except DisagreesError as refusal:
                notes.append(str(refusal))
                continue
            engines[name] = built.engine
            # Preparing it the next time needs plain torch's answer as well.
            prepare[name] = built.seconds + plain_pass
            self._keep(self._key(name, window), built)
        passes: dict[str, list[float]] = {name: [] for name in engines}
        for turn in range(_ROUNDS if plain_pass < _LONG else 1):
            # In turns, so that what else the machine does meets all alike.
            for name, engine in engines.items():
                yield Progress(0, 0, f"once for this checkpoint: pass {turn + 1} of {TITLES[name]}")
                start = time.perf_counter()
                with torch.inference_mode():
                    engine(batch)
                passes[name].append(time.perf_counter() - start)
        seconds = {name: min(times) for name, times in passes.items()}
        return Timing(seconds=seconds, prepare=prepare, notes=tuple(notes))
