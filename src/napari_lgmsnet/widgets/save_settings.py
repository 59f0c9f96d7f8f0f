"""Saving how a mask was made, so that the command line can make it again."""

from __future__ import annotations

from pathlib import Path

import napari
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog

from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.widgets.windows import main_window

ENDING = ".toml"


def save_settings() -> None:
    """Write the settings of the selected mask; the command in napari's menu of layers."""
    from napari_lgmsnet.adapters.mask_settings import settings_of_mask
    from napari_lgmsnet.core.settings_file import write_settings

    viewer = napari.current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if layer is None:
        show_info("Select a mask in the list of layers first.")
        return
    try:
        saved = settings_of_mask(layer)
        name, _kind = QFileDialog.getSaveFileName(
            main_window(), "Save how this mask was made", f"{layer.name}{ENDING}", f"*{ENDING}"
        )
        if not name:
            return
        path = Path(name).with_suffix(ENDING)
        # The dialog has asked about the file with the very name that was given.
        write_settings(path, saved, overwrite=str(path) == name)
    except LGMSNetError as error:
        show_error(str(error))
        return
    show_info(f'Saved. The same again: napari-lgmsnet predict IMAGE -o MASK --settings "{path}"')
