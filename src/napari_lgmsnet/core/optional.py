"""Packages that only some people need."""

from __future__ import annotations

import importlib
from typing import Any

from napari_lgmsnet.core.errors import InputError


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import a package that an extra of this one brings.

    Parameters
    ----------
    module : str
        Its name in Python.
    extra : str
        The extra that brings it.
    purpose : str
        What it is needed for, to begin a sentence with.

    Raises
    ------
    InputError
        If it is not installed; the message names the extra.

    Examples
    --------
    >>> optional("math", "itk", "counting").floor(1.5)
    1
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{purpose} needs {module}, which is not installed: run "
            f'`pip install "napari-lgmsnet[{extra}]"` and start again'
        ) from error
