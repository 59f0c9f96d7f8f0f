"""What a person means by an input: a file, a folder, a pattern or a table of paths."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.headless import RECORDS, Input
from napari_lgmsnet.core.io import is_readable
from napari_lgmsnet.core.path_tables import column_of, is_table, path_in, read_path_table
from napari_lgmsnet.core.project.walking import walk

COLUMNS = ("image", "path", "file", "input")
_WILD = "*?["


def find_inputs(inputs: Sequence[str | Path]) -> list[Input]:
    """Return the images that are meant, each once, in order.

    Parameters
    ----------
    inputs : sequence of str or Path
        Each is an image's file; a folder of DICOM or OME-Zarr, which is one image; another folder,
        for all images in it and the folders inside; a pattern such as ``scans/**/t1*.nii.gz``; or
        a table (CSV) with a column ``image``, whose paths start where the table lies. Folders and
        patterns leave out the masks that an earlier run made.

    Raises
    ------
    InputError
        If one of them means no image.
    """
    found: dict[Path, Input] = {}
    for one in inputs:
        images = list(_meant(Path(one)))
        if not images:
            raise InputError(f'"{one}" holds no image that can be read: check its name')
        for image in images:
            found.setdefault(image.path.resolve(), image)
    return list(found.values())


def _meant(path: Path) -> Iterator[Input]:
    if is_table(path):
        rows = read_path_table(path)
        column = column_of(rows, COLUMNS, path)
        for row in rows:
            if not row.get(column):
                raise InputError(f'the table "{path}" has a row without "{column}"')
            yield Input(path_in(path, row[column]))
    elif path.is_dir() and not is_readable(path):
        for file in walk(path):
            if is_readable(file) and not _is_result(file):
                yield Input(file, file.parent.relative_to(path.absolute()))
    elif not path.exists() and any(sign in str(path) for sign in _WILD):
        for name in sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 (may be absolute)
            file = Path(name)
            if is_readable(file) and not _is_result(file):
                yield Input(file)
    else:
        yield Input(path)


def _is_result(file: Path) -> bool:
    """Tell whether a file is a mask, or the probabilities, that an earlier run made."""
    records = file.parent / RECORDS
    if not records.is_dir():
        return False
    stem, is_probability, _ = file.name.partition("_probability")
    return (records / f"{file.name}.json").exists() or (
        bool(is_probability) and any(records.glob(f"{glob.escape(stem)}_mask*.json"))
    )
