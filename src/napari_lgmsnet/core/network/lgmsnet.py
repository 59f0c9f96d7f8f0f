"""LGMSNet for images and volumes (arXiv 2508.15476, figure 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_lgmsnet.core.network.architecture import MULTIPLE, Architecture
from napari_lgmsnet.core.network.layers import (
    ConvNormAct,
    Fusion,
    GlobalMultiScale,
    LocalMultiScale,
    Upsample,
    convolution,
)


class LocalStage(nn.Sequential):
    """Local multiscale blocks, then a 1x1 convolution to the stage's channels."""

    def __init__(self, dimensions: int, c_in: int, c_out: int, depth: int) -> None:
        blocks = (LocalMultiScale(dimensions, c_in) for _ in range(depth))
        super().__init__(*blocks, ConvNormAct(dimensions, c_in, c_out, 1))


class LGMSNet(nn.Module):
    """Local and global multiscale network for medical segmentation.

    Parameters
    ----------
    architecture : Architecture
        All sizes.

    Notes
    -----
    ``encoder5`` answers what the paper calls the features after the fourth downsampling.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        a = architecture
        n, dims, splits = a.dimensions, a.dims, a.splits
        self.stem = ConvNormAct(n, a.in_channels, dims[0], 3, bias=True, activation=nn.ReLU)
        self.encoder1 = LocalStage(n, dims[0], dims[0], a.depths[0])
        self.encoder2 = LocalStage(n, dims[0], dims[1], a.depths[1])
        self.encoder3 = LocalStage(n, dims[1], dims[2], a.depths[2])
        self.encoder4 = GlobalMultiScale(n, dims[2], dims[3], splits[0])
        self.encoder5 = GlobalMultiScale(n, dims[3], dims[4], splits[1])
        self.up5 = Upsample(n, dims[4], dims[3])
        self.decoder5 = GlobalMultiScale(n, 2 * dims[3], dims[3], splits[2])
        self.up4 = Upsample(n, dims[3], dims[2])
        self.fusion4 = Fusion(n, dims[2])
        self.decoder4 = GlobalMultiScale(n, dims[2], dims[2], splits[3])
        self.up3 = Upsample(n, dims[2], dims[1])
        self.decoder3 = Fusion(n, dims[1])
        self.up2 = Upsample(n, dims[1], dims[0])
        self.decoder2 = Fusion(n, dims[0])
        self.head = convolution(n, dims[0], a.out_channels, 1, bias=True)
        self.halve = nn.MaxPool2d(2) if n == 2 else nn.MaxPool3d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits.

        Parameters
        ----------
        x : float tensor (B, in_channels, *S)
            Any size: what is not a multiple of 32 is padded at its far ends by repeating the
            border, and the answer is cropped back.

        Returns
        -------
        float tensor (B, out_channels, *S)
        """
        size = x.shape[2:]
        x = pad_to_multiple(x)
        skip1 = self.encoder1(self.stem(x))
        skip2 = self.encoder2(self.halve(skip1))
        skip3 = self.encoder3(self.halve(skip2))
        skip4 = self.encoder4(self.halve(skip3))
        y = self.encoder5(self.halve(skip4))
        y = self.decoder5(torch.cat([skip4, self.up5(y)], dim=1))
        y = self.decoder4(self.fusion4(torch.cat([skip3, self.up4(y)], dim=1)))
        y = self.decoder3(torch.cat([skip2, self.up3(y)], dim=1))
        y = self.decoder2(torch.cat([skip1, self.up2(y)], dim=1))
        logits: Tensor = self.head(y)
        for axis, n in enumerate(size, start=2):
            logits = logits.narrow(axis, 0, n)
        return logits


def pad_to_multiple(x: Tensor, multiple: int = MULTIPLE) -> Tensor:
    """Pad (B, C, *S) at the far ends by repeating the border, up to multiples of ``multiple``."""
    pads: list[int] = []
    for n in reversed(x.shape[2:]):
        pads += [0, -n % multiple]
    return F.pad(x, pads, mode="replicate") if any(pads) else x
