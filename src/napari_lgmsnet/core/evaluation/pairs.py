"""Which image, mask and reference belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import is_readable
from napari_lgmsnet.core.path_tables import column_of, is_table, path_in, read_path_table
from napari_lgmsnet.core.paths import split_suffix, text_of
from napari_lgmsnet.core.types import Volume

_SHOWN = 5


@dataclass(frozen=True)
class Pair:
    """One case to evaluate.

    Parameters
    ----------
    name : str
    reference : Path or Volume
        The mask that counts as right.
    image : Path or Volume, optional
        What a checkpoint is to segment.
    mask : Path or Volume, optional
        A mask that is there already.
    """

    name: str
    reference: Path | Volume
    image: Path | Volume | None = None
    mask: Path | Volume | None = None


def pairs_in(
    data: str | Path,
    *,
    images: str = "images",
    masks: str = "masks",
    listed: str | Path | Sequence[str] | None = None,
) -> list[Pair]:
    """Return the cases of a folder or a table.

    Parameters
    ----------
    data : str or Path
        A folder with images and masks of the same names (endings may differ), which with folders
        inside are paths such as ``ward/case1``; or a CSV file with the columns ``image`` and
        ``mask``; ``prediction`` and ``name`` may be there as well.
    images, masks : str
        The folder's two folders.
    listed : str, Path or sequence of str, optional
        Which cases of a folder: a text file with one name a line (a name alone is looked for in
        the folder first), or the names themselves. All of them without.

    Raises
    ------
    InputError
        If files are missing or names stand for several files; every problem in one message.
    """
    data = Path(data)
    if is_table(data):
        return _pairs_in_table(data)
    if not data.is_dir():
        raise InputError(f'there is no folder and no table (.csv) "{data}"')
    # Either may hold the other, such as "." beside "masks".
    places = data / images, data / masks
    for place in places:
        _check_folder(place)
    by_image, by_mask = _files(*places), _files(*reversed(places))
    names = sorted(by_image) if listed is None else _names(listed, data, by_image)
    problems = [
        f'"{name}" has {len(files[name]) or "no"} {kind}'
        for name in names
        for kind, files in (("image", by_image), ("mask", by_mask))
        if len(files[name]) != 1
    ]
    problems += [f'"{name}" is listed twice' for name in sorted(_repeated(names))]
    if not names:
        problems = ["there is no case"]
    _refuse(problems, data)
    return [Pair(name, by_mask[name][0], image=by_image[name][0]) for name in names]


def pairs_of_masks(masks: str | Path, references: str | Path) -> list[Pair]:
    """Return the cases of two folders of masks, or of two files.

    Parameters
    ----------
    masks, references : str or Path
        A mask has its reference's name, or that name and ``_mask``, as predict calls it; in
        folders inside, its path as well.

    Raises
    ------
    InputError
        If a reference has no mask, or several.
    """
    masks, references = Path(masks), Path(references)
    if masks.is_file() and references.is_file():
        return [Pair(split_suffix(references)[0], references, mask=masks)]
    expected, found = _files(references), _files(masks)
    problems, pairs = [], []
    for name in sorted(expected):
        candidates = found[name] or found[f"{name}_mask"]
        if len(expected[name]) != 1 or len(candidates) != 1:
            problems.append(f'"{name}" has {len(candidates) or "no"} mask in "{masks}"')
        else:
            pairs.append(Pair(name, expected[name][0], mask=candidates[0]))
    _refuse(problems or ([] if pairs else ["there is no mask"]), references)
    return pairs


def _pairs_in_table(table: Path) -> list[Pair]:
    rows = read_path_table(table)
    reference = column_of(rows, ("mask", "reference", "label"), table)
    if not {"image", "prediction"} & set(rows[0]):
        column_of(rows, ("image",), table)  # says what is missing
    pairs = []
    for row in rows:
        paths = {
            key: path_in(table, row[key])
            for key in ("image", "prediction", reference)
            if row.get(key)
        }
        missing = [path for path in paths.values() if not path.exists()]
        if missing or reference not in paths:
            missed = f'"{missing[0]}" is missing' if missing else "a row names no mask"
            raise InputError(f'the table "{table}": {missed}')
        image = paths.get("image")
        name = row.get("name") or split_suffix(image or paths[reference])[0]
        pairs.append(Pair(name, paths[reference], image=image, mask=paths.get("prediction")))
    _refuse([f'"{name}" stands there twice' for name in _repeated([p.name for p in pairs])], table)
    return pairs


def _names(
    listed: str | Path | Sequence[str], folder: Path, images: defaultdict[str, list[Path]]
) -> list[str]:
    """Return listed names; lists with and without file endings are both common."""
    if isinstance(listed, str | Path):
        inside = folder / listed
        path = inside if inside.is_file() else Path(listed)
        lines = text_of(path, "list of cases").splitlines()
    else:
        lines = list(listed)
    lines = [line.strip() for line in lines if line.strip()]
    return [line if line in images else _name(Path(line)) for line in lines]


def _files(folder: Path, leave_out: Path | None = None) -> defaultdict[str, list[Path]]:
    """Return what is in a folder and the folders inside, by their names."""
    _check_folder(folder)
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for path in _inside(folder, leave_out):
        files[_name(path.relative_to(folder))].append(path)
    return files


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f'there is no folder "{folder}"')


def _inside(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    """Give files, and folders that are one image each, in order and without hidden ones."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() or is_readable(path):
            yield path
        elif path.is_symlink() or (leave_out is not None and path.samefile(leave_out)):
            continue
        else:
            yield from _inside(path, leave_out)


def _name(path: Path) -> str:
    """Return what a case is called: its path without the ending, with the folders it lies in."""
    return path.with_name(split_suffix(path)[0]).as_posix()


def _repeated(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _refuse(problems: list[str], place: Path) -> None:
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise InputError(
            f'"{place}" cannot be evaluated: {"; ".join(problems[:_SHOWN])}{more}. Add what is '
            "missing, or list the cases to take"
        )
