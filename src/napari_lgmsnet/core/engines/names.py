"""Which engines there are, in words for a person. Loads neither torch nor OpenVINO."""

from __future__ import annotations

from importlib.util import find_spec

AUTO = "auto"
TORCH = "torch"
FUSED = "fused"
OPENVINO = "openvino"

TITLES = {
    AUTO: "auto",
    TORCH: "torch, plain",
    FUSED: "torch, fused",
    OPENVINO: "OpenVINO",
}
"""Name to what a person reads, ``auto`` first."""


def installed() -> tuple[str, ...]:
    """Return the engines that this installation has, plain torch first."""
    return (TORCH, FUSED, *((OPENVINO,) if find_spec("openvino") else ()))
