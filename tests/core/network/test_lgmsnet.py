"""The network: the released answers, sizes, gradients, odd inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.network import Architecture, LGMSNet
from napari_lgmsnet.core.network.layers import Attention, grid_to_sequences, sequences_to_grid
from napari_lgmsnet.core.network.official import from_official, module_names, to_official
from tests.core.helpers import small_architecture

LARGE = {
    "in_channels": 1,
    "out_channels": 14,
    "dims": (32, 64, 128, 160, 256),
    "splits": ((120, 40), (192, 64), (120, 40), (96, 32)),
}


@pytest.mark.parametrize("name", ["official2d", "official3d", "variant2d", "variant3d"])
def test_answers_as_the_released_network(fixtures_folder: Path, name: str) -> None:
    network = load(fixtures_folder / f"{name}.pth").network
    answers = np.load(fixtures_folder / f"{name}_io.npz")
    stage5: list[torch.Tensor] = []
    network.encoder5.register_forward_hook(lambda _m, _i, out: stage5.append(out))
    count = sum(key.startswith("input_") for key in answers)
    assert count
    for i in range(count):
        with torch.inference_mode():
            logits = network(torch.from_numpy(answers[f"input_{i}"])).numpy()
        for own, released in (
            (logits, answers[f"logits_{i}"]),
            (stage5[i], answers[f"stage5_{i}"]),
        ):
            assert np.abs(np.asarray(own) - released).max() <= 1e-3 * released.std()


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ({"dimensions": 2}, 2_321_393),
        ({"dimensions": 3, "in_channels": 1, "out_channels": 14}, 6_193_742),
        ({"dimensions": 3, "in_channels": 1, "out_channels": 14, "depths": (1, 1, 3)}, 6_227_854),
        ({"dimensions": 3, **LARGE, "depths": (1, 1, 2)}, 14_805_134),
        ({"dimensions": 3, **LARGE, "depths": (1, 1, 3)}, 14_853_582),
    ],
)
def test_has_as_many_parameters_as_published(sizes: dict[str, object], parameters: int) -> None:
    with torch.device("meta"):
        network = LGMSNet(Architecture.model_validate(sizes))
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_parameter_gets_a_gradient(dimensions: int) -> None:
    torch.manual_seed(0)
    network = LGMSNet(small_architecture(dimensions, out_channels=2))
    network(torch.randn(2, 1, *(32,) * dimensions)).square().sum().backward()
    without = [
        name
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    # An instance norm removes what the bias of the convolution before it adds.
    assert all(name.endswith("bias") for name in without) if dimensions == 3 else not without
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    "size", [(1, 1), (33, 31), (64, 7), (1, 1, 1), (31, 40, 33)], ids=lambda size: str(size)
)
def test_takes_any_size(size: tuple[int, ...]) -> None:
    network = LGMSNet(small_architecture(len(size), out_channels=3)).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 1, *size))
    assert logits.shape == (1, 3, *size)
    assert logits.isfinite().all()


def test_padding_leaves_sizes_that_fit_alone() -> None:
    network = LGMSNet(small_architecture(2)).eval()
    image = torch.randn(1, 1, 32, 64)
    with torch.inference_mode():
        padded = network(torch.nn.functional.pad(image, [0, 0, 0, 0]))
        assert torch.equal(padded, network(image))


@pytest.mark.parametrize("size", [(4, 6), (2, 4, 6)])
def test_sequences_hold_equal_places_of_all_patches(size: tuple[int, ...]) -> None:
    grid = torch.arange(float(np.prod(size) * 3 * 2)).view(2, 3, *size)
    sequences = grid_to_sequences(grid)
    assert sequences.shape == (2 * 2 ** len(size), np.prod(size) // 2 ** len(size), 3)
    assert torch.equal(sequences_to_grid(sequences, size), grid)
    even = (slice(None), slice(None), *(slice(0, None, 2) for _ in size))
    assert torch.equal(sequences[0].T.reshape(3, -1), grid[even][0].reshape(3, -1))


def test_fused_attention_is_softmax_attention() -> None:
    torch.manual_seed(0)
    attention = Attention(12).eval()
    tokens = torch.randn(3, 10, 12)
    query, key, value = attention.heads(tokens)
    weights = (query @ key.transpose(-1, -2) * 8**-0.5).softmax(dim=-1)
    explicit = attention.out((weights @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(tokens), explicit)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_official_names_cover_every_tensor_both_ways(dimensions: int) -> None:
    architecture = Architecture(dimensions=dimensions, depths=(2, 1, 3))
    with torch.device("meta"):
        state = LGMSNet(architecture).state_dict()
    official = to_official(state, architecture)
    assert {key.rpartition(".")[0] for key in official} <= set(module_names(architecture))
    assert set(from_official(official, architecture)) == set(state)


@pytest.mark.parametrize(
    "sizes", [{"dims": (6, 32, 64, 128, 128)}, {"splits": ((96, 31),) * 4}, {"out_channels": 0}]
)
def test_impossible_sizes_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Architecture.model_validate({"dimensions": 2, **sizes})
