"""Find the files that ship with the package."""

from pathlib import Path
from typing import Literal

from napari_lgmsnet.core.errors import LGMSNetError

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_folder(name: Literal["sample_data", "weights"]) -> Path:
    """Return the folder of the bundled weights or sample images.

    Parameters
    ----------
    name : "sample_data" or "weights"
        Which one.

    Returns
    -------
    pathlib.Path
        The folder inside the installed package or, in a source checkout, the one at its top
        level.

    Raises
    ------
    LGMSNetError
        If there is neither.
    """
    checkout = _PACKAGE.parents[1]
    candidates = [_PACKAGE / name]
    # An installed package has site-packages two levels up, and a "weights" there is not ours.
    if (checkout / "pyproject.toml").is_file():
        candidates.append(checkout / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    tried = " nor ".join(f'"{folder}"' for folder in candidates)
    raise LGMSNetError(
        f'the bundled folder "{name}" is missing: there is no {tried}. '
        "Reinstall napari-lgmsnet, or restore the folder in your checkout"
    )
