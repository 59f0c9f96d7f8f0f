"""Windows lie and are weighted as MONAI's sliding windows are."""

from itertools import product

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.windows import importance, slide, tile


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


@pytest.mark.parametrize(
    ("size", "window", "overlap"),
    [((100, 33), (32, 32), 0.5), ((20, 90), (32, 24), 0.25), ((64, 65), (32, 32), 0.0),
     ((40, 33, 50), (16, 32, 24), 0.6)],
)  # fmt: skip
def test_blending_band_by_band_is_that_of_the_whole(
    size: tuple[int, ...], window: tuple[int, ...], overlap: float
) -> None:
    torch.manual_seed(0)
    network = (torch.nn.Conv2d if len(size) == 2 else torch.nn.Conv3d)(2, 3, 3, padding=1)
    array = torch.randn(2, *size)
    tiling, weights = tile(size, window, overlap), importance(window)
    padded = tiling.pad(array)
    total, norm = torch.zeros(3, *tiling.padded_size), torch.zeros(tiling.padded_size)
    with torch.inference_mode():
        for place in tiling.places:
            batch = padded[(slice(None), *place)][None]
            total[(slice(None), *place)] += network(batch)[0] * weights
            norm[place] += weights
    expected = (total / norm)[(slice(None), *tiling.inside)]
    found = progress.run(slide(network, array, window, overlap, torch.device("cpu")))
    assert torch.equal(found, expected)
