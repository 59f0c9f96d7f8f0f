"""Settings of a prediction as a small TOML file: what was done in the window, done again."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.headless import Level
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.part import Spans
from napari_lgmsnet.core.paths import text_of
from napari_lgmsnet.core.prediction import Prediction, PredictSettings, make_settings
from napari_lgmsnet.core.recipes import Recipe
from napari_lgmsnet.core.validation import first_problem


class _Checkpoint(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = ""


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: _Checkpoint
    level: Level = 0
    box: Spans | None = None
    recipe: Recipe | None = None
    settings: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class SavedSettings:
    """Everything that determines a mask except the image.

    Parameters
    ----------
    checkpoint : str
        A bundled checkpoint's name, or a file.
    sha256 : str
        Of the checkpoint's file; empty if it is not known.
    recipe : Recipe, optional
        Used instead of the checkpoint's own.
    settings : PredictSettings
    level : int or "auto"
        Of pyramids.
    box : Spans, optional
        The only part that was segmented: voxels of the level from 0, along the file's own axes.
    """

    checkpoint: str
    sha256: str
    recipe: Recipe | None
    settings: PredictSettings
    level: Level = 0
    box: Spans | None = None


def settings_of(prediction: Prediction, checkpoint: str | Path, level: Level = 0) -> SavedSettings:
    """Return the settings that a prediction was made with.

    Parameters
    ----------
    prediction : Prediction
    checkpoint : str or Path
        The name or the file that it was loaded from.
    level : int or "auto"
        Of the pyramid, if the image is one.

    Notes
    -----
    The recipe is noted whole, so that a later version with another one gives the same mask. Device
    and engine are not, unless it computes in reduced precision: the result does not depend on
    them but for rounding.
    """
    settings = prediction.settings.of_the_result()
    return SavedSettings(
        str(checkpoint), prediction.sha256, prediction.info.recipe, settings, level
    )


def write_settings(path: str | Path, saved: SavedSettings, *, overwrite: bool = False) -> None:
    """Write settings as TOML.

    Raises
    ------
    InputError
        If the file exists, or cannot be written.
    """
    lines = [
        "# napari-lgmsnet predict IMAGES -o MASKS --settings THIS_FILE",
        *([f"level = {_value(saved.level)}"] if saved.level != 0 else []),
        *([f"box = {_value(saved.box)}"] if saved.box is not None else []),
        "",
        "[checkpoint]",
        f"name = {_value(saved.checkpoint)}",
        f"sha256 = {_value(saved.sha256)}",
    ]
    lines += ["", "[settings]", *_table(saved.settings.model_dump(mode="json"))]
    if saved.recipe is not None:
        recipe = saved.recipe.model_dump(mode="json")
        intensity = recipe.pop("intensity")
        lines += ["", "[recipe]", *_table(recipe), "", "[recipe.intensity]", *_table(intensity)]
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_settings(path: str | Path) -> SavedSettings:
    """Read settings that :func:`write_settings` wrote, or a person.

    Only ``[checkpoint] name`` has to be there.

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is unknown or impossible.
    """
    path = Path(path)
    try:
        table = tomllib.loads(text_of(path, "file of settings (TOML)"))
        contents = _Contents.model_validate(table)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f'"{path}" cannot be read as TOML ({error})') from error
    except pydantic.ValidationError as error:
        place, problem = first_problem(error)
        raise InputError(f'"{path.name}", {place}: {problem}') from error
    name = contents.checkpoint.name
    beside = path.absolute().parent / name
    settings = make_settings(**contents.settings)
    return SavedSettings(
        str(beside) if beside.is_file() else name,
        contents.checkpoint.sha256,
        contents.recipe,
        settings,
        contents.level,
        contents.box,
    )


def check_checkpoint(saved: SavedSettings, sha256: str) -> None:
    """Refuse another checkpoint than the one that the settings are for.

    Raises
    ------
    InputError
    """
    if saved.sha256 and saved.sha256 != sha256:
        raise InputError(
            f"the settings are for a checkpoint with SHA-256 {saved.sha256[:12]}…, "
            f'"{saved.checkpoint}" has {sha256[:12]}…: give the right file with -c, or remove '
            "sha256 from the settings"
        )


def _table(values: dict[str, Any]) -> list[str]:
    """Return lines; TOML has no null, so what is None is left out."""
    return [f"{key} = {_value(value)}" for key, value in values.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    # Strings, numbers and truth values are written in TOML as in JSON, if all of Unicode is kept.
    return json.dumps(value, ensure_ascii=False)
