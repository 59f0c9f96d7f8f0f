"""The same network without what it learnt: what numbers of a trained one are held against."""

from __future__ import annotations

from napari_lgmsnet.core.model import Model, new_model

RANDOM = "random"
"""How a person asks for it where a checkpoint is expected."""


def untrained(model: Model, seed: int = 0) -> Model:
    """Return a model of the same shape, recipe and classes, with random weights.

    Parameters
    ----------
    model : Model
    seed : int
        The same seed gives the same weights.

    Returns
    -------
    Model
        Named after ``model``.
    """
    name = f"{model.info.name}, random weights"
    return new_model(model.info.model_copy(update={"name": name}), seed)
