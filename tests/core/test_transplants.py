"""The paper's blocks in other networks: counts as published, gradients everywhere, trainable."""

import pytest
import torch
from torch.nn import functional as F

from napari_lgmsnet.core.network.transplants import Blocks, TinyUNet, UNet

PUBLISHED = [
    (UNet, "own", 34.53),
    (UNet, "lms", 17.33),
    (UNet, "gms", 19.18),
    (TinyUNet, "own", 0.48),
    (TinyUNet, "lms", 0.69),
    (TinyUNet, "gms", 0.71),
]


@pytest.mark.parametrize(("network", "blocks", "millions"), PUBLISHED)
def test_parameters_as_published(
    network: type[UNet | TinyUNet], blocks: Blocks, millions: float
) -> None:
    with torch.device("meta"):
        made = network(blocks=blocks)
    assert sum(p.numel() for p in made.parameters()) / 1e6 == pytest.approx(millions, rel=0.015)


@pytest.mark.parametrize("blocks", ["own", "lms", "gms"])
@pytest.mark.parametrize("network", [UNet, TinyUNet])
def test_every_parameter_gets_a_gradient(network: type[UNet | TinyUNet], blocks: Blocks) -> None:
    made = network(1, 2, blocks)
    logits = made(torch.randn(2, 1, 32, 64))
    assert logits.shape == (2, 2, 32, 64)
    logits.square().mean().backward()
    assert [name for name, p in made.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("blocks", ["lms", "gms"])
def test_it_learns(blocks: Blocks) -> None:
    torch.manual_seed(0)
    made = TinyUNet(1, 1, blocks)
    mask = torch.zeros(4, 1, 32, 32)
    for number in range(4):
        mask[number, :, 4 * number : 4 * number + 12, 6:20] = 1
    images = mask + 0.3 * torch.randn(mask.shape)
    optimiser = torch.optim.AdamW(made.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = F.binary_cross_entropy_with_logits(made(images), mask)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
