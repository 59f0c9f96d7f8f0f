"""What became of each file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from napari_lgmsnet.core.headless import Job


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Parameters
    ----------
    source : str
        The image.
    mask : str
        Where its mask is, or would be.
    state : "done", "skipped" or "failed"
        Skipped is what an earlier run had done in the same way.
    message : str
        How it was made, or why it was not.
    seconds : float
        Taken by the network.
    """

    source: str
    mask: str
    state: Literal["done", "skipped", "failed"]
    message: str
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        job: Job,
        state: Literal["done", "skipped", "failed"],
        message: str,
        seconds: float = 0.0,
    ) -> Outcome:
        """Return the outcome of a job."""
        return cls(str(job.source), str(job.mask), state, message, seconds)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "input": self.source,
            "mask": self.mask,
            "state": self.state,
            "message": self.message,
            "seconds": round(self.seconds, 3),
        }


Tell = Callable[[Outcome], object]
"""Called with every outcome as soon as it is known."""


def tell_nobody(_: Outcome) -> None:
    """Do nothing with an outcome."""
