"""Accepted cases as a folder that training reads: images, masks, lists."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError, LGMSNetError
from napari_lgmsnet.core.io import write, write_labels
from napari_lgmsnet.core.io.atomic import atomic_path, ending
from napari_lgmsnet.core.progress import within
from napari_lgmsnet.core.project.cases import Case
from napari_lgmsnet.core.project.states import State
from napari_lgmsnet.core.project.store import Project
from napari_lgmsnet.core.types import Progress, Volume

_ACCEPTED: tuple[State, ...] = ("accepted",)
_MASKS = {".png": ".png", ".jpg": ".png", ".jpeg": ".png", ".tif": ".tif", ".tiff": ".tif"}
_VOLUME = ".nii.gz"
_FOLDERS = ("images", "masks", "ignore")
_UNUSABLE = '<>:"/\\|?*'


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Parameters
    ----------
    train, validation : tuple of str
        Names of the cases in the two lists.
    partial : tuple of str
        Names of those that have a file in ``ignore/``.
    problems : tuple of (str, str)
        Cases that could not be exported, and why.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    partial: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


def export_cases(
    project: Project,
    folder: Path,
    *,
    case_ids: Sequence[int] | None = None,
    validation: float = 0.2,
    overwrite: bool = False,
) -> Generator[Progress, None, Exported]:
    """Write cases as ``napari-lgmsnet train`` reads them.

    ``images/`` and ``masks/`` hold files of the same names, ``train.txt`` and ``val.txt`` list
    these. Where a person answers for a part of the voxels only, ``ignore/`` holds a mask of the
    same name with 1 at the voxels that must not count. Images in single files are copied as they
    are, with all that their headers say; others are written as NIfTI, without names or other text.

    Parameters
    ----------
    project : Project
    folder : Path
        Made if it is missing.
    case_ids : sequence of int, optional
        The accepted ones without it.
    validation : float
        Share of the cases in ``val.txt``, at least one and not all of several. Which ones,
        their content decides, so that it is the same every time.
    overwrite : bool
        Whether files in the folder may be replaced.

    Raises
    ------
    InputError
        If there is nothing to export, the folder is not empty, or cannot be written to.
    """
    if not 0 <= validation < 1:
        raise InputError(f"validation = {validation:g} is no share of the cases: 0 to below 1")
    if case_ids is None:
        cases = project.cases.all(states=_ACCEPTED)
    else:
        cases = [project.cases.get(one) for one in case_ids]
    if not cases:
        raise InputError("no case is accepted yet: accept some, or say which ones to export")
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise InputError(f'"{folder}" is not empty: choose another folder, or allow to overwrite')
    try:
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'"{folder}" cannot be written to ({error.strerror})') from error
    names = _names_of(cases)
    done: dict[str, str] = {}
    partial: list[str] = []
    problems: list[tuple[str, str]] = []
    for number, case in enumerate(cases):
        step = Progress(number, len(cases), f"exporting {case.name}")
        yield step
        try:
            sha256 = yield from within(project.cases.hash(case), step)
            if _export(project, case, folder, names[case.id], overwrite):
                partial.append(names[case.id])
        except (LGMSNetError, OSError) as error:
            problems.append((case.name, str(error)))
        else:
            done[names[case.id]] = sha256
    count = round(validation * len(done))
    if validation and len(done) > 1:
        count = min(max(count, 1), len(done) - 1)
    chosen = set(sorted(done, key=lambda name: done[name])[:count])
    train = [name for name in done if name not in chosen]
    held_out = [name for name in done if name in chosen]
    for list_name, lines in (("train.txt", train), ("val.txt", held_out)):
        with atomic_path(folder / list_name, overwrite) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Exported(tuple(train), tuple(held_out), tuple(partial), tuple(problems))


def _export(project: Project, case: Case, folder: Path, name: str, overwrite: bool) -> bool:
    """Write one case; return whether it is a partial one."""
    labels, known = project.target(case.id)
    image = case.source.read()
    axes = image.axes.removesuffix("C")
    single = case.source.kind == "file" and len(case.source.files()) == 1
    kind = ending(case.source.path) if single else _VOLUME
    target = folder / "images" / f"{name}{kind}"
    if single:
        with atomic_path(target, overwrite) as temporary:
            shutil.copyfile(case.source.path, temporary)
    else:
        write(target, image, overwrite=overwrite)
    file = f"{name}{_MASKS.get(kind, _VOLUME)}"
    write_labels(folder / "masks" / file, _on(image, labels, axes), overwrite=overwrite)
    if known is None:
        return False
    ignored = _on(image, (~known).astype(np.uint8), axes)
    write_labels(folder / "ignore" / file, ignored, overwrite=overwrite)
    return True


def _on(image: Volume, labels: NDArray[np.generic], axes: str) -> Volume:
    return image.with_data(labels, axes if labels.ndim == len(axes) else image.spatial_axes)


def _names_of(cases: Sequence[Case]) -> dict[int, str]:
    """Give each case a name that every file system takes, and that no other one has."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for case in cases:
        name = (
            "".join(
                "_" if letter in _UNUSABLE or ord(letter) < 32 else letter for letter in case.name
            ).strip(". ")
            or "case"
        )
        if name.casefold() in taken:
            name = f"{name}-{case.id}"
        taken.add(name.casefold())
        names[case.id] = name
    return names
