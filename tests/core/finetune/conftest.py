"""A network that knows bright squares, taught once."""

from __future__ import annotations

import pytest

from napari_lgmsnet.core.finetune import FineTuneResult
from napari_lgmsnet.core.model import Model
from tests.core.finetune.helpers import squares, tune, untrained


@pytest.fixture(scope="session")
def taught() -> FineTuneResult:
    """What became of a network that knew nothing, shown twelve squares."""
    return tune(untrained(), squares(12), epochs=10)


@pytest.fixture(scope="session")
def parent(taught: FineTuneResult) -> Model:
    """A network that finds bright squares."""
    assert taught.candidate is not None
    return taught.candidate
