"""An evaluation as files: two tables, and the settings it was made with."""

from __future__ import annotations

from pathlib import Path

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.evaluation.evaluate import Evaluation
from napari_lgmsnet.core.tables import write_csv

CASES, SUMMARY, PICTURE = "cases.csv", "summary.csv", "cases.png"


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse, before anything is computed, a folder that holds an evaluation already.

    Raises
    ------
    InputError
    """
    if folder.is_file():
        raise InputError(f'"{folder}" is a file: give a folder')
    there = [name for name in (CASES, SUMMARY, PICTURE) if (folder / name).exists()]
    if there and not overwrite:
        raise InputError(
            f'"{folder / there[0]}" exists: choose another folder, or allow to overwrite'
        )


def write_tables(folder: Path, evaluation: Evaluation, *, overwrite: bool = False) -> list[Path]:
    """Write ``cases.csv`` and ``summary.csv``; the folder is made if it is missing.

    Returns
    -------
    list of Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / CASES, folder / SUMMARY]
    write_csv(paths[0], evaluation.case_columns(), overwrite=overwrite)
    write_csv(paths[1], evaluation.summary_columns(), overwrite=overwrite)
    return paths
