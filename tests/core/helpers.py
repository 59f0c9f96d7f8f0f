"""Small real networks for tests."""

from napari_lgmsnet.core.model import Model, ModelInfo, default_classes, new_model
from napari_lgmsnet.core.network import Architecture
from napari_lgmsnet.core.recipes import Intensity, Recipe

SMALL_DIMS = (4, 8, 8, 8, 8)
SMALL_SPLITS = ((6, 2), (6, 2), (6, 2), (6, 2))


def small_architecture(
    dimensions: int, in_channels: int = 1, out_channels: int = 1
) -> Architecture:
    """Return the sizes of a network that runs in milliseconds."""
    return Architecture(
        dimensions=dimensions,
        in_channels=in_channels,
        out_channels=out_channels,
        dims=SMALL_DIMS,
        splits=SMALL_SPLITS,
    )


def small_recipe(dimensions: int, **changes: object) -> Recipe:
    """Return a recipe with windows of 32."""
    settings = {
        "name": "small",
        "title": "small",
        "dimensions": dimensions,
        "window": (32,) * dimensions,
        "intensity": Intensity(kind="zscore"),
    }
    return Recipe.model_validate(settings | changes)


def small_model(
    dimensions: int, in_channels: int = 1, out_channels: int = 1, seed: int = 0, **recipe: object
) -> Model:
    """Return a freshly initialised small network with its recipe."""
    info = ModelInfo(
        name=f"small-{dimensions}d",
        architecture=small_architecture(dimensions, in_channels, out_channels),
        recipe=small_recipe(dimensions, **recipe),
        classes=default_classes(out_channels),
    )
    return new_model(info, seed)
