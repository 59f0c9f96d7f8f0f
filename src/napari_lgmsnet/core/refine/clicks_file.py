"""Clicks from a file: a table or JSON, as indices or as places in the world."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.path_tables import read_path_table
from napari_lgmsnet.core.paths import text_of
from napari_lgmsnet.core.refine.apply import LabelledClick
from napari_lgmsnet.core.types import Volume

World = Literal["lps", "ras"]

_MILLIMETRES = ("x_mm", "y_mm", "z_mm")
_SIGNS: dict[str, bool | None] = {
    "1": True, "true": True, "yes": True, "+": True, "add": True, "positive": True,
    "0": False, "false": False, "no": False, "-": False, "remove": False, "negative": False,
    "": None,
}  # fmt: skip


def read_clicks(
    path: str | Path,
    image: Volume,
    classes: Mapping[str, int] | None = None,
    world: World = "lps",
) -> list[LabelledClick]:
    """Read clicks on an image.

    Parameters
    ----------
    path : str or Path
        A CSV file with a row for each click, or a JSON file with a list of objects. A click has

        - ``z``, ``y``, ``x`` (images ``y``, ``x``): its voxel, from 0, in the order in which this
          program reads the file; or ``x_mm``, ``y_mm``, ``z_mm``: its place in the world;
        - ``positive`` (optional): yes or no, whether it belongs to the class; left out, the mask
          is wrong there;
        - ``class`` (optional): the name or number of its class; left out, the first one.
    image : Volume
    classes : mapping of str to int, optional
        Labels by the names of classes.
    world : "lps" or "ras"
        Whether x runs to the left and y to the back, as in DICOM and ITK, or to the right and to
        the front, as in NIfTI.

    Raises
    ------
    InputError
        Naming the click that cannot be understood, or lies outside of the image.
    """
    path = Path(path)
    rows = _rows(path)
    clicks = []
    for number, row in enumerate(rows, start=1):
        try:
            index = _index(row, image, world)
            positive = _sign(row.get("positive", ""))
            clicks.append(LabelledClick(index, positive, _label(row.get("class", ""), classes)))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'click {number} in "{path.name}" cannot be understood ({error}): give '
                f"{', '.join(image.spatial_axes.lower())}, or {', '.join(_MILLIMETRES)}, and "
                "positive as yes or no"
            ) from error
        if not all(0 <= i < n for i, n in zip(index, image.spatial_shape, strict=True)):
            raise InputError(
                f'click {number} in "{path.name}" lies at voxel {index}, outside of '
                f'"{image.name}" {image.spatial_shape}: check its coordinates'
            )
    return clicks


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() != ".json":
        return [dict(row) for row in read_path_table(path)]
    try:
        rows = json.loads(text_of(path, "list of clicks"))
    except ValueError as error:
        raise InputError(f'"{path}" cannot be read as JSON ({error})') from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f'"{path}" must hold a list of clicks, each an object with x, y, ...')
    return rows


def _index(row: Mapping[str, Any], image: Volume, world: World) -> tuple[int, ...]:
    letters = image.spatial_axes.lower()
    if not set(_MILLIMETRES[: image.ndim_spatial]) <= set(row):
        numbers = [float(row[letter]) for letter in letters]
        if any(number != round(number) for number in numbers):
            raise ValueError("a voxel is counted in whole numbers")
        return tuple(int(number) for number in numbers)
    sign = -1.0 if world == "ras" else 1.0
    signs = {"x_mm": sign, "y_mm": sign, "z_mm": 1.0}
    place = [signs[f"{letter}_mm"] * float(row[f"{letter}_mm"]) for letter in letters]
    if not np.isfinite(place).all():
        raise ValueError("its place is not finite")
    index = np.linalg.solve(image.affine, [*place, 1.0])[:-1]
    return tuple(int(i) for i in np.floor(index + 0.5))


def _sign(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    return _SIGNS[str(value).strip().lower()]


def _label(value: Any, classes: Mapping[str, int] | None) -> int:
    text = "" if value is None else str(value).strip()
    if not text:
        return 1
    if classes and text in classes:
        return classes[text]
    if not text.isdecimal():
        names = ", ".join(classes) if classes else "numbers from 1"
        raise ValueError(f'there is no class "{text}"; known are {names}')
    return int(text)
