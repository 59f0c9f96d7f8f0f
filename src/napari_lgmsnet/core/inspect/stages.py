"""What of a network can be looked at, and what a person calls it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.network.layers import Attention

TITLES = {
    "encoder5": "after the fourth downsampling (encoder 5)",
    "encoder4": "encoder 4, 1/8 of the size",
    "encoder3": "encoder 3, 1/4 of the size",
    "encoder2": "encoder 2, half of the size",
    "encoder1": "encoder 1, full size",
    "stem": "stem, full size",
    "decoder5": "decoder 5, 1/8 of the size",
    "decoder4": "decoder 4, 1/4 of the size",
    "decoder3": "decoder 3, half of the size",
    "decoder2": "decoder 2, full size, before the answer",
}
"""Every stage, the most telling one first, then out of the encoder and on through the decoder."""

IN_ORDER = (
    "stem", "encoder1", "encoder2", "encoder3", "encoder4", "encoder5",
    "decoder5", "decoder4", "decoder3", "decoder2",
)  # fmt: skip
"""The stages in the order in which an image passes them."""

FIRST = "encoder5"
"""What the paper calls the features after the fourth downsampling."""

COARSEST = 16
"""A cell of the coarsest stage covers this many pixels along each axis."""


@dataclass(frozen=True)
class Stage:
    """A place in a network whose answer can be shown.

    Parameters
    ----------
    name : str
        Of the submodule, for scripts.
    title : str
        For a person.
    attends : bool
        Whether it holds attention.
    """

    name: str
    title: str
    attends: bool


def stages_of(network: nn.Module) -> tuple[Stage, ...]:
    """Return the stages that a network has, the one after the fourth downsampling first."""
    children = dict(network.named_children())
    return tuple(
        Stage(name, title, attention_in(children[name]) is not None)
        for name, title in TITLES.items()
        if name in children
    )


def stage_to_begin_with(network: nn.Module, wanted: str = "") -> str:
    """Return the wanted stage if a network has it, or else the most telling one that it has.

    Raises
    ------
    InputError
        If it has none that is known.
    """
    names = [stage.name for stage in stages_of(network)]
    if not names:
        stage_named(network, wanted or FIRST)
    return wanted if wanted in names else names[0]


def stage_named(network: nn.Module, name: str) -> Stage:
    """Return one of a network's stages.

    Raises
    ------
    InputError
        If the network has no such stage; the message names those that it has.
    """
    stages = {stage.name: stage for stage in stages_of(network)}
    if name not in stages:
        raise InputError(
            f'this checkpoint\'s network ({type(network).__name__}) has no stage "{name}": '
            + _choice(stages)
        )
    return stages[name]


def block_named(network: nn.Module, name: str) -> tuple[Stage, Attention]:
    """Return one of a network's stages that attend, and its attention.

    Raises
    ------
    InputError
        If the network has no such stage, or it does not attend.
    """
    stage = stage_named(network, name)
    attention = attention_in(network.get_submodule(name))
    if attention is None:
        blocks = [one.name for one in stages_of(network) if one.attends]
        raise InputError(f'stage "{name}" has no attention: {_choice(blocks)}')
    return stage, attention


def attention_in(module: nn.Module) -> Attention | None:
    """Return the attention inside of a stage, if there is any."""
    return next((part for part in module.modules() if isinstance(part, Attention)), None)


def _choice(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"choose one of {listed}" if listed else "it has none, choose another checkpoint"
