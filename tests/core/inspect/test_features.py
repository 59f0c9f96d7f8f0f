"""The Python function: arrays, volumes, parts, masks."""

from __future__ import annotations

import numpy as np
import pytest
from dask import array as dask_array

import napari_lgmsnet
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import crop
from napari_lgmsnet.core.inspect.features import iterate
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import any_affine

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("dimensions", "shape", "grid", "options"),
    [
        (2, (50, 70), (50, 70), {}),
        (2, (50, 70, 3), (50, 70), {}),
        (2, (3, 40, 50), (3, 40, 50), {"native": True, "overlap": 0.25}),
        (3, (20, 30, 40), (20, 30, 40), {"spacing": (2.0, 1.0, 0.7)}),
    ],
    ids=str,
)
def test_images_stacks_and_volumes(
    dimensions: int, shape: tuple[int, ...], grid: tuple[int, ...], options: dict[str, object]
) -> None:
    colours = 3 if shape[-1] == 3 else 1
    size = {"size": (32, 32)} if dimensions == 2 else {"orientation": "RAS"}
    model = small_model(dimensions, colours, colour="rgb" if colours == 3 else "grey", **size)
    array = GENERATOR.integers(0, 255, shape, dtype=np.uint8)
    before = array.copy()
    mask = (GENERATOR.random(grid) > 0.5).astype(np.uint8)
    found = napari_lgmsnet.features(model, array, mask, stages="all", **options)
    assert len(found.maps) == 10
    for coarse in found.maps.values():
        assert coarse.on_grid().data.shape == grid
        assert np.isfinite(coarse.on_grid().data).all()
    assert [row.stage for row in found.numbers] == [
        "stem", "encoder1", "encoder2", "encoder3", "encoder4", "encoder5",
        "decoder5", "decoder4", "decoder3", "decoder2",
    ]  # fmt: skip
    assert all(0 < row.energy < 1 for row in found.numbers)
    assert found.spectra["encoder5"].effective_rank >= 1
    np.testing.assert_array_equal(array, before)


def test_without_a_mask_maps_and_ranks_remain() -> None:
    found = napari_lgmsnet.features(small_model(2), GENERATOR.normal(size=(40, 40)))
    assert list(found.maps) == ["encoder5"]
    assert found.mask is None
    assert np.isnan(found.numbers[0].energy)
    assert found.numbers[0].effective_rank > 1


def test_a_part_is_looked_at_like_an_image_of_its_own() -> None:
    model = small_model(3, orientation="RAS")
    volume = Volume(GENERATOR.normal(size=(40, 50, 60)), "ZYX", any_affine(1, 3), "mm")
    mask = (GENERATOR.random((40, 50, 60)) > 0.5).astype(np.uint8)
    box = (slice(3, 35), slice(10, 45), slice(20, 55))
    part = napari_lgmsnet.features(model, volume, mask, box=box, reduce="norm")
    alone = napari_lgmsnet.features(model, crop(volume, box), mask[box], reduce="norm")
    np.testing.assert_array_equal(part.maps["encoder5"].data, alone.maps["encoder5"].data)
    np.testing.assert_array_equal(
        part.maps["encoder5"].as_volume().affine, alone.maps["encoder5"].as_volume().affine
    )
    assert part.numbers == alone.numbers


def test_channels_of_the_image_can_be_chosen() -> None:
    model = small_model(2)
    array = GENERATOR.normal(size=(40, 40, 5)).astype(np.float32)
    chosen = napari_lgmsnet.features(model, array, axes="YXC", channels=(3,))
    alone = napari_lgmsnet.features(model, array[..., 3])
    np.testing.assert_array_equal(chosen.maps["encoder5"].data, alone.maps["encoder5"].data)


def test_an_image_that_is_still_in_its_file_is_read() -> None:
    array = GENERATOR.normal(size=(3, 40, 40)).astype(np.float32)
    volume = Volume.from_array(array, "ZYX")
    lazy = Volume(dask_array.from_array(array), "ZYX", volume.affine)
    box = (slice(1, 3), slice(0, 40), slice(4, 40))
    model = small_model(2, size=(32, 32))
    now = napari_lgmsnet.features(model, volume, box=box).maps["encoder5"]
    later = napari_lgmsnet.features(model, lazy, box=box).maps["encoder5"]
    np.testing.assert_array_equal(later.data, now.data)


def test_it_can_be_stopped_between_windows() -> None:
    volume = Volume.from_array(GENERATOR.normal(size=(100, 100)), "YX")
    job = iterate(small_model(2), volume)
    for _ in range(4):
        assert next(job).message
    job.close()
    with pytest.raises(StopIteration):
        next(job)


def test_wrong_use_is_said() -> None:
    model = small_model(3)
    affine = any_affine(1, 3)
    volume = Volume(GENERATOR.normal(size=(20, 20, 20)), "ZYX", affine, "mm", "scan")
    with pytest.raises(InputError, match=r"the mask has the shape \(5, 5\), \"scan\""):
        napari_lgmsnet.features(model, volume, np.zeros((5, 5)))
    elsewhere = affine.copy()
    elsewhere[0, -1] += 3
    mask = Volume(np.zeros((20, 20, 20), int), "ZYX", elsewhere, "mm", "labels")
    with pytest.raises(InputError, match='"labels" has the shape of "scan", but lies elsewhere'):
        napari_lgmsnet.features(model, volume, mask)
    for options, words in (
        ({"stages": "encoder9"}, 'no stage "encoder9"'),
        ({"reduce": "median"}, "no reduction"),
        ({"treshold": 0.5}, "treshold"),
        ({"spacing": (1, 1, 1)}, "own spacing"),
        ({"box": (slice(0, 5),)}, "1 axes"),
        ({"flips": True}, "switch them off"),
    ):
        with pytest.raises(InputError, match=words):
            napari_lgmsnet.features(model, volume, **options)
    series = Volume(np.zeros((2, 8, 8)), "TYX", np.eye(3))
    with pytest.raises(InputError, match="choose one frame"):
        napari_lgmsnet.features(small_model(2), series)
