"""Large files as layers: lazy, pyramids as multiscale, with the geometry of the file."""

from pathlib import Path

import dask.array as da
import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image

from napari_lgmsnet.adapters.layers import affine_of, image_of
from napari_lgmsnet.adapters.reader import get_reader, read_layers
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import opening, read
from napari_lgmsnet.core.io.lazy import chunks_of, lazy_array
from napari_lgmsnet.core.prediction import make_settings
from napari_lgmsnet.core.progress import run
from tests.core.helpers import small_model

OBLIQUE = np.array(
    [[0.8, -0.2, 0.4, -91], [0.3, 1.1, -0.7, 13], [-0.1, 0.3, 2.9, 70], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture
def everything_is_large(monkeypatch):
    monkeypatch.setattr(opening, "LAZY_ABOVE", 10)


def layers_of(path: Path) -> list[Image]:
    made = [Image(data, **about) for data, about, kind in read_layers(str(path)) if kind == "image"]
    assert made
    return made


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_large_nifti_is_lazy_and_lies_where_a_small_one_does(
    tmp_path, monkeypatch, everything_is_large, name
):
    data = np.random.default_rng(0).normal(size=(7, 6, 5, 2)).astype(np.float32)
    image = nibabel.Nifti1Image(data, OBLIQUE)
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(tmp_path / name)
    [lazy] = layers_of(tmp_path / name)
    assert isinstance(lazy.data, da.Array)
    monkeypatch.undo()
    [small] = layers_of(tmp_path / name)
    assert isinstance(small.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(lazy.data), small.data)
    for layer in (lazy, small):
        assert layer.axis_labels == ("t", "z", "y", "x")
        assert [str(unit) for unit in layer.units] == ["pixel", *["millimeter"] * 3]
        np.testing.assert_array_equal(affine_of(layer)[1:, 1:], read(tmp_path / name).affine)


def test_pyramid_becomes_a_multiscale_layer(tmp_path, everything_is_large):
    data = np.random.default_rng(0).integers(0, 999, (128, 96)).astype("uint16")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "mm"}
        size |= {"PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "mm"}
        file.write(data, subifds=1, photometric="minisblack", tile=(32, 32), metadata=size)
        file.write(data[::2, ::2], subfiletype=1, photometric="minisblack", tile=(32, 32))
    [layer] = layers_of(tmp_path / "a.ome.tif")
    assert layer.multiscale
    assert all(isinstance(level, da.Array) for level in layer.data)
    np.testing.assert_array_equal(np.asarray(layer.data[1]), data[::2, ::2])
    np.testing.assert_array_equal(np.diag(affine_of(layer)), [0.25, 0.5, 1.0])
    assert image_of(layer, level=1).spatial_affine[0, 2] == pytest.approx(0.125)


def zarr_with_channels(path: Path) -> np.ndarray:
    data = np.random.default_rng(0).integers(0, 999, (2, 8, 16, 24)).astype("uint16")
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = [
        {
            "path": str(n),
            "coordinateTransformations": [{"type": "scale", "scale": [1, 4, 2 * 2**n, 2 * 2**n]}],
        }
        for n in range(2)
    ]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    for number in range(2):
        group.create_array(str(number), data=data[..., :: 2**number, :: 2**number])
    return data


def test_zarr_with_channels_becomes_a_layer_for_each(tmp_path):
    data = zarr_with_channels(tmp_path / "cells.ome.zarr")
    layers = layers_of(tmp_path / "cells.ome.zarr")
    assert [layer.name for layer in layers] == ["cells channel 1", "cells channel 2"]
    for layer, channel in zip(layers, data, strict=True):
        assert layer.multiscale
        np.testing.assert_array_equal(np.asarray(layer.data[0]), channel)
        np.testing.assert_allclose(np.diag(affine_of(layer)), [0.004, 0.002, 0.002, 1.0])


def test_folders_are_claimed_only_with_an_image(tmp_path):
    zarr_with_channels(tmp_path / "cells.zarr")
    zarr.open_group(tmp_path / "table.zarr", mode="w")
    (tmp_path / "empty.zarr").mkdir()
    claimed = {path.name: get_reader(str(path)) is not None for path in tmp_path.iterdir()}
    assert claimed == {"cells.zarr": True, "table.zarr": False, "empty.zarr": False}


@pytest.mark.parametrize("recipe", [{}, {"orientation": "RAS", "spacing": (2.0, 1.0, 1.5)}])
def test_a_box_of_a_large_volume_reads_that_box_once(recipe):
    shape, fetched = (2000, 1024, 1024), []

    def fetch(box):
        fetched.append(box)
        size = [part.stop - part.start for part in box]
        return np.random.default_rng(box[0].start).normal(size=size).astype(np.float32)

    data = lazy_array(fetch, shape, np.float32, chunks_of(shape, "ZYX", 4))
    affine = np.diag([1.0, 0.5, 0.5, 1.0])
    layer = Image(data, affine=affine, units=("mm",) * 3, contrast_limits=(-3, 3), cache=False)
    fetched.clear()
    box = (slice(900, 924), slice(100, 140), slice(1000, 1024))
    part = image_of(layer).read(box)
    assert fetched == []
    prediction = run(iterate(small_model(3, **recipe), part, make_settings()))
    assert prediction.labels.shape == (24, 40, 24)
    assert sorted((one[0].start, one[0].stop) for one in fetched) == [
        (z, z + 1) for z in range(900, 924)
    ]
    assert all(one[1:] == box[1:] for one in fetched)
