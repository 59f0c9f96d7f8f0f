"""Writers for napari's own way of saving the selected layers.

The dialog asks before a file is replaced, so a file that was chosen there may be. A script that
calls ``viewer.layers.save`` was asked nothing, and neither was a person whose file got its ending
only here: an existing file is refused then, with words that say what to do.
"""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

DIALOG = "_save_layers_dialog"
"""The function of napari that asks. If it ever gets another name, nothing is replaced any more."""


def write_layer(
    path: str, data: Any, about: dict[str, Any], *, kind: str, ending: str
) -> list[str]:
    """Write one layer.

    Parameters
    ----------
    path : str
        Without an ending of a known format, ``ending`` is added.
    data, about
        As napari gives them.
    kind : "image" or "labels"
    ending : str
        Of the writer that the person chose.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    InputError, WriteError
        As :func:`napari_lgmsnet.core.io.write_labels`; napari shows the message.
    """
    from napari_lgmsnet.adapters.saving import savable
    from napari_lgmsnet.core.io import WRITABLE
    from napari_lgmsnet.core.io.atomic import ending as ending_of

    file = Path(path)
    if ending_of(file) not in (*WRITABLE, ending):
        file = file.with_name(file.name + ending)
    savable(data, about, kind).write(file, overwrite=_agreed_to_replace(file))
    return [str(file)]


labels_as_nifti = partial(write_layer, kind="labels", ending=".nii.gz")
labels_as_tiff = partial(write_layer, kind="labels", ending=".ome.tif")
labels_as_png = partial(write_layer, kind="labels", ending=".png")
labels_as_dicom = partial(write_layer, kind="labels", ending=".dcm")
labels_as_nrrd = partial(write_layer, kind="labels", ending=".nrrd")
image_as_nifti = partial(write_layer, kind="image", ending=".nii.gz")
image_as_tiff = partial(write_layer, kind="image", ending=".ome.tif")
image_as_png = partial(write_layer, kind="image", ending=".png")
image_as_nrrd = partial(write_layer, kind="image", ending=".nrrd")


def _agreed_to_replace(file: Path) -> bool:
    """Tell whether napari's dialog is what asks for this very file."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == DIALOG:
            return str(frame.f_locals.get("filename")) == str(file)
        frame = frame.f_back
    return False
