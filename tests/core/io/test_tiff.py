from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import read, read_labels, write, write_labels
from napari_lgmsnet.core.types import Volume


def numbers(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 7), "YX"),
        ((4, 5, 7), "ZYX"),
        ((3, 5, 7), "TYX"),
        ((3, 4, 5, 7), "TZYX"),
        ((5, 7, 3), "YXC"),
        ((4, 5, 7, 3), "ZYXC"),
        ((3, 4, 5, 7, 2), "TZYXC"),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_read_and_write(tmp_path: Path, shape: tuple[int, ...], axes: str, dtype: str) -> None:
    data = numbers(shape, dtype)
    spacing = (2.5, 0.5, 0.25)[3 - sum(letter in "ZYX" for letter in axes) :]
    write(tmp_path / "a.ome.tif", Volume.from_array(data, axes, spacing))
    volume = read(tmp_path / "a.ome.tif")
    assert (volume.axes, volume.units, volume.name) == (axes, "mm", "a")
    assert volume.spacing == pytest.approx(spacing)
    assert volume.data.dtype == data.dtype
    assert np.array_equal(volume.data, data)


def test_without_physical_size(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", Volume.from_array(numbers((5, 7)), "YX"))
    volume = read(tmp_path / "a.tif")
    assert (volume.units, volume.spacing) == ("pixel", (1, 1))


def test_labels(tmp_path: Path) -> None:
    labels = numbers((2, 20, 20), "int64")
    write_labels(tmp_path / "a.tif", Volume.from_array(labels, "ZYX", (1, 1, 1)))
    volume = read_labels(tmp_path / "a.tif")
    assert volume.data.dtype == np.uint16
    assert np.array_equal(volume.data, labels)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_plain_pages_are_a_stack(tmp_path: Path, byteorder: Any, bigtiff: bool) -> None:
    data = numbers((4, 5, 7), "int16")
    tifffile.imwrite(
        tmp_path / "a.tiff", data, byteorder=byteorder, bigtiff=bigtiff,
        photometric="minisblack", resolution=(300, 300), resolutionunit="INCH",
    )  # fmt: skip
    volume = read(tmp_path / "a.tiff")
    assert (volume.axes, volume.units, volume.spacing) == ("ZYX", "pixel", (1, 1, 1))
    assert volume.data.dtype == np.int16
    assert volume.data.dtype.isnative
    assert np.array_equal(volume.data, data)


def test_pages_without_metadata(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in numbers((4, 5, 7)):
            file.write(page, contiguous=False, metadata=None)
    volume = read(tmp_path / "a.tif")
    assert volume.axes == "ZYX"
    assert np.array_equal(volume.data, numbers((4, 5, 7)))


@pytest.mark.parametrize(("unit", "scale"), [("micron", 1e-3), ("um", 1e-3), ("mm", 1), ("cm", 10)])
def test_imagej(tmp_path: Path, unit: str, scale: float) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", numbers((3, 4, 2, 5, 7)), imagej=True, resolution=(4, 2),
        metadata={"axes": "TZCYX", "spacing": 3.0, "unit": unit},
    )  # fmt: skip
    volume = read(tmp_path / "a.tif")
    assert (volume.axes, volume.units) == ("TZYXC", "mm")
    assert volume.spacing == pytest.approx((3 * scale, 0.5 * scale, 0.25 * scale))
    assert np.array_equal(volume.data, np.moveaxis(numbers((3, 4, 2, 5, 7)), 2, -1))


def test_imagej_without_a_length(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", numbers((5, 7)), imagej=True, metadata={"unit": "furlong"})
    assert read(tmp_path / "a.tif").units == "pixel"


def test_ome_of_others(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif", numbers((2, 4, 5, 7)), ome=True, photometric="minisblack",
        metadata={"axes": "CZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm",
                  "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm",
                  "PhysicalSizeZ": 2000.0, "PhysicalSizeZUnit": "nm"},
    )  # fmt: skip
    volume = read(tmp_path / "a.ome.tif")
    assert volume.axes == "ZYXC"
    assert volume.spacing == pytest.approx((2e-3, 0.5e-3, 0.25e-3))


def test_white_is_zero(tmp_path: Path) -> None:
    data = numbers((5, 7), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="miniswhite")
    assert np.array_equal(read(tmp_path / "a.tif").data, 255 - data)


def test_axes_that_cannot_be_told_apart(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", numbers((2, 3, 4, 5, 7)), photometric="minisblack")
    with pytest.raises(FileFormatError, match=r'a\.tif" has the axes'):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["int64", "complex64"])
def test_types_that_ome_does_not_know(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(InputError, match=dtype):
        write(tmp_path / "a.tif", Volume.from_array(numbers((5, 7), dtype), "YX"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.9])
def test_cut_short(tmp_path: Path, compression: str | None, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise, compression=compression)
    content = path.read_bytes()
    path.write_bytes(content[: max(8, int(len(content) * kept))])
    with pytest.raises(FileFormatError, match=r"a\.tif.*damaged or cut short"):
        read(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_stack_cut_short_is_not_taken_for_a_shorter_one(
    tmp_path: Path, compression: str | None, kept: float
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (9, 40, 40)).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise, compression=compression, photometric="minisblack")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FileFormatError, match=r"a\.tif.*damaged or cut short"):
        read(path)
