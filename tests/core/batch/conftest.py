"""Two workers in other processes, for every test that computes on several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from napari_lgmsnet.core.batch.cluster import connected


@pytest.fixture(scope="package")
def client() -> Iterator[Any]:
    """Give a client of two workers; one that a test kills is started again."""
    pytest.importorskip("distributed")
    import dask
    from distributed.utils import get_mp_context

    # Workers are forked from a process that has imported torch once, instead of each importing it.
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(["napari_lgmsnet.core.batch.cluster"])
        with connected(workers=2) as one:
            yield one
