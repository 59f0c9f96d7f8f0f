"""Listening to a network's parts. A hook never outlives the call that it was set for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def outputs_of(network: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Collect what parts of a network answer, while the context lasts.

    Parameters
    ----------
    network : Module
    names : iterable of str
        Submodules.

    Yields
    ------
    dict of str to tensor
        Filled whenever this thread runs the network; another thread's run is not heard.
    """
    found: dict[str, Tensor] = {}
    thread = threading.get_ident()
    handles = []
    try:
        for name in names:

            def keep(_module: nn.Module, _inputs: Any, out: Tensor, name: str = name) -> None:
                if threading.get_ident() == thread:
                    found[name] = out

            handles.append(network.get_submodule(name).register_forward_hook(keep))
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def inputs_of(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Collect what modules are given, while the context lasts; as :func:`outputs_of`."""
    found: dict[str, Tensor] = {}
    thread = threading.get_ident()
    handles = []
    try:
        for name, module in modules.items():

            def keep(_module: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                if threading.get_ident() == thread:
                    found[name] = inputs[0]

            handles.append(module.register_forward_pre_hook(keep))
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def start_of_graph(network: nn.Module, name: str) -> Iterator[dict[str, Tensor]]:
    """Make a part's answer the leaf that gradients are taken for, while the context lasts.

    What comes before it keeps no graph, and whether the network's own parameters want gradients
    does not matter.
    """
    found: dict[str, Tensor] = {}
    thread = threading.get_ident()

    def cut(_module: nn.Module, _inputs: Any, out: Tensor) -> Tensor | None:
        if threading.get_ident() != thread:
            return None
        found[name] = out.detach().requires_grad_()
        return found[name]

    handle = network.get_submodule(name).register_forward_hook(cut)
    try:
        yield found
    finally:
        handle.remove()
