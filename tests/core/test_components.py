"""Objects and their boxes, however they are looked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_lgmsnet.core import components
from napari_lgmsnet.core.components import connected, objects_in, window_of, windows_of

shapes = array_shapes(min_dims=2, max_dims=3, max_side=9)


@given(
    mask=shapes.flatmap(lambda shape: arrays(np.bool_, shape, fill=st.just(False))),
    block=st.integers(1, 4),
)
@settings(max_examples=100, deadline=None)
def test_objects_are_the_same_block_by_block(mask: np.ndarray, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "_BLOCK", block)
        found = list(objects_in(mask))
    objects, count = connected(mask)
    assert len(found) == count
    seen = np.zeros(mask.shape, int)
    for number, (box, voxels) in enumerate(found, start=1):
        assert window_of(voxels) == tuple(slice(0, n) for n in voxels.shape)  # tight
        assert len(np.unique(objects[box][voxels])) == 1
        seen[box][voxels] = number
    np.testing.assert_array_equal(seen > 0, mask)


@given(
    labels=shapes.flatmap(
        lambda shape: arrays(np.uint32, shape, elements=st.sampled_from([0, 1, 3, 2**32 - 1]))
    )
)
@settings(max_examples=60, deadline=None)
def test_boxes_of_labels(labels: np.ndarray) -> None:
    windows = windows_of(labels)
    assert list(windows) == sorted(set(np.unique(labels).tolist()) - {0})
    for label, box in windows.items():
        assert box == window_of(labels == label)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0, 2), (4, 4)])
def test_nothing(shape: tuple[int, ...]) -> None:
    assert windows_of(np.zeros(shape, np.uint8)) == {}
    assert list(objects_in(np.zeros(shape, bool))) == []
    assert window_of(np.zeros(shape, bool)) is None
