"""The network that is trained: a copy of the parent's, parts of it frozen, its head fitted."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.finetune.settings import FineTuneSettings, What
from napari_lgmsnet.core.info import ModelInfo, named_classes
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.recipes import Recipe

ENCODER = ("stem", "encoder1", "encoder2", "encoder3", "encoder4", "encoder5")
"""What "decoder" leaves as it is."""

_NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
)


def child_info(parent: ModelInfo, settings: FineTuneSettings) -> ModelInfo:
    """Return the description of the network to be trained: the labels' classes, the chosen size.

    Raises
    ------
    InputError
        If the size has another number of axes than the network.
    """
    update: dict[str, object] = {}
    if settings.classes is not None and settings.classes != names_of(parent):
        count = len(settings.classes)
        update["classes"] = named_classes(list(settings.classes))
        update["architecture"] = parent.architecture.model_copy(
            update={"out_channels": 1 if count == 1 else count + 1}
        )
    if settings.size is not None:
        if len(settings.size) != parent.recipe.dimensions:
            raise InputError(
                f"size {settings.size} has {len(settings.size)} numbers, the network works in "
                f"{parent.recipe.dimensions}D: give {parent.recipe.dimensions}"
            )
        size = {"size": settings.size} if parent.recipe.size is not None else {}
        recipe = parent.recipe.model_copy(update={"window": settings.size, **size})
        update["recipe"] = recipe
    return ModelInfo.model_validate({**parent.model_dump(), **_dumped(update)})


def anew_flips(recipe: Recipe) -> tuple[int, ...]:
    """Return the axes along which images of a task of which nothing is known may be flipped.

    Images left and right, volumes not at all.
    """
    return (1,) if recipe.dimensions == 2 else ()


def flipped_as_taught(info: ModelInfo, settings: FineTuneSettings) -> ModelInfo:
    """Return the description of a network that is taught anew.

    Its answers are averaged over those flips alone that it sees: it has seen no image upside
    down, and answers wrongly there.
    """
    axes = () if settings.augmentation == "none" else anew_flips(info.recipe)
    recipe = info.recipe.model_copy(update={"flips": bool(axes), "flip_axes": axes})
    return info.model_copy(update={"recipe": recipe})


def names_of(info: ModelInfo) -> tuple[str, ...]:
    """Return the names of the foreground classes."""
    return tuple(one.name for one in info.classes[1:])


def class_map(parent: ModelInfo, child: ModelInfo) -> dict[int, int]:
    """Return which label of the child each label of the parent becomes.

    Classes of the same name belong together; where the numbers of classes are the same, those at
    the same place. What has no counterpart becomes background.
    """
    old, new = names_of(parent), names_of(child)
    if len(old) == len(new):
        return {label: label for label in range(len(old) + 1)}
    places = {name: label for label, name in enumerate(new, start=1)}
    return {0: 0} | {label: places.get(name, 0) for label, name in enumerate(old, start=1)}


def child_network(parent: Model, info: ModelInfo, seed: int) -> LGMSNet:
    """Return a copy of the parent's network; with a new head where the classes differ.

    Classes that the parent knows keep their weights in it.
    """
    if info.architecture == parent.info.architecture:
        return copy.deepcopy(parent.network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LGMSNet(info.architecture)
    state = dict(parent.network.state_dict())
    fresh = network.state_dict()
    mapping = class_map(parent.info, info)
    for key in ("head.weight", "head.bias"):
        old, new = state[key], fresh[key].clone()
        if old.shape[0] == 1 and new.shape[0] > 1:
            old = torch.cat([torch.zeros_like(old), old])  # the same answers in a softmax
        for before, after in mapping.items():
            if before < old.shape[0] and after < new.shape[0] and (after or not before):
                new[after] = old[before]
        state[key] = new
    network.load_state_dict(state)
    return network


def freeze(network: LGMSNet, what: What) -> None:
    """Let only what is to be trained have gradients."""
    for name, module in network.named_modules():
        stage = name.partition(".")[0]
        trained = (
            what == "all"
            or stage == "head"
            or (what == "decoder" and stage not in ENCODER)
            or (what == "head" and isinstance(module, _NORMS))
        )
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(trained)


def set_training(network: LGMSNet, what: What, frozen_statistics: bool) -> None:
    """Set training mode; norms of frozen stages, or all, go on using their statistics."""
    network.train()
    for name, module in network.named_modules():
        frozen = what == "decoder" and name.partition(".")[0] in ENCODER
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (frozen or frozen_statistics):
            module.eval()


def averaged(
    parent: Mapping[str, Tensor], child: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return the weights on the way from the parent (0) to the child (1), statistics included."""
    return {
        key: torch.lerp(parent[key], tensor, share)
        if tensor.is_floating_point() and share < 1 and parent[key].shape == tensor.shape
        else tensor
        for key, tensor in child.items()
    }


def _dumped(update: dict[str, object]) -> dict[str, object]:
    def plain(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(plain(one) for one in value)
        dump = getattr(value, "model_dump", None)
        return dump() if dump is not None else value

    return {key: plain(value) for key, value in update.items()}
