"""The process in which :func:`~napari_lgmsnet.core.finetune.apart.fine_tune_apart` trains.

Its input is a job and then what the person wishes ("pause", "resume", "stop", "cancel"), its output
steps, and a result or an error. When its input ends, the program that started it is gone, and it
goes as well.
"""

from __future__ import annotations

import os
import pickle
import sys
from threading import Thread
from typing import IO

from napari_lgmsnet.core.dedicated import dedicate_process
from napari_lgmsnet.core.device import set_thread_budget
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.finetune.control import Control
from napari_lgmsnet.core.finetune.job import fine_tune
from napari_lgmsnet.core.finetune.order import Order
from napari_lgmsnet.core.finetune.wire import receive, send


def work(wishes: IO[bytes], news: IO[bytes]) -> None:
    """Do one order."""
    dedicate_process()
    order: Order = receive(wishes)
    set_thread_budget(spare=order.spare)
    control = Control()
    Thread(target=_listen, args=(wishes, control), daemon=True).start()
    job = fine_tune(
        order.model,
        order.examples,
        order.settings,
        references=order.references,
        control=control,
        run_folder=order.run_folder,
    )
    try:
        while True:
            try:
                step = next(job)
            except StopIteration as end:
                send(news, end.value)
                return
            send(news, step)
    except Exception as error:  # noqa: BLE001 (told by the program that started this process)
        send(news, _portable(error))


def _listen(wishes: IO[bytes], control: Control) -> None:
    while True:
        try:
            wish = receive(wishes)
        except EOFError:
            os._exit(1)
        getattr(control, wish)()


def _portable(error: Exception) -> Exception:
    """Return an error that another process can read."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (its own)
    except Exception:  # noqa: BLE001 (there is no list of what a strange error may raise)
        return TrainingError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    # What anything prints must not get between the messages.
    news = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    work(sys.stdin.buffer, news)
