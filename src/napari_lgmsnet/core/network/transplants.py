"""LMS and GMS in other networks: the paper's transplants, and an example of reusing the blocks.

The paper (arXiv 2508.15476) puts its blocks into a U-Net (Ronneberger et al., MICCAI 2015) and a
TinyU-Net (Chen et al., MICCAI 2024) and states how many parameters that leaves. All but the first
stage of the encoder are exchanged:

* ``"lms"``: an LMS block at the stage's input width, then a 1x1 convolution to its output width.
  That gives the paper's counts to all printed digits (17.33 M and 0.69 M).
* ``"gms"``: the same, with a GMS block in the deepest stage, between two 1x1 convolutions. How the
  paper did it is not stated; the width of this block is chosen so that the count is the paper's
  (19.18 M and 0.71 M).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_lgmsnet.core.network.layers import GlobalMultiScale, LocalMultiScale

Blocks = Literal["own", "lms", "gms"]
"""What the encoder is made of: the network's own stages, LMS, or LMS and one GMS."""

_BRANCHES = 8
Stage = Callable[[int, int], nn.Module]


class _EncoderDecoder(nn.Module):
    """Encoder, skips by concatenation, decoder; images (B, C, H, W), sizes multiples of 32."""

    def __init__(self, encoder: list[nn.Module], decoder: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(encoder)
        self.decoder = nn.ModuleList(decoder)
        self.head = head

    def _decode(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = stage(skip, x)
        out: Tensor = self.head(x)
        return out


class UNet(_EncoderDecoder):
    """U-Net with 64 to 1024 channels and batch norm, 34.53 M parameters as it is.

    Parameters
    ----------
    in_channels, out_channels : int
    blocks : "own", "lms" or "gms"
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 1, blocks: Blocks = "own") -> None:
        widths = (64, 128, 256, 512, 1024)
        super().__init__(
            _encoder(in_channels, widths, _double_convolution, blocks, gms_width=288),
            [_UNetUp(deep, wide) for wide, deep in reversed(list(pairwise(widths)))],
            nn.Conv2d(widths[0], out_channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to logits (B, out_channels, H, W)."""
        skips: list[Tensor] = []
        for stage in self.encoder:
            x = stage(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        return self._decode(x, skips[:-1])


class TinyUNet(_EncoderDecoder):
    """TinyU-Net: cascaded multi-receptive fields, 0.48 M parameters as it is.

    Parameters
    ----------
    in_channels, out_channels : int
    blocks : "own", "lms" or "gms"
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 1, blocks: Blocks = "own") -> None:
        widths = (64, 128, 256, 512)
        below = (*widths[1:], widths[-1])
        super().__init__(
            _encoder(in_channels, widths, MultiReceptiveField, blocks, gms_width=88),
            [_TinyUp(deep, wide) for wide, deep in reversed(list(zip(widths, below, strict=True)))],
            nn.Conv2d(widths[0], out_channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to logits (B, out_channels, H, W)."""
        skips: list[Tensor] = []
        for stage in self.encoder:
            skips.append(stage(x))
            x = F.max_pool2d(skips[-1], 2)
        return self._decode(x, skips)


class MultiReceptiveField(nn.Module):
    """CMRF, the stage of TinyU-Net: depthwise convolutions one after the other, all kept.

    Half of the narrowed channels are convolved seven times in a row; every result sees further
    than the one before, and all of them are joined by a 1x1 convolution.

    Parameters
    ----------
    c_in, c_out : int
        ``c_out`` is a multiple of 16.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        half = c_out // (2 * _BRANCHES)
        self.narrow = _conv_norm(c_in, 2 * half, nn.GELU())
        self.cascade = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False), nn.BatchNorm2d(half)
            )
            for _ in range(_BRANCHES - 1)
        )
        self.join = _conv_norm(_BRANCHES * half, c_out, nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, H, W) to (B, c_out, H, W)."""
        narrow = self.narrow(x)
        even, odd = narrow[:, 0::2], narrow[:, 1::2]
        found = [even + odd]
        for convolution in self.cascade:
            odd = convolution(odd)
            found.append(odd)
        out: Tensor = self.join(torch.cat(found, dim=1))
        return out + x if out.shape == x.shape else out


class _UNetUp(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU()
        )
        self.join = _double_convolution(2 * c_out, c_out)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        up = self.up(F.interpolate(x, scale_factor=2.0))
        out: Tensor = self.join(torch.cat([skip, up], dim=1))
        return out


class _TinyUp(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.join = MultiReceptiveField(c_in + c_out, c_out)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        up = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        out: Tensor = self.join(torch.cat([skip, up], dim=1))
        return out


def _encoder(
    in_channels: int, widths: Sequence[int], own: Stage, blocks: Blocks, gms_width: int
) -> list[nn.Module]:
    stages = [own(in_channels, widths[0])]
    for c_in, c_out in pairwise(widths):
        if blocks == "own":
            stages.append(own(c_in, c_out))
        elif blocks == "gms" and c_out == widths[-1]:
            split = (3 * gms_width // 4, gms_width // 4)
            gms = GlobalMultiScale(2, gms_width, gms_width, split)
            first, last = _conv_norm(c_in, gms_width), _conv_norm(gms_width, c_out)
            stages.append(nn.Sequential(first, gms, last))
        else:
            stages.append(nn.Sequential(LocalMultiScale(2, c_in), _conv_norm(c_in, c_out)))
    return stages


def _double_convolution(c_in: int, c_out: int) -> nn.Module:
    layers: list[nn.Module] = []
    for channels in (c_in, c_out):
        layers += [nn.Conv2d(channels, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)


def _conv_norm(c_in: int, c_out: int, activation: nn.Module | None = None) -> nn.Module:
    layers = [nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, activation or nn.ReLU())
