"""The weights that ship or can be fetched: whether they are whole, and getting them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.downloads import Download, fetch
from napari_lgmsnet.core.errors import InputError, LGMSNetError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.types import Progress

_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Verdict:
    """Whether a checkpoint can be used.

    Parameters
    ----------
    name : str
    path : str
    sha256 : str
        Of the file; empty if it is missing.
    problem : str
        What is wrong; empty if nothing is.
    """

    name: str
    path: str
    sha256: str
    problem: str


def path_of(entry: Mapping[str, Any]) -> Path:
    """Return where a checkpoint that ships with the package lies."""
    return resource_folder("weights") / str(entry["file"])


def verify(names: list[str] | None = None) -> Generator[Progress, None, list[Verdict]]:
    """Check checkpoints: their SHA-256 if they are listed, and that all tensors are there.

    Parameters
    ----------
    names : list of str, optional
        Names or files; all that ship without.

    Yields
    ------
    Progress
        One a checkpoint.
    """
    from napari_lgmsnet.core.checkpoints import load

    wanted = names or list(shipped())
    verdicts = []
    for done, name in enumerate(wanted):
        yield Progress(done, len(wanted), f"checking {name}")
        listed = name in shipped() and not Path(name).is_file()
        path = path_of(shipped()[name]) if listed else Path(name)
        try:
            model = load(name)
        except LGMSNetError as error:
            sha256 = file_sha256(path) if path.is_file() else ""
            verdicts.append(Verdict(name, str(path), sha256, str(error)))
        else:
            verdicts.append(Verdict(name, str(path), model.sha256, ""))
    return verdicts


def folder_for_weights() -> Path:
    """Return the folder in which fetched weights are kept; it may not exist yet."""
    return platformdirs.user_data_path("napari-lgmsnet", appauthor=False) / "weights"


def fetch_weights(
    url: str, sha256: str, target: Path | None = None
) -> Generator[Progress, None, Path]:
    """Fetch a checkpoint, verify it, and make sure that it can be used.

    Parameters
    ----------
    url : str
        http or https.
    sha256 : str
        Of the file, in hexadecimal: anything else that arrives is refused.
    target : Path, optional
        Where it goes; without it the user's data folder.

    Raises
    ------
    InputError
        If address or SHA-256 are none.
    DownloadError
        If it cannot be fetched.
    CheckpointError
        If it is no checkpoint; the file stays where it is.
    """
    from napari_lgmsnet.core.checkpoints import load

    name = url.split("?")[0].rstrip("/").rpartition("/")[2]
    if not url.startswith(("https://", "http://")) or not name:
        raise InputError(f'"{url}" is no address of a file: give one with https://')
    digits = sha256.lower()
    if len(digits) != _SHA256_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise InputError(f'"{sha256}" is no SHA-256: its 64 digits stand where the file is offered')
    path = yield from fetch(Download(url, digits, target or folder_for_weights() / name))
    load(path)
    return path
