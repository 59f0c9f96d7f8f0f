"""The three blocks of LGMSNet: local multiscale, global multiscale, fusion.

Described in arXiv 2508.15476, sections 3.2 to 3.4; where the text and the released code differ,
the code is followed, since every released checkpoint was trained with it. All blocks work on
images (B, C, H, W) and volumes (B, C, D, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_lgmsnet.core.network.architecture import HEAD_CHANNELS, HEADS

KERNEL_SIZES = (3, 5, 7, 9)


def convolution(
    dimensions: int, c_in: int, c_out: int, size: int, *, groups: int = 1, bias: bool = False
) -> nn.Module:
    """Return a convolution that keeps the spatial size."""
    kind = nn.Conv2d if dimensions == 2 else nn.Conv3d
    return kind(c_in, c_out, size, padding=size // 2, groups=groups, bias=bias)


def batch_norm(dimensions: int, channels: int) -> nn.Module:
    """Return batch normalisation for images or volumes."""
    return nn.BatchNorm2d(channels) if dimensions == 2 else nn.BatchNorm3d(channels)


def normalisation(dimensions: int, channels: int) -> nn.Module:
    """Return the network's usual norm: batch norm in 2D, plain instance norm in 3D."""
    return batch_norm(2, channels) if dimensions == 2 else nn.InstanceNorm3d(channels)


class ConvNormAct(nn.Module):
    """Convolution, norm, activation."""

    def __init__(
        self,
        dimensions: int,
        c_in: int,
        c_out: int,
        size: int,
        *,
        bias: bool = False,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.conv = convolution(dimensions, c_in, c_out, size, bias=bias)
        self.norm = normalisation(dimensions, c_out)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, *S) to (B, c_out, *S)."""
        out: Tensor = self.activation(self.norm(self.conv(x)))
        return out


class LocalMultiScale(nn.Module):
    """LMS block: depthwise convolutions of four sizes side by side (paper section 3.2).

    The paper's text has SiLU after the group norm; the released code has GELU there, and so does
    this block.

    Parameters
    ----------
    dimensions : 2 or 3
    channels : int
        Multiple of 4; the block keeps the number of channels.
    """

    def __init__(self, dimensions: int, channels: int) -> None:
        super().__init__()
        group = channels // len(KERNEL_SIZES)
        self.branches = nn.ModuleList(
            convolution(dimensions, group, group, size, groups=group, bias=True)
            for size in KERNEL_SIZES
        )
        self.group_norm = nn.GroupNorm(len(KERNEL_SIZES), channels)
        self.reduce = ConvNormAct(dimensions, channels, group, 1)
        self.expand = ConvNormAct(dimensions, group, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, *S) to (B, C, *S)."""
        groups = x.chunk(len(self.branches), dim=1)
        y = torch.cat([conv(g) for conv, g in zip(self.branches, groups, strict=True)], dim=1)
        y = F.gelu(self.group_norm(y + x))
        out: Tensor = self.expand(self.reduce(y)) + x
        return out


class Attention(nn.Module):
    """Pre-norm multi-head self-attention over (sequences, tokens, channels)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_CHANNELS
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * inner, bias=False)
        self.out = nn.Linear(inner, channels)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value, each (sequences, heads, tokens, channels of a head)."""
        sequences, tokens, _ = x.shape
        qkv = self.qkv(self.norm(x)).view(sequences, tokens, 3, HEADS, HEAD_CHANNELS)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return query, key, value

    def forward(self, x: Tensor) -> Tensor:
        """Map (sequences, tokens, channels) to the same shape."""
        # Fused attention never forms the tokens x tokens matrix; its scale is 1/sqrt(8).
        y = F.scaled_dot_product_attention(*self.heads(x))
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return out


class FeedForward(nn.Module):
    """Pre-norm two-layer perceptron."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (sequences, tokens, channels) to the same shape."""
        out: Tensor = self.narrow(F.silu(self.widen(self.norm(x))))
        return out


class DepthwiseBranch(nn.Module):
    """The convolved quarter of a GMS block; batch norm in 3D as well."""

    def __init__(self, dimensions: int, channels: int) -> None:
        super().__init__()
        self.depthwise = convolution(dimensions, channels, channels, 3, groups=channels)
        self.norm1 = batch_norm(dimensions, channels)
        self.scale = convolution(dimensions, channels, channels, 1, groups=channels)
        self.norm2 = batch_norm(dimensions, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, *S) to (B, C, *S)."""
        y = F.relu(self.norm1(self.depthwise(x)))
        out: Tensor = self.norm2(self.scale(y))
        return out


def grid_to_sequences(x: Tensor) -> Tensor:
    """Cut a grid into patches of 2 along each axis and gather equal places of all patches.

    Parameters
    ----------
    x : tensor (B, C, *S)
        Every S even.

    Returns
    -------
    tensor (B * 2^d, prod(S) / 2^d, C)
        One sequence for each place inside a patch.
    """
    batch, channels, *size = x.shape
    if len(size) == 2:
        h, w = size
        x = x.view(batch, channels, h // 2, 2, w // 2, 2)
        return x.permute(0, 3, 5, 2, 4, 1).reshape(batch * 4, h * w // 4, channels)
    d, h, w = size
    x = x.reshape(batch, channels, d // 2, 2, h // 2, 2, w // 2, 2)
    return x.permute(0, 3, 5, 7, 2, 4, 6, 1).reshape(batch * 8, d * h * w // 8, channels)


def sequences_to_grid(tokens: Tensor, size: tuple[int, ...]) -> Tensor:
    """Undo :func:`grid_to_sequences` for a grid of ``size``."""
    channels = tokens.shape[-1]
    half = [n // 2 for n in size]
    if len(size) == 2:
        x = tokens.view(-1, 2, 2, *half, channels).permute(0, 5, 3, 1, 4, 2)
    else:
        x = tokens.view(-1, 2, 2, 2, *half, channels).permute(0, 7, 4, 1, 5, 2, 6, 3)
    return x.reshape(x.shape[0], channels, *size)


class GlobalMultiScale(nn.Module):
    """GMS block: three quarters of the channels attend, one quarter is convolved (section 3.3).

    Parameters
    ----------
    dimensions : 2 or 3
    c_in, c_out : int
        Channels in and out.
    split : pair of int
        Channels that attend and channels that are convolved; they add up to ``c_out``.
    """

    def __init__(self, dimensions: int, c_in: int, c_out: int, split: tuple[int, int]) -> None:
        super().__init__()
        attending, convolved = split
        self.split = split
        self.embed = ConvNormAct(dimensions, c_in, c_out, 3)
        self.mix = ConvNormAct(dimensions, c_out, c_out, 1)
        self.convolve = DepthwiseBranch(dimensions, convolved)
        self.attention = Attention(attending)
        self.feed_forward = FeedForward(attending, 2 * c_out)
        self.join = ConvNormAct(dimensions, c_out, c_out, 1)
        self.output = ConvNormAct(dimensions, c_in + c_out, c_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, *S), every S even, to (B, c_out, *S)."""
        y = self.mix(self.embed(x))
        attending, convolved = y.split(self.split, dim=1)
        convolved = convolved + self.convolve(convolved)
        tokens = grid_to_sequences(attending)
        tokens = tokens + self.attention(tokens)
        tokens = tokens + self.feed_forward(tokens)
        attending = sequences_to_grid(tokens, tuple(attending.shape[2:]))
        y = self.join(torch.cat([attending, convolved], dim=1))
        out: Tensor = self.output(torch.cat([y, x], dim=1))
        return out


class Fusion(nn.Module):
    """Fuses a skip with the upsampled path, 2c -> c (paper section 3.4).

    The first convolution is grouped, so skip and path are first convolved each on its own.
    """

    def __init__(self, dimensions: int, channels: int) -> None:
        super().__init__()
        widths = (2 * channels, 2 * channels, 4 * channels, channels)
        self.convs = nn.ModuleList(
            [
                convolution(dimensions, widths[0], widths[1], 3, groups=2, bias=True),
                convolution(dimensions, widths[1], widths[2], 1, bias=True),
                convolution(dimensions, widths[2], widths[3], 1, bias=True),
            ]
        )
        self.norms = nn.ModuleList(normalisation(dimensions, width) for width in widths[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 2c, *S) to (B, c, *S)."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.gelu(conv(x)))
        return x


class Upsample(nn.Module):
    """Linear upsampling by two, then convolution, norm and ReLU."""

    def __init__(self, dimensions: int, c_in: int, c_out: int) -> None:
        super().__init__()
        self.mode = "bilinear" if dimensions == 2 else "trilinear"
        self.block = ConvNormAct(dimensions, c_in, c_out, 3, bias=True, activation=nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, *S) to (B, c_out, *2S)."""
        x = F.interpolate(x, scale_factor=2.0, mode=self.mode, align_corners=False)
        out: Tensor = self.block(x)
        return out
