"""Say in one line that a file cannot be decoded, or holds no image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_lgmsnet.core.errors import FileFormatError


def damaged(path: Path, kind: str, error: BaseException) -> FileFormatError:
    """Return the error for a file that begins like ``kind`` but cannot be read to its end.

    Parameters
    ----------
    path : pathlib.Path
    kind : str
        What the file claims to be, with its article: "a NIfTI file".
    error : BaseException
        What the library that decodes it said, often over several lines.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    return FileFormatError(
        f'"{path}" cannot be read as {kind} ({reason}): it is damaged or cut short. Copy or '
        "export it again"
    )


def check_real(path: Path, dtype: np.dtype[Any]) -> None:
    """Refuse a file whose numbers are not real ones: complex, records, text.

    Raises
    ------
    FileFormatError
    """
    if dtype.kind not in "biuf":
        raise FileFormatError(f'"{path}" holds {dtype} numbers: real ones are expected')
