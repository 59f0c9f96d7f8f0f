"""Files from the internet, on a person's request only: verified, and complete or not there at all.

The transfer itself is pooch's. It blocks while a server is silent, so it runs in a thread of its
own: a person who cancels does not wait for the server.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from napari_lgmsnet.core.errors import Cancelled, DownloadError, LGMSNetError
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.types import Progress

LONGEST_SILENCE = 20.0
"""Seconds after which a server that says nothing is given up."""
LARGEST = 100 * 2**20
"""Bytes; nothing that is listed is larger."""

_PART = 2**13
_PAUSE = 0.05


@dataclass(frozen=True)
class Download:
    """A file that can be fetched.

    Parameters
    ----------
    url : str
    sha256 : str
        Of its content; anything else is refused.
    target : pathlib.Path
        Where it goes.
    """

    url: str
    sha256: str
    target: Path

    @property
    def done(self) -> bool:
        """Return whether the right file is there, from here or put there by hand."""
        return self.target.is_file() and _sha256(self.target) == self.sha256


def cache_folder() -> Path:
    """Return the folder for files that can be fetched again; it may not exist yet."""
    return platformdirs.user_cache_path("napari-lgmsnet", appauthor=False)


def fetch(download: Download) -> Generator[Progress, None, Path]:
    """Fetch a file, unless it is there already.

    Closing the generator stops it at once; nothing of the file remains.

    Yields
    ------
    Progress
        In bytes; the total is 0 until the server has told it.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DownloadError
        If there is no connection, the server refuses, or sends something else. The message says
        where the file can be put by hand.
    InputError
        If it cannot be written.
    """
    if download.done:
        return download.target
    meter = _Meter()
    thread = Thread(target=_transfer, args=(download, meter), daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_PAUSE)
            yield Progress(min(meter.done, meter.total), meter.total, "downloading")
    finally:
        meter.stop.set()
    if meter.error is not None:
        raise _explained(download, meter.error) from meter.error
    return download.target


class _Meter:
    """What pooch takes for a progress bar; it also carries the wish to stop, and any error."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.stop = Event()
        self.error: Exception | None = None

    def update(self, amount: int) -> None:
        self.done += amount
        if self.stop.is_set():
            raise Cancelled("stopped")
        if self.done > LARGEST + _PART:
            raise _WrongContent("more than was expected")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Do nothing; pooch calls it at the end."""


class _WrongContent(Exception):
    """What arrived is not what was expected."""


class _NothingArrived(Exception):
    """The server or the way to it failed; why is its cause."""


def _transfer(download: Download, meter: _Meter) -> None:
    """Fetch a file; any error goes into the meter."""
    import pooch
    from requests import RequestException

    responses: list[Any] = []
    load = pooch.HTTPDownloader(
        progressbar=meter,
        chunk_size=_PART,
        timeout=LONGEST_SILENCE,
        hooks={"response": lambda response, **_: responses.append(response)},
    )
    try:
        download.target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(download.target, overwrite=True) as temporary:
            try:
                load(download.url, str(temporary), None)
            except RequestException as error:
                # It counts as an OSError, and would be taken for one of the disk.
                raise _NothingArrived from error
            if _sha256(temporary) != download.sha256:
                raise _WrongContent("its SHA-256 differs")
    except Exception as error:  # noqa: BLE001 (handed to the thread that waits)
        meter.error = error
    finally:
        for response in responses:  # pooch leaves them open if anything goes wrong
            response.close()


def _sha256(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))


def _explained(download: Download, error: Exception) -> LGMSNetError:
    """Return an error that says what happened and what to do."""
    if isinstance(error, LGMSNetError):
        return error
    host = urlsplit(download.url).hostname
    if isinstance(error, _WrongContent):
        reason = (
            f"what {host} sent is not the expected file ({error}), so it was removed. A proxy or "
            "the server has changed it: try again later or on another network"
        )
    elif isinstance(error, _NothingArrived):
        reason = _of_the_network(str(host), error.__cause__)
    else:
        reason = f'it cannot be stored in "{download.target.parent}" ({error})'
    return DownloadError(
        f'"{download.target.name}" was not downloaded: {reason}. You can also get {download.url} '
        f'in another way and put it into the folder "{download.target.parent}"'
    )


def _of_the_network(host: str, error: BaseException | None) -> str:
    from requests import HTTPError, Timeout

    if isinstance(error, HTTPError) and error.response is not None:
        code = error.response.status_code
        gone = ". The file may have moved: look for a newer version of this program"
        return f"{host} refuses it (status {code}){gone if code in (404, 410) else ''}"
    if isinstance(error, Timeout):
        return f"{host} does not answer: try again later"
    return (
        f"there is no connection to {host}, or it broke off: check the network, and whether a "
        "firewall or proxy is in the way"
    )
