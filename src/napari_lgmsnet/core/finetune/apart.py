"""Fine-tuning in a process of its own, so that a window keeps Python's lock for itself.

A training step asks for that lock some thousand times, and drawing a canvas holds it for tens of
milliseconds: in one process, both together got the time of one core, whatever the machine has.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any

from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.finetune.control import Control, TuneProgress
from napari_lgmsnet.core.finetune.examples import Example
from napari_lgmsnet.core.finetune.order import Order
from napari_lgmsnet.core.finetune.result import FineTuneResult
from napari_lgmsnet.core.finetune.settings import FineTuneSettings
from napari_lgmsnet.core.finetune.wire import receive, send
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.types import Volume

_PATIENCE = 0.1
"""Seconds between two looks at what the person wishes."""
# Never the folder that the program happened to be started in: a file there called torch.py would
# be imported.
_COMMAND = ("-P", "-m", "napari_lgmsnet.core.finetune.child")
_STARTING = TuneProgress(0, 0, "starting a process for the training")


class _Gone(Exception):
    """The process has ended without a result."""


def fine_tune_apart(
    model: Model,
    examples: Sequence[Example],
    settings: FineTuneSettings | None = None,
    *,
    references: Sequence[Example | Volume] = (),
    control: Control | None = None,
    run_folder: Path | None = None,
) -> Generator[TuneProgress, None, FineTuneResult]:
    """Do what :func:`~napari_lgmsnet.core.finetune.fine_tune` does, in a process of its own.

    Parameters
    ----------
    model, examples, settings, references, control
        As there. Images that are read lazily are read now. The clock of ``control`` is not used.
    run_folder : Path, optional
        As there. Closing the generator kills the process, and leaves the state of the run to the
        caller.

    Yields
    ------
    TuneProgress

    Returns
    -------
    FineTuneResult
        The same, but for numbers that are too small for a normal exponent (see
        :func:`~napari_lgmsnet.core.dedicated.dedicate_process`).

    Raises
    ------
    InputError, TrainingError, Cancelled
        As there, and TrainingError if the process ended before its work.

    Notes
    -----
    Memory: torch once more, and the images a second time.
    """
    control = control or Control()
    yield _STARTING
    order = Order(
        model,
        tuple(replace(one, image=one.image.loaded()) for one in examples),
        settings or FineTuneSettings(),
        tuple(_loaded(one) for one in references),
        run_folder,
        spare=1,
    )
    with TemporaryFile() as words:
        process = _started(words)
        arriving: Queue[Any] = Queue()
        collecting = Thread(target=_collect, args=(process.stdout, arriving), daemon=True)
        collecting.start()
        try:
            return (yield from _followed(process, order, control, arriving))
        except _Gone:
            raise TrainingError(_last_words(process, words)) from None
        finally:
            process.kill()
            process.wait()
            collecting.join()
            _close(process)


def _followed(
    process: subprocess.Popen[bytes], order: Order, control: Control, arriving: Queue[Any]
) -> Generator[TuneProgress, None, FineTuneResult]:
    """Pass the process's steps on, and the person's wishes to it."""
    assert process.stdin is not None
    wishes = _Wishes(process.stdin, control)
    latest = _STARTING
    wishes.send(order)
    while True:
        wishes.tell()
        try:
            message = arriving.get(timeout=_PATIENCE)
        except Empty:
            yield latest
            continue
        if isinstance(message, FineTuneResult):
            return message
        if isinstance(message, Exception):
            raise message
        latest = message
        yield latest


class _Wishes:
    """Keeps a process informed of a control."""

    def __init__(self, pipe: IO[bytes], control: Control) -> None:
        self._pipe, self._control = pipe, control
        self._paused = self._stopped = self._cancelled = False

    def tell(self) -> None:
        """Pass on what has changed."""
        control = self._control
        if control.cancelled and not self._cancelled:
            self._cancelled = True
            self.send("cancel")
        if control.stopped and not self._stopped:
            self._stopped = True
            self.send("stop")
        if control.paused != self._paused:
            self._paused = control.paused
            self.send("pause" if self._paused else "resume")

    def send(self, message: object) -> None:
        """Write to the process."""
        try:
            send(self._pipe, message)
        except OSError as error:
            raise _Gone from error


def _started(words: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 (this package's own module)
            [sys.executable, *_COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise TrainingError(
            f'no process for the training could be started with "{sys.executable}": {error}'
        ) from error


def _collect(pipe: IO[bytes], arriving: Queue[Any]) -> None:
    """Take messages from a pipe until it ends."""
    try:
        while True:
            arriving.put(receive(pipe))
    except (EOFError, OSError):
        pass
    finally:
        arriving.put(_Gone())


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        # What was not written to a process that is gone does not matter.
        with suppress(OSError):
            pipe.close()


def _loaded(one: Example | Volume) -> Example | Volume:
    return one.loaded() if isinstance(one, Volume) else replace(one, image=one.image.loaded())


def _last_words(process: subprocess.Popen[bytes], words: Any) -> str:
    """Return why a process ended, as far as that can be known."""
    code = process.wait()
    words.seek(0)
    lines = words.read().decode(errors="replace").strip().splitlines()
    said = f" Its last words: {lines[-1]}" if lines else ""
    return (
        f"the process that trained ended before its work was done (exit code {code}). The system "
        "may have stopped it for want of memory: close other programs, or learn from fewer or "
        f"smaller images. Nothing that existed before was changed.{said}"
    )
