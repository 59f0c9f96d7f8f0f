"""Write a file completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_lgmsnet.core.errors import InputError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_COMPRESSED = {".gz"}
_NEARLY_NOTHING = 2**16


def ending(path: Path) -> str:
    """Return a file's ending in lower case, ``.nii.gz`` and its like in full."""
    suffixes = path.suffixes
    if len(suffixes) > 1 and suffixes[-1].lower() in _COMPRESSED:
        return "".join(suffixes[-2:]).lower()
    return path.suffix.lower()


def is_full(folder: Path) -> bool:
    """Tell whether a disk has no space left: some libraries do not say why they fail."""
    return shutil.disk_usage(folder).free < _NEARLY_NOTHING


@contextmanager
def atomic_path(target: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes ``target`` when the block ends well.

    The temporary file lies in the same folder and has the same ending. It is flushed to the disk
    before it takes the target's place in one step, so that at any moment, even after a power cut,
    ``target`` is the old file or the new one. If the block fails, ``target`` is untouched and the
    temporary file is removed. A symbolic link stays one: what it points to is replaced.

    Parameters
    ----------
    target : str or pathlib.Path
        The file to write.
    overwrite : bool
        Whether an existing file may be replaced. Without it a file that appears while the block
        runs is not replaced either.

    Yields
    ------
    pathlib.Path
        An empty file to write to.

    Raises
    ------
    InputError
        If the file exists and must not be replaced, the folder is missing or must not be written
        to, the disk is full, or the system refuses to write for another reason.
    """
    target = Path(target)
    _check(target, overwrite)
    final = Path(os.path.realpath(target))
    temporary = _new_file(final)
    permissions = temporary.stat().st_mode
    try:
        yield temporary
        # Some libraries put a file of their own in its place, closed to other people.
        temporary.chmod(permissions)
        _flush(temporary)
        if overwrite:
            temporary.replace(final)
        else:
            _place_new(temporary, final)
        flush_folder(final.parent)
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(target: str | Path) -> None:
    """Refuse a file that cannot be written because of the folder it would lie in.

    Raises
    ------
    InputError
        If the folder is missing, or must not be written to.
    """
    target = Path(target)
    _check(target, overwrite=True)
    _new_file(Path(os.path.realpath(target))).unlink()


def _new_file(final: Path) -> Path:
    """Create an empty file beside another one."""
    temporary = final.with_name(f".{secrets.token_hex(8)}{ending(final)}")
    try:
        # Exclusive, and with the permissions that any new file gets here.
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(
            f'cannot write into the folder "{final.parent}" ({error.strerror}): choose another one'
        ) from error
    return temporary


def _check(target: Path, overwrite: bool) -> None:
    """Refuse before any work is done what would be refused after it."""
    if target.is_dir():
        raise InputError(f'"{target}" is a folder: give the name of a file in it')
    if not target.parent.is_dir():
        raise InputError(f'there is no folder "{target.parent}": create it, or choose another one')
    if target.exists() and not overwrite:
        raise _exists(target)


def _not_written(target: Path, error: OSError) -> InputError:
    if error.errno in _DISK_FULL or (error.errno is None and is_full(target.parent)):
        return InputError(
            f'the disk is full: "{target}" was not written, and nothing was changed. Make space or '
            "choose another folder"
        )
    return InputError(
        f'"{target}" was not written ({error.strerror or error}), and nothing was changed: choose '
        "another folder"
    )


def _exists(target: Path) -> InputError:
    return InputError(f'"{target}" exists already: choose another name, or allow to overwrite it')


def _place_new(temporary: Path, target: Path) -> None:
    """Move a file to a name that must not be taken."""
    try:
        # Unlike a rename, a hard link fails where a file exists.
        target.hardlink_to(temporary)
        return
    except FileExistsError as error:
        raise _exists(target) from error
    except (OSError, NotImplementedError):
        pass  # not every file system has hard links
    try:
        target.touch(exist_ok=False)
    except FileExistsError as error:
        raise _exists(target) from error
    temporary.replace(target)


def _flush(path: Path) -> None:
    # Windows flushes only what is open for writing.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
