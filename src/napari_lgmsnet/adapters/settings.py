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
        Name of a checkpoint that ships, or a file; empty for the first that ships.
    device : str
        auto, cpu, cuda or mps.
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
    stored = _stored()
    if stored is None:
        return []
    try:
        files = json.loads(stored.history.checkpoints or "[]")
    except ValueError:  # a person may have typed into the field
        return []
    if not isinstance(files, list):
        return []
    return [file for file in files if isinstance(file, str) and Path(file).is_file()][:RECENT]


def remember_checkpoint(file: str) -> None:
    """Put a checkpoint's file at the top of the recent ones."""
    stored = _stored()
    if stored is None:
        return
    files = [file, *(other for other in recent_checkpoints() if other != file)]
    stored.history.checkpoints = json.dumps(files[:RECENT], ensure_ascii=False)


def _stored() -> Any:
    """Return napari's settings of this plugin, or None if napari does not know it."""
    # Asked first, because napari searches for plugins anew each time it finds none with settings.
    if PLUGIN not in PluginManager.instance() or PluginManager.instance().is_disabled(PLUGIN):
        return None
    return get_plugin_settings(PLUGIN)
