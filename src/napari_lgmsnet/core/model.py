"""A network together with everything that is needed to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_lgmsnet.core.engines.choice import Engines
from napari_lgmsnet.core.info import ClassInfo, ModelInfo, default_classes, named_classes
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.recipes import Recipe

__all__ = ["ClassInfo", "Model", "ModelInfo", "default_classes", "named_classes", "new_model"]


class Model:
    """A network with its recipe and classes, ready to predict.

    Parameters
    ----------
    network : LGMSNet
        Set to evaluation mode.
    info : ModelInfo
    sha256 : str
        Of the file it was read from; empty for a network that lies in memory only.
    path : Path, optional
        The file it was read from.
    engines : Engines, optional
        What runs the network, where another model has the same one.
    """

    def __init__(
        self,
        network: LGMSNet,
        info: ModelInfo,
        sha256: str = "",
        path: Path | None = None,
        *,
        engines: Engines | None = None,
    ) -> None:
        self.network = network.eval()
        self.info = info
        self.sha256 = sha256
        self.path = path
        self._engines = Engines(self.network) if engines is None else engines

    @property
    def engines(self) -> Engines:
        """Return what runs the network; other ones once another network stands in its place."""
        if self._engines.network is not self.network:
            self._engines = Engines(self.network)
        return self._engines

    def with_recipe(self, recipe: Recipe) -> Model:
        """Return the same network with another recipe.

        Raises
        ------
        pydantic.ValidationError
            If the recipe has another number of dimensions.
        """
        info = ModelInfo.model_validate({**self.info.model_dump(), "recipe": recipe.model_dump()})
        return Model(self.network, info, self.sha256, self.path, engines=self.engines)

    @property
    def parameters(self) -> int:
        """Return the number of trainable numbers in the network."""
        return sum(p.numel() for p in self.network.parameters())

    def describe(self) -> str:
        """Return what it is, in a few lines for a person."""
        info, a = self.info, self.info.architecture
        lines = [
            f"{info.name}: {info.title}" if info.title else info.name,
            f"  network   LGMSNet {a.dimensions}D, {self.parameters:,} parameters, "
            f"{a.in_channels} channel(s) in, {a.out_channels} out",
            f"            dims {_plain(a.dims)}; depths {_plain(a.depths)}; "
            f"splits {_plain(tuple(f'{x}+{y}' for x, y in a.splits))}",
            f"  classes   {', '.join(c.name for c in info.classes)}",
            f"  recipe    {info.recipe.title}",
            f"  trained   {info.training_data}",
            f"  licence   {info.licence}",
        ]
        lines += [f"  metric    {name}: {value:.4g}" for name, value in info.metrics.items()]
        if info.parent_sha256:
            lines.append(f"  parent    {info.parent_sha256}")
        if self.sha256:
            lines.append(f"  sha256    {self.sha256}")
        return "\n".join(lines)


def _plain(values: tuple[Any, ...]) -> str:
    return " ".join(str(value) for value in values)


def new_model(info: ModelInfo, seed: int = 0) -> Model:
    """Return a model with freshly initialised weights.

    Parameters
    ----------
    info : ModelInfo
    seed : int
        The same seed gives the same weights; torch's global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(LGMSNet(info.architecture), info)
