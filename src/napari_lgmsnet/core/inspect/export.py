"""Maps, tables and figures of cases, as files in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.figures import map_figure, save_figure
from napari_lgmsnet.core.inspect.headless import Case
from napari_lgmsnet.core.inspect.numbers import (
    Record,
    spectrum_records,
    summarise,
    write_records,
    write_table,
)
from napari_lgmsnet.core.inspect.plots import share_figure, spectrum_figure, stage_figure
from napari_lgmsnet.core.io import is_readable, write
from napari_lgmsnet.core.paths import split_suffix

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True)
class Folder:
    """Where results go, and how.

    Parameters
    ----------
    path : Path
    coarse : bool
        Maps keep their cells, with an affine of their own, instead of lying on the image's grid.
        For volumes only: a picture's file does not say where it lies.
    figures : str
        "png" or "svg" for a figure of every map and plots of the numbers; nothing without it.
    overwrite : bool
    """

    path: Path
    coarse: bool = False
    figures: str = ""
    overwrite: bool = False


def plan(sources: list[Path], masks: Path | None, folder: Folder) -> list[tuple[Path, Path | None]]:
    """Find the mask of every image, and refuse before anything is computed.

    Parameters
    ----------
    sources : list of Path
    masks : Path, optional
        A file for one image; for several a folder with files of the same names (endings may
        differ).
    folder : Folder

    Returns
    -------
    list of (image, mask or None)

    Raises
    ------
    InputError
        If a file is missing, two images have one name, or the folder holds results already.
    """
    if folder.figures not in ("", "png", "svg"):
        raise InputError(f'figures are "png" or "svg", not "{folder.figures}"')
    for source in sources:
        if not source.is_file() and not is_readable(source):
            raise InputError(f'there is no file "{source}"')
        if folder.coarse and split_suffix(source)[1] in PICTURES:
            raise InputError(
                f'"{source}" is a picture, whose file cannot say where coarse cells lie: leave '
                "out --coarse"
            )
    names = [split_suffix(source)[0] for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f'two images are called "{name}": use a folder for each')
    if folder.path.is_file():
        raise InputError(f'"{folder.path}" is a file: give a folder')
    if (folder.path / "numbers.csv").exists() and not folder.overwrite:
        raise InputError(
            f'"{folder.path}" holds results already: choose another folder, or allow to overwrite'
        )
    found = [_mask_of(source, masks, alone=len(sources) == 1) for source in sources]
    folder.path.mkdir(parents=True, exist_ok=True)
    return list(zip(sources, found, strict=True))


def write_case(case: Case, source: Path, folder: Folder) -> list[Path]:
    """Write the maps of one case, and their figures.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If a file exists, or cannot be written.
    """
    suffix = ".tif" if split_suffix(source)[1] in PICTURES else ".nii.gz"
    written = []
    for tag, coarse in case.maps.items():
        path = folder.path / f"{case.name}_{tag}{suffix}"
        write(
            path,
            coarse.as_volume() if folder.coarse else coarse.on_grid(),
            overwrite=folder.overwrite,
        )
        written.append(path)
        if folder.figures:
            path = folder.path / f"{case.name}_{tag}.{folder.figures}"
            inside = case.mask.data != 0 if case.mask is not None else None
            save_figure(path, map_figure(coarse, inside), overwrite=folder.overwrite)
            written.append(path)
    if folder.figures:
        path = folder.path / f"{case.name}_spectra.{folder.figures}"
        save_figure(path, spectrum_figure(case.spectra), overwrite=folder.overwrite)
        written.append(path)
    return written


def write_tables(cases: list[Case], folder: Folder) -> list[Path]:
    """Write the tables of all cases, and plots of them.

    ``numbers.csv`` has a row for each map and class; ``spectra.csv`` the singular values and
    effective ranks. With masks, ``channels.csv`` ranks channels; with several cases,
    ``summary.csv`` has means and quartiles; ``occlusion.csv`` says what covering a part changed.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If a file exists, or cannot be written.
    """
    rows = [row for case in cases for row in case.rows]
    values = [one for case in cases for one in spectrum_records(case.name, case.spectra)]
    tables: dict[str, list[Record]] = {
        "spectra.csv": values,
        "channels.csv": [one for case in cases for one in case.ranking],
        "occlusion.csv": [one for case in cases for one in case.occlusions],
    }
    written = [folder.path / "numbers.csv"]
    write_table(written[0], rows, overwrite=folder.overwrite)
    for name, records in tables.items():
        if records:
            written.append(folder.path / name)
            write_records(written[-1], records, overwrite=folder.overwrite)
    if len(cases) > 1:
        written.append(folder.path / "summary.csv")
        write_table(written[-1], summarise(rows), overwrite=folder.overwrite)
    scored = [row for row in rows if np.isfinite(row.energy) and row.channels]
    if folder.figures and scored:
        for name, draw in {"stages": stage_figure, "shares": share_figure}.items():
            written.append(folder.path / f"{name}.{folder.figures}")
            save_figure(written[-1], draw(scored), overwrite=folder.overwrite)
    return written


def _mask_of(source: Path, masks: Path | None, *, alone: bool) -> Path | None:
    if masks is None:
        return None
    if masks.is_file():
        if not alone:
            raise InputError(f'"{masks}" is one mask for several images: give a folder of masks')
        return masks
    if not masks.is_dir():
        raise InputError(f'there is no mask "{masks}"')
    name = split_suffix(source)[0]
    found = sorted(p for p in masks.iterdir() if p.is_file() and split_suffix(p)[0] == name)
    if not found:
        raise InputError(f'there is no mask called "{name}" in "{masks}"')
    return found[0]
