"""Opening files in napari; where there is something to choose, a person is asked."""

from __future__ import annotations

from collections.abc import Callable
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

    if len(contents.series) < 2 or QApplication.instance() is None:
        return [contents.choose(None).key]
    dialog = SeriesDialog(contents, QApplication.activeWindow())
    try:
        return dialog.chosen() if dialog.exec() == QDialog.DialogCode.Accepted else []
    finally:
        dialog.deleteLater()
