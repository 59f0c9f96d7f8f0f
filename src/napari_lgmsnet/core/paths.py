"""Names of files, and what text files hold."""

from __future__ import annotations

from pathlib import Path

from napari_lgmsnet.core.errors import InputError, LGMSNetError
from napari_lgmsnet.core.io.atomic import ending


def split_suffix(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending in lower case (.nii.gz is one)."""
    suffix = ending(path)
    return path.name[: len(path.name) - len(suffix)], suffix


def text_of(path: Path, what: str, error: type[LGMSNetError] = InputError) -> str:
    """Return what a text file holds, in UTF-8 with or without a mark at its beginning.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for the message, such as "table".
    error : type of LGMSNetError
        Raised if there is no such file, or it cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as problem:
        raise error(f'there is no {what} "{path}": check its name and folder') from problem
    except OSError as problem:
        raise error(
            f'the {what} "{path}" cannot be read ({problem.strerror}): check its permissions'
        ) from problem
    except UnicodeDecodeError as problem:
        raise error(
            f'the {what} "{path}" is no text in UTF-8: save it as such, or give another file'
        ) from problem
