"""Which engines there are, in words for a person. Loads neither torch nor OpenVINO."""

from __future__ import annotations

from importlib.util import find_spec

AUTO = "auto"
TORCH = "torch"
FUSED = "fused"
OPENVINO = "openvino"
BFLOAT16 = "openvino-bfloat16"

TITLES = {
    AUTO: "auto",
    TORCH: "torch, plain",
    FUSED: "torch, fused",
    OPENVINO: "OpenVINO",
    BFLOAT16: "OpenVINO, bfloat16",
}
"""Name to what a person reads, ``auto`` first."""


def installed() -> tuple[str, ...]:
    """Return the engines that this installation has and auto may take, plain torch first."""
    return (TORCH, FUSED, *((OPENVINO,) if find_spec("openvino") else ()))


def offered() -> tuple[str, ...]:
    """Return the engines that a person may choose: the installed ones, and in reduced precision.

    Whether the processor has bfloat16 is known when the engine is asked for.
    """
    return (*installed(), *((BFLOAT16,) if OPENVINO in installed() else ()))
