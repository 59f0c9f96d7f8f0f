"""What an LGMSNet looks like, in numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

HEADS = 4
HEAD_CHANNELS = 8
MULTIPLE = 32
"""Sizes inside the network are multiples of this: four halvings, and 2x2 patches at the last."""


class Architecture(BaseModel):
    """Sizes that determine every shape in the network.

    Parameters
    ----------
    dimensions : 2 or 3
        Images or volumes.
    in_channels, out_channels : int
        Channels of the input; classes of the output (1 means one class against background).
    dims : tuple of 5 int
        Channels of the five encoder stages.
    depths : tuple of 3 int
        Local multiscale blocks in each of the first three stages. (The released code names five
        depths, of which the last two are not used.)
    splits : tuple of 4 pairs of int
        Channels that attend and channels that are convolved, in the global multiscale blocks
        after stage 4, after stage 5, and in the two deepest decoder steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: Literal[2, 3]
    in_channels: int = 3
    out_channels: int = 1
    dims: tuple[int, int, int, int, int] = (16, 32, 64, 128, 128)
    depths: tuple[int, int, int] = (1, 1, 1)
    splits: tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]] = (
        (96, 32),
        (96, 32),
        (96, 32),
        (48, 16),
    )

    @model_validator(mode="after")
    def _check(self) -> Architecture:
        if min(self.in_channels, self.out_channels, *self.depths) < 1:
            raise ValueError("in_channels, out_channels and depths must be at least 1")
        if any(dim < 4 or dim % 4 for dim in self.dims[:3]):
            raise ValueError(f"the first three dims must be multiples of 4, got {self.dims[:3]}")
        widths = (self.dims[3], self.dims[4], self.dims[3], self.dims[2])
        for width, split in zip(widths, self.splits, strict=True):
            if sum(split) != width or min(split) < 1:
                raise ValueError(f"split {split} must add up to {width}")
        return self
