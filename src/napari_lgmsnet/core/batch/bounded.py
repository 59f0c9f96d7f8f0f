"""Many tasks on a cluster, a few at a time, so that neither side holds much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from distributed import Client

_AHEAD = 2
"""Tasks handed to each worker at a time: one that it works on, and the next."""
_ATTEMPTS = 5


def spread(
    client: Client, function: Callable[..., Any], items: Iterable[Any], *shared: Any
) -> Iterator[tuple[int, Any]]:
    """Run a function for each item on workers, and yield what it returns as it comes.

    A worker that dies has its tasks run again by others.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        Takes ``*shared`` and an item.
    items : iterable
    *shared
        What every task needs; futures stand for what was scattered.

    Yields
    ------
    number : int
        Place of the item.
    result
        What the function returned, or the exception it raised.
    """
    import distributed
    from dask.utils import funcname

    waiting = iter(enumerate(items))
    run = uuid4().hex
    pending: dict[str, tuple[int, Any, int]] = {}

    def submit(number: int, item: Any, attempt: int) -> Any:
        key = f"{funcname(function)}-{number}-{attempt}-{run}"
        pending[key] = (number, item, attempt)
        return client.submit(function, *shared, item, key=key, pure=False)

    ahead = _AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    completed = distributed.as_completed(
        (submit(number, item, 1) for number, item in islice(waiting, ahead)),
        loop=client.loop,
        with_results=True,
        raise_errors=False,
    )
    try:
        for future, result in completed:
            number, item, attempt = pending.pop(future.key)
            if isinstance(result, distributed.client.FutureCancelledError) and attempt < _ATTEMPTS:
                # It was done, but its worker died before the result could be fetched.
                completed.add(submit(number, item, attempt + 1))
                continue
            # Of an error: its type, itself, and its traceback.
            yield number, result[1] if future.status == "error" else result
            for following, coming in islice(waiting, 1):
                completed.add(submit(following, coming, 1))
    finally:
        completed.clear()  # what is not done is given up
