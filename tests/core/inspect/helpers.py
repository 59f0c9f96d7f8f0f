"""A network whose stages are plain averages, so that what they must answer is known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from napari_lgmsnet.core.inspect.inspection import Inspection, inspect
from napari_lgmsnet.core.model import Model, ModelInfo, default_classes
from napari_lgmsnet.core.network import Architecture
from napari_lgmsnet.core.prediction import make_settings
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.recipes import Intensity, Recipe
from napari_lgmsnet.core.types import Volume

RANGE = 1000.0


class Averages(nn.Module):
    """Answers the mean of each cell; the logits are the image itself."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        pool = nn.AvgPool2d if dimensions == 2 else nn.AvgPool3d
        self.encoder1 = nn.Identity()
        self.encoder3 = pool(4)
        self.encoder5 = pool(4)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 1, *S) to (B, 1, *S)."""
        x = self.encoder1(x)
        self.encoder5(self.encoder3(x))
        return x


def averaging_model(dimensions: int, **recipe: object) -> Model:
    """Return a model whose every stage is linear in the image (0 to 1000 become 0 to 1)."""
    settings = {
        "name": "averages",
        "title": "averages",
        "dimensions": dimensions,
        "window": (32,) * dimensions,
        "intensity": Intensity(kind="range", low=0.0, high=RANGE),
    }
    info = ModelInfo(
        name="averages",
        architecture=Architecture(dimensions=dimensions, in_channels=1),
        recipe=Recipe.model_validate(settings | recipe),
        classes=default_classes(1),
    )
    return Model(Averages(dimensions), info)


def look(
    model: Model, volume: Volume, stages: Iterable[str] = ("encoder5",), **settings: object
) -> Inspection:
    """Inspect to the end."""
    return run(inspect(model, volume, stages, make_settings(**settings)))


def hooks_on(network: nn.Module) -> int:
    """Return how many hooks are set anywhere in a network."""
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()
    )


def any_affine(seed: int, dimensions: int) -> np.ndarray:
    """Return a rotated, anisotropic, possibly mirrored affine."""
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(dimensions, dimensions)))
    affine = np.eye(dimensions + 1)
    affine[:-1, :-1] = rotation * generator.uniform(0.6, 2.5, size=dimensions)
    affine[:-1, -1] = generator.uniform(-100, 100, size=dimensions)
    return affine


def world(affine: np.ndarray, index: Iterable[float]) -> np.ndarray:
    """Return where an index lies."""
    return affine[:-1] @ [*index, 1.0]


def random_features(*shape: int, seed: int = 0) -> np.ndarray:
    """Return normal numbers in single precision."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).numpy()
