"""Keys for what is done more than once an image; a person can change them in Preferences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari.layers import Labels
from napari.settings import get_settings
from napari.utils.action_manager import action_manager

from napari_lgmsnet.adapters.session import session_with


@dataclass(frozen=True)
class Shortcut:
    """Something that has a key.

    Parameters
    ----------
    name : str
        What it is called in :meth:`Session.offer`.
    what : str
        For a person.
    key : str
        The key, unless a person chose another one; works while a mask is the selected layer.
    """

    name: str
    what: str
    key: str


SHORTCUTS = (
    Shortcut("correct_by_clicks", "Correct by clicks, on or off", "C"),
    Shortcut("click_less", "Let the last click reach half as far", "Shift-C"),
    Shortcut("keep_largest", "Keep the largest object", "K"),
    Shortcut("fill_holes", "Fill holes", "H"),
    Shortcut("remove_islands", "Remove islands", "I"),
    Shortcut("smooth", "Smooth", "S"),
    Shortcut("grow", "Grow", "G"),
    Shortcut("shrink", "Shrink", "Shift-G"),
    Shortcut("split", "Split touching objects", "T"),
    Shortcut("interpolate", "Interpolate between slices", "W"),
    Shortcut("copy_on", "Copy to the next slice", "."),
    Shortcut("copy_back", "Copy to the previous slice", ","),
    Shortcut("lock_region", "Lock the region", "Shift-L"),
    Shortcut("unlock_region", "Unlock the region", "Shift-U"),
    Shortcut("next_doubt", "Next doubtful region", "D"),
    Shortcut("previous_doubt", "Previous doubtful region", "Shift-D"),
    Shortcut("doubt_done", "Tick the doubtful region off", "Y"),
    Shortcut("next_case", "Next case", "N"),
    Shortcut("previous_case", "Previous case", "Shift-N"),
    Shortcut("accept_case", "Accept this case", "A"),
    Shortcut("reject_case", "Reject this case", "Shift-A"),
)


def register_shortcuts() -> None:
    """Make the keys known to napari, with those that the person chose."""
    chosen = get_settings().shortcuts.shortcuts
    for one in SHORTCUTS:
        name = _full(one.name)
        action_manager.register_action(name, _command(one.name), f"LGMSNet: {one.what}", Labels)
        for key in chosen.get(name, [one.key]):
            action_manager.bind_shortcut(name, key)


def keys() -> dict[str, str]:
    """Return the key of each action, as the person has it; those without one are left out."""
    chosen = get_settings().shortcuts.shortcuts
    found = {one.name: chosen.get(_full(one.name), [one.key]) for one in SHORTCUTS}
    return {name: str(bound[0]).replace("-", "+") for name, bound in found.items() if bound}


def _full(name: str) -> str:
    return f"napari-lgmsnet:{name}"


def _command(name: str) -> Callable[[Labels], None]:
    def command(layer: Labels) -> None:
        session = session_with(layer)
        if session is not None:
            session.do(name)

    return command
