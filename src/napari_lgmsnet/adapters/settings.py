"""What a person prefers, kept by napari and shown in its Preferences.

The manifest declares the entries (``configurations``); napari checks, saves and shows them. Where
napari does not know the plugin, for instance in a script that adds the widget by hand, the
defaults hold and nothing is saved.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari.settings import get_plugin_settings
from npe2 import PluginManager
from pydantic import BaseModel, ConfigDict

PLUGIN = "napari-lgmsnet"
RECENT = 8


class Preferences(BaseModel):
    """Starting values of the Segment widget; the manifest has the same ones, with words.

    Parameters
    ----------
    checkpoint : str
        Name of a checkpoint that ships, or a file; empty for one that suits the image.
    device : str
        auto, cpu, cuda or mps.
    engine : str
        What runs the network: auto, torch, fused, openvino or openvino-bfloat16.
    flips : bool
        Average over all flips.
    overlap : float
        Share of a window that the next one covers again; below 0 for the recipe's own.
    threshold : float
        0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    checkpoint: str = ""
    device: str = "auto"
    engine: str = "auto"
    flips: bool = False
    overlap: float = -1.0
    threshold: float = 0.5


def preferences() -> Preferences:
    """Return what the person chose in napari's Preferences."""
    stored = _stored()
    if stored is None:
        return Preferences()
    return Preferences.model_validate(stored.segment.model_dump())


def recent_checkpoints() -> list[str]:
    """Return the files of checkpoints used lately, the last one first, if they still exist."""
    return [file for file in _listed("checkpoints") if Path(file).is_file()][:RECENT]


def remember_checkpoint(file: str) -> None:
    """Put a checkpoint's file at the top of the recent ones."""
    _remember("checkpoints", file, recent_checkpoints())


def recent_projects() -> list[str]:
    """Return the folders of projects open lately, the last one first, if they still exist."""
    return [folder for folder in _listed("projects") if Path(folder).is_dir()][:RECENT]


def remember_project(folder: str) -> None:
    """Put a project's folder at the top of the recent ones."""
    _remember("projects", folder, recent_projects())


def _listed(name: str) -> list[str]:
    """Return a list that is kept as text in napari's settings."""
    stored = _stored()
    if stored is None:
        return []
    try:
        paths = json.loads(getattr(stored.history, name) or "[]")
    except ValueError:  # a person may have typed into the field
        return []
    return [one for one in paths if isinstance(one, str)] if isinstance(paths, list) else []


def _remember(name: str, path: str, before: list[str]) -> None:
    stored = _stored()
    if stored is not None:
        paths = [path, *(other for other in before if other != path)]
        setattr(stored.history, name, json.dumps(paths[:RECENT], ensure_ascii=False))


def _stored() -> Any:
    """Return napari's settings of this plugin, or None if napari does not know it."""
    # Asked first, because napari searches for plugins anew each time it finds none with settings.
    if PLUGIN not in PluginManager.instance() or PluginManager.instance().is_disabled(PLUGIN):
        return None
    return get_plugin_settings(PLUGIN)
