"""Time stamps, in UTC so that they sort and mean the same everywhere; and time spent."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime


def utc_now() -> str:
    """Return the time as ``2026-01-31T12:00:00.000Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Stopwatch:
    """Adds up the time that a person is at work on cases.

    Parameters
    ----------
    clock : callable
        Returns seconds that only grow.
    idle : float
        A longer gap in seconds between two acts is a break, and not counted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, idle: float = 60.0) -> None:
        self._clock = clock
        self._idle = idle
        self._last: tuple[int, float] | None = None
        self._spent: defaultdict[int, float] = defaultdict(float)

    def act(self, case_id: int) -> None:
        """Note that the person does something on a case."""
        now = self._clock()
        if self._last is not None and self._last[0] == case_id:
            gap = now - self._last[1]
            if gap <= self._idle:
                self._spent[case_id] += gap
        self._last = (case_id, now)

    def spent(self) -> dict[int, float]:
        """Return the seconds spent on each case that were not taken yet."""
        return {case_id: seconds for case_id, seconds in self._spent.items() if seconds > 0}

    def take(self, case_id: int, seconds: float) -> None:
        """Take off what was written down."""
        self._spent[case_id] -= seconds
