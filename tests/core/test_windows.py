"""Windows lie and are weighted as MONAI's sliding windows are."""

from itertools import product

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices

from napari_lgmsnet.core.windows import importance, tile


@pytest.mark.parametrize("window", [(32,), (31, 17), (256, 256), (96, 96, 96)])
def test_weights(window: tuple[int, ...]) -> None:
    expected = compute_importance_map(window, mode="gaussian", sigma_scale=0.125)
    assert torch.equal(importance(window), expected.clamp_min(1e-3))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("multiple", [1, 8])
def test_places(overlap: float, multiple: int) -> None:
    window = (32, 24)
    steps = [max(1, round(w * (1 - overlap)) // multiple) * multiple for w in window]
    for size in product((5, 31, 32, 33, 64, 100), (40, 41)):
        tiling = tile(size, window, overlap, multiple)
        expected = tuple(dense_patch_slices(tiling.padded_size, window, steps))
        assert tiling.places == expected
        covered = np.zeros(tiling.padded_size, bool)
        for place in tiling.places:
            covered[place] = True
        assert covered.all()
