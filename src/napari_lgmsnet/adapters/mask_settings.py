"""How a mask in the viewer was made, as settings that can be written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.adapters.settings import recent_checkpoints
from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_lgmsnet.core.settings_file import SavedSettings


def settings_of_mask(layer: Layer) -> SavedSettings:
    """Return the settings that made a mask.

    Parameters
    ----------
    layer : napari layer

    Raises
    ------
    InputError
        If it was not made here.
    """
    from napari_lgmsnet.core.prediction import make_settings
    from napari_lgmsnet.core.recipes import Recipe
    from napari_lgmsnet.core.settings_file import SavedSettings

    made = layer.metadata.get(METADATA, {})
    if "settings" not in made or "recipe_contents" not in made:
        raise InputError(f'"{layer.name}" was not made by a network here: select such a mask')
    settings = make_settings(**made["settings"]).of_the_result()
    return SavedSettings(
        _file_of(made["checkpoint"], made["sha256"]),
        made["sha256"],
        Recipe.model_validate(made["recipe_contents"]),
        settings,
        made["level"],
        tuple((start, stop) for start, stop in made["box"]) if made.get("box") else None,
    )


def _file_of(name: str, sha256: str) -> str:
    """Return where a checkpoint is found again: its name if it ships, or a recent file."""
    from napari_lgmsnet.core.catalogue import shipped
    from napari_lgmsnet.core.hashing import file_sha256

    if shipped().get(name, {}).get("sha256") == sha256:
        return name
    for path in map(Path, recent_checkpoints()):
        if path.is_file() and file_sha256(path) == sha256:
            return str(path)
    return name
