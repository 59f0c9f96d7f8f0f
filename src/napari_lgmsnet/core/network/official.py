"""Names and shapes in the authors' checkpoints, and back.

The authors' state dicts (code released with arXiv 2508.15476) differ from this project's in
names only: every tensor is taken over as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from napari_lgmsnet.core.network.architecture import HEAD_CHANNELS, HEADS, Architecture

WRAPPERS = ("module.", "backbone.")
_GMS = {
    "encoder4.0": "encoder4",
    "encoder5.0": "encoder5",
    "Up_conv5": "decoder5",
    "Up_conv4.1": "decoder4",
}
_FUSION = {"Up_conv4.0": "fusion4", "Up_conv3": "decoder3", "Up_conv2": "decoder2"}


def _conv_norm(official: str, ours: str) -> dict[str, str]:
    """Return the pair of names of a convolution and its norm."""
    return {f"{official}.0": f"{ours}.conv", f"{official}.1": f"{ours}.norm"}


def module_names(architecture: Architecture) -> dict[str, str]:
    """Return official module name -> this project's module name, for every module with tensors."""
    cube = "x".join("3" * architecture.dimensions)
    dot = "x".join("1" * architecture.dimensions)
    names = _conv_norm("stem.conv", "stem") | {"Conv_1x1": "head"}
    for stage, depth in enumerate(architecture.depths, start=1):
        for block in range(depth):
            official = ours = f"encoder{stage}.{block}"
            names[f"{official}.norm_act.0"] = f"{ours}.group_norm"
            for i, name in enumerate(("local_dwc", "global_dwc_s", "global_dwc_m", "global_dwc_l")):
                names[f"{official}.{name}"] = f"{ours}.branches.{i}"
            names |= _conv_norm(f"{official}.conv_1x1_bn", f"{ours}.reduce")
            names |= _conv_norm(f"{official}.conv_nxn_bn", f"{ours}.expand")
        names |= _conv_norm(f"encoder{stage}.{depth}", f"encoder{stage}.{depth}")
    for official, ours in _GMS.items():
        for i, name in enumerate(("embed", "mix", "join", "output"), start=1):
            names |= _conv_norm(f"{official}.conv{i}", f"{ours}.{name}")
        branch = f"{official}.conv_spilt"  # sic
        names[f"{branch}.dwconv{cube}"] = f"{ours}.convolve.depthwise"
        names[f"{branch}.bn1"] = f"{ours}.convolve.norm1"
        names[f"{branch}.dwconv{dot}"] = f"{ours}.convolve.scale"
        names[f"{branch}.bn2"] = f"{ours}.convolve.norm2"
        layer = f"{official}.transformer.layers.0"
        names[f"{layer}.0.norm"] = f"{ours}.attention.norm"
        names[f"{layer}.0.to_qkv"] = f"{ours}.attention.qkv"
        names[f"{layer}.0.to_out.0"] = f"{ours}.attention.out"
        names[f"{layer}.1.net.0"] = f"{ours}.feed_forward.norm"
        names[f"{layer}.1.net.1"] = f"{ours}.feed_forward.widen"
        names[f"{layer}.1.net.4"] = f"{ours}.feed_forward.narrow"
    for k in (5, 4, 3, 2):
        names[f"Up{k}.up.1"] = f"up{k}.block.conv"
        names[f"Up{k}.up.2"] = f"up{k}.block.norm"
    for official, ours in _FUSION.items():
        for i in range(3):
            names[f"{official}.conv.{3 * i}"] = f"{ours}.convs.{i}"
            names[f"{official}.conv.{3 * i + 2}"] = f"{ours}.norms.{i}"
    return names


def rename(keys: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return key -> renamed key; keys of unknown modules stay as they are."""
    renamed = {}
    for key in keys:
        module, _, tensor = key.rpartition(".")
        renamed[key] = f"{names[module]}.{tensor}" if module in names else key
    return renamed


def from_official(state: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Return the tensors under this project's names."""
    renamed = rename(state, module_names(architecture))
    return {renamed[key]: tensor for key, tensor in state.items()}


def to_official(state: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Return the tensors under the names that the authors' code loads."""
    names = {ours: official for official, ours in module_names(architecture).items()}
    renamed = rename(state, names)
    return {renamed[key]: tensor for key, tensor in state.items()}


def strip_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefixes that data-parallel training and outer models put before every key."""
    stripped = dict(state)
    while stripped and (
        prefix := next((w for w in WRAPPERS if all(key.startswith(w) for key in stripped)), None)
    ):
        stripped = {key.removeprefix(prefix): tensor for key, tensor in stripped.items()}
    return stripped


def looks_official(state: Mapping[str, Tensor]) -> bool:
    """Return whether the keys are those of the authors' network."""
    return {"stem.conv.0.weight", "Conv_1x1.weight"} <= set(state)


def infer_architecture(state: Mapping[str, Tensor]) -> Architecture:
    """Read every size off the shapes of an official state dict.

    Raises
    ------
    KeyError
        If a tensor that tells a size is missing; its key is the argument.
    ValueError
        If the sizes contradict each other.
    """
    stem = state["stem.conv.0.weight"]

    def depth(stage: int) -> int:
        blocks = {
            int(match[1]) for key in state if (match := re.match(rf"encoder{stage}\.(\d+)\.", key))
        }
        if not blocks:
            raise KeyError(f"encoder{stage}.0.norm_act.0.weight")
        return max(blocks)

    depths = (depth(1), depth(2), depth(3))
    if (
        state["encoder4.0.transformer.layers.0.0.to_qkv.weight"].shape[0]
        != 3 * HEADS * HEAD_CHANNELS
    ):
        raise ValueError(f"attention must have {HEADS} heads of {HEAD_CHANNELS} channels")

    def width(key: str) -> int:
        return int(state[key].shape[0])

    def split(block: str) -> tuple[int, int]:
        return width(f"{block}.transformer.layers.0.0.norm.weight"), width(
            f"{block}.conv_spilt.bn1.weight"
        )

    return Architecture(
        dimensions=2 if stem.ndim == 4 else 3,
        in_channels=int(stem.shape[1]),
        out_channels=width("Conv_1x1.weight"),
        dims=(
            int(stem.shape[0]),
            width(f"encoder2.{depths[1]}.0.weight"),
            width(f"encoder3.{depths[2]}.0.weight"),
            width("encoder4.0.conv1.0.weight"),
            width("encoder5.0.conv1.0.weight"),
        ),
        depths=depths,
        splits=(split("encoder4.0"), split("encoder5.0"), split("Up_conv5"), split("Up_conv4.1")),
    )
