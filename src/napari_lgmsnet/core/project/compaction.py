"""Storing a mask whole once its journal has grown, beside the saving, which goes on."""

from __future__ import annotations

import threading
import time
from contextlib import closing

from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.project.labels import LabelStore

LARGE = 2**22
"""Bytes of journals, after which a mask is stored whole."""

_PAUSE = 60.0  # seconds before it is tried again


class Compactor:
    """Stores masks whole on a thread of its own, one at a time.

    Parameters
    ----------
    labels : LabelStore
    """

    def __init__(self, labels: LabelStore) -> None:
        self._labels = labels
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._not_before = 0.0

    def grown(self, case_id: int, size: int) -> None:
        """Note how large the journals of a case are now."""
        busy = self._thread is not None and self._thread.is_alive()
        if size > LARGE and not busy and time.monotonic() >= self._not_before:
            self._thread = threading.Thread(
                target=self._compact, args=(case_id,), name="autosave-compact", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop between two steps; nothing is lost."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join()

    def _compact(self, case_id: int) -> None:
        try:
            with closing(self._labels.compact(case_id)) as job:
                for _ in job:
                    if self._stopping:
                        return
        except (LGMSNetError, OSError):
            # Nothing is lost: the edits are in the journal, which grows on.
            self._not_before = time.monotonic() + _PAUSE
