"""Training cases: listed, checked before anything starts, and prepared once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.errors import InputError, LGMSNetError, TrainingError
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.model import ModelInfo
from napari_lgmsnet.core.path_tables import column_of, is_table, path_in, read_path_table
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.preprocess import prepare
from napari_lgmsnet.core.training.config import DataConfig
from napari_lgmsnet.core.types import Progress, Volume


@dataclass(frozen=True)
class CaseFiles:
    """The two files of a training case."""

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Case:
    """A case as the network sees it.

    Parameters
    ----------
    name : str
    image : float32 tensor (C, *S)
    mask : uint8 tensor (1, *S)
        Class numbers.
    """

    name: str
    image: Tensor
    mask: Tensor


def list_cases(folder: Path, config: DataConfig, names_file: str) -> list[CaseFiles]:
    """Return the cases named in a list or a table, every problem with them in one error.

    Raises
    ------
    TrainingError
        If a folder or the list is missing, a name has no image or no mask or several, or the
        list is empty or names a case twice.
    """
    if is_table(folder / names_file):
        return cases_of_table(folder / names_file)
    images = files_by_name(folder / config.images)
    masks = files_by_name(folder / config.masks)
    list_path = folder / names_file
    try:
        lines = list_path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TrainingError(f'there is no list of cases "{list_path}"') from error
    lines = [line.strip() for line in lines if line.strip()]
    # Lists with and without file endings are both common.
    names = [line if line in images else split_suffix(Path(line))[0] for line in lines]
    problems = []
    if not names:
        problems.append(f'"{list_path.name}" names no case')
    repeated = {name for name in names if names.count(name) > 1}
    problems += [f'"{name}" stands in "{list_path.name}" twice' for name in sorted(repeated)]
    cases = []
    for name in names:
        for kind, files in (("image", images), ("mask", masks)):
            if len(files[name]) != 1:
                problems.append(f'"{name}" has {len(files[name]) or "no"} {kind}')
        if len(images[name]) == len(masks[name]) == 1:
            cases.append(CaseFiles(name, images[name][0], masks[name][0]))
    _raise(problems, folder)
    return cases


def cases_of_table(table: Path) -> list[CaseFiles]:
    """Return the cases of a table with the columns ``image`` and ``mask`` (or ``label``).

    Paths may be relative to the table's folder. A case is called what its column ``name`` says, or
    as its image.

    Raises
    ------
    TrainingError
        If the table cannot be read, lacks a column, names a file that is missing, or a case twice.
    """
    try:
        rows = read_path_table(table)
        image, mask = column_of(rows, ("image",), table), column_of(rows, ("mask", "label"), table)
    except InputError as error:
        raise TrainingError(str(error)) from error
    cases, problems = [], []
    for number, row in enumerate(rows, start=1):
        texts = {"image": row.get(image, ""), "mask": row.get(mask, "")}
        problems += [f"row {number} names no {kind}" for kind, text in texts.items() if not text]
        files = {kind: path_in(table, text) for kind, text in texts.items()}
        problems += [
            f'row {number}: there is no {kind} "{texts[kind]}"'
            for kind, path in files.items()
            if texts[kind] and not path.is_file()
        ]
        name = row.get("name") or split_suffix(Path(texts["image"]))[0]
        cases.append(CaseFiles(name, files["image"], files["mask"]))
    images = Counter(case.image.resolve() for case in cases)
    problems += [
        f'"{path.name}" stands in "{table.name}" {times} times'
        for path, times in images.items()
        if times > 1 and path.is_file()
    ]
    _raise(problems, table)
    return cases


def check_disjoint(train: list[CaseFiles], validation: list[CaseFiles]) -> None:
    """Raise TrainingError if a validation case's image is found among the training cases."""
    trained = {case.image.resolve() for case in train}
    shared = {case.name for case in validation if case.image.resolve() in trained}
    if shared:
        raise TrainingError(
            f"{len(shared)} case(s) are both trained on and validated on "
            f"({', '.join(sorted(shared)[:3])}): take them out of one list"
        )


def load_cases(
    files: list[CaseFiles], config: DataConfig, info: ModelInfo
) -> Generator[Progress, None, list[Case]]:
    """Read and prepare all cases.

    Yields
    ------
    Progress
        One a case.

    Raises
    ------
    TrainingError
        Listing every case that cannot be used, and why.
    """
    cases, problems = [], []
    for done, case in enumerate(files):
        yield Progress(done, len(files), f"reading {case.name}")
        try:
            cases.append(load_case(case, config, info))
        except LGMSNetError as error:
            problems.append(f'"{case.name}": {error}')
    _raise(problems, files[0].image.parent.parent if files else Path())
    return cases


def load_case(case: CaseFiles, config: DataConfig, info: ModelInfo) -> Case:
    """Read and prepare one case.

    Raises
    ------
    TrainingError
        If image and mask do not fit each other or the classes.
    """
    image, mask = read(case.image), read_mask(case.mask, config.foreground_above)
    if image.spatial_shape != mask.spatial_shape:
        raise TrainingError(
            f"image and mask differ in size ({image.spatial_shape} and {mask.spatial_shape})"
        )
    labels = np.asarray(mask.data)
    values = np.unique(labels)
    if not np.isin(values, np.arange(len(info.classes))).all():
        raise TrainingError(
            f"its mask holds the values {', '.join(f'{v:g}' for v in values[:6])}; known are 0 to "
            f"{len(info.classes) - 1}. For masks stored as 0 and 255 set foreground_above = 127"
        )
    array, _ = prepare(image, info.recipe, info.architecture.in_channels)
    target = _prepare_mask(image, labels.astype(np.uint8), info)
    return Case(case.name, torch.from_numpy(array), target)


def read_mask(path: Path, foreground_above: int | None) -> Volume:
    """Read class numbers, or the grey levels of a picture cut at a level.

    Parameters
    ----------
    path : Path
    foreground_above : int, optional
        As in :class:`DataConfig`.
    """
    if foreground_above is None:
        return read_labels(path)
    grey = read(path)
    levels = np.asarray(grey.data)
    if grey.has_channels:
        levels = levels[..., :3].max(axis=-1)
    return grey.with_data((levels > foreground_above).astype(np.uint8), grey.spatial_axes)


def check_classes(cases: list[Case], info: ModelInfo, what: str) -> None:
    """Raise TrainingError if no case shows one of the classes."""
    shown = {int(value) for case in cases for value in np.unique(case.mask.numpy())}
    for number, one in enumerate(info.classes[1:], start=1):
        if number not in shown:
            raise TrainingError(
                f'no {what} case shows "{one.name}" (label {number}): check the masks, and '
                "foreground_above in the configuration"
            )


def _prepare_mask(image: Volume, labels: np.ndarray, info: ModelInfo) -> Tensor:
    """Bring a mask to the grid of the prepared image, class by class, so that edges stay sharp."""
    one_hot = np.stack([(labels == k) for k in range(len(info.classes))])
    shares = prepare_shares(image, one_hot.astype(np.float32), info)
    return shares.argmax(dim=0, keepdim=True).to(torch.uint8)


def prepare_shares(image: Volume, shares: NDArray[np.float32], info: ModelInfo) -> Tensor:
    """Bring shares of an image's voxels to the grid of the prepared image.

    Parameters
    ----------
    image : Volume
    shares : float32 array (K, *S)
        0 to 1, on the image's grid; at least two of them.
    info : ModelInfo

    Returns
    -------
    float32 tensor (K, *S of the input)
    """
    recipe = info.recipe.model_copy(
        update={
            "intensity": info.recipe.intensity.model_copy(
                update={"kind": "range", "low": 0.0, "high": 1.0}
            ),
            "colour": "rgb" if info.recipe.dimensions == 2 else "grey",
            "interpolation": "antialias",
            "crop_foreground": False,
        }
    )
    volume = image.with_data(np.moveaxis(shares, 0, -1), image.spatial_axes + "C")
    array, _ = prepare(volume, recipe, len(shares))
    if info.recipe.crop_foreground:
        _, grid = prepare(image, info.recipe, info.architecture.in_channels)
        array = array[(slice(None), *grid.crop)]
    return torch.from_numpy(array)


def files_by_name(folder: Path) -> defaultdict[str, list[Path]]:
    """Return the files of a folder by their names without endings.

    Raises
    ------
    TrainingError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise TrainingError(f'there is no folder "{folder}"')
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            files[split_suffix(path)[0]].append(path)
    return files


def _raise(problems: list[str], folder: Path) -> None:
    if problems:
        shown = "\n  ".join(problems[:20])
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise TrainingError(f'the data in "{folder}" cannot be trained on:\n  {shown}{more}')
