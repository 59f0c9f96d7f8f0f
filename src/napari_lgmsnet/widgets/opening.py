"""Opening files in napari; where there is something to choose, a person is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.layers import LayerData
    from napari_lgmsnet.adapters.reader import Paths
    from napari_lgmsnet.core.io.dicom import Contents


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the function that opens a file or a folder of DICOM, or None if it is not for us.

    Parameters
    ----------
    path : str or list of str
    """
    from napari_lgmsnet.adapters import reader

    return reader.get_reader(path, ask_for_series)


def ask_for_series(contents: Contents) -> list[str]:
    """Return which series a person wants opened; none if they changed their mind.

    Parameters
    ----------
    contents : Contents
        What was found in a folder.

    Raises
    ------
    InputError
        If there are several and no window to ask in; the message lists them.
    """
    from qtpy.QtWidgets import QApplication, QDialog

    from napari_lgmsnet.widgets.series_dialog import SeriesDialog
    from napari_lgmsnet.widgets.windows import main_window

    if len(contents.series) < 2 or QApplication.instance() is None:
        return [contents.choose(None).key]
    dialog = SeriesDialog(contents, main_window())
    try:
        return dialog.chosen() if dialog.exec() == QDialog.DialogCode.Accepted else []
    finally:
        dialog.deleteLater()


def open_files() -> None:
    """Let a person choose image files and open them, without asking with which plugin."""
    from napari.utils.history import get_open_history
    from qtpy.QtWidgets import QFileDialog

    from napari_lgmsnet.core.io import READABLE
    from napari_lgmsnet.widgets.windows import main_window

    kinds = " ".join(f"*{ending}" for ending in READABLE)
    paths, _kind = QFileDialog.getOpenFileNames(
        main_window(),
        "Open images with LGMSNet",
        get_open_history()[0],
        f"Images ({kinds});;All files (*)",
    )
    _open(paths)


def open_folder() -> None:
    """Let a person choose a folder of DICOM or OME-Zarr and open what is in it."""
    from napari.utils.history import get_open_history
    from qtpy.QtWidgets import QFileDialog

    from napari_lgmsnet.widgets.windows import main_window

    path = QFileDialog.getExistingDirectory(
        main_window(), "Open a folder of DICOM or OME-Zarr with LGMSNet", get_open_history()[0]
    )
    _open([path] if path else [])


def _open(paths: Iterable[str]) -> None:
    """Add the layers of files to the viewer; what is wrong with one does not stop the others."""
    import napari
    from napari.layers import Layer
    from napari.utils.history import update_open_history
    from napari.utils.notifications import show_error

    from napari_lgmsnet.adapters.reader import read_layers
    from napari_lgmsnet.core.errors import InputError

    viewer = napari.current_viewer()
    assert viewer is not None, "a command in napari's menu has a viewer"
    for path in paths:
        update_open_history(path)
        try:
            layers = read_layers(path, ask_for_series)
        except InputError as error:
            show_error(str(error))
            continue
        for layer in layers:
            if layer[0] is not None:  # nothing was chosen
                viewer.add_layer(Layer.create(*layer))
