"""What counts as labels, and in which type they are kept."""

import numpy as np
import pytest

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.labels import as_labels
from napari_lgmsnet.core.types import Volume


def volume(data: np.ndarray) -> Volume:
    return Volume(data, "YX", np.eye(3), name="mask")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32])
def test_a_mask_that_is_white_all_over_is_a_mask(kind: type) -> None:
    # The sum of its ends does not fit into eight bits.
    data = np.full((4, 5), 255, kind)
    kept = as_labels(volume(data)).data
    assert kept.dtype == np.uint8
    assert np.array_equal(kept, data)


@pytest.mark.parametrize("wrong", [0.5, np.nan, np.inf, -np.inf])
def test_what_is_no_whole_number_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="whole numbers"):
        as_labels(volume(np.array([[0.0, wrong]])))
