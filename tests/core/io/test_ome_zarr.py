"""Zarr folders: OME-Zarr of both versions, bare arrays, and what is no image."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import is_readable, read, read_levels

NUMBERS = np.random.default_rng(0).integers(0, 999, (2, 3, 8, 20, 30)).astype("uint16")
SPATIAL = {"z": 2.0, "y": 0.5, "x": 0.25}


def make(
    path: Path,
    levels: list[np.ndarray],
    axes: str,
    version: str = "0.4",
    unit: str | None = "millimeter",
    shift: float | None = None,
) -> Path:
    """Write OME-Zarr as its specification says, without a library that could be wrong as well."""
    kinds = {"t": "time", "c": "channel"}
    named = [{"name": name, "type": kinds.get(name, "space")} for name in axes]
    for axis in named:
        if axis["type"] == "space" and unit:
            axis["unit"] = unit
    datasets = []
    for number, _ in enumerate(levels):
        scale = [SPATIAL.get(name, 1.0) * 2**number for name in axes]
        transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if shift is not None:
            transforms.append({"type": "translation", "translation": [shift] * len(axes)})
        datasets.append({"path": str(number), "coordinateTransformations": transforms})
    multiscales = [{"version": version, "axes": named, "datasets": datasets}]
    new = version == "0.5"
    group = zarr.open_group(path, mode="w", zarr_format=3 if new else 2)
    group.attrs.update(
        {"ome": {"multiscales": multiscales}} if new else {"multiscales": multiscales}
    )
    for number, data in enumerate(levels):
        chunks = tuple(min(n, 8) for n in data.shape)
        group.create_array(str(number), data=data, chunks=chunks)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("lazy", [True, False, "auto"])
def test_image_with_time_and_channels(tmp_path: Path, version: str, lazy: Any) -> None:
    path = make(tmp_path / "scan.ome.zarr", [NUMBERS], "tczyx", version, shift=3.0)
    assert is_readable(path)
    volume = read(path, lazy=lazy)
    assert (volume.axes, volume.units, volume.name) == ("TZYXC", "mm", "scan")
    assert volume.is_lazy == (lazy is True)
    np.testing.assert_array_equal(np.asarray(volume.data), np.moveaxis(NUMBERS, 1, -1))
    expected = np.diag([2.0, 0.5, 0.25, 1.0])
    expected[:3, 3] = 3.0
    np.testing.assert_array_equal(volume.affine, expected)


@pytest.mark.parametrize(
    ("unit", "units", "factor"),
    [("millimeter", "mm", 1.0), ("micrometer", "mm", 1e-3), (None, "pixel", 1.0)],
)
def test_units(tmp_path: Path, unit: str | None, units: str, factor: float) -> None:
    volume = read(make(tmp_path / "a.zarr", [NUMBERS[0, 0]], "zyx", unit=unit))
    assert volume.units == units
    assert volume.spacing == pytest.approx((2 * factor, 0.5 * factor, 0.25 * factor))


def test_pyramid(tmp_path: Path) -> None:
    levels = [NUMBERS[0, 0][:: 2**n, :: 2**n, :: 2**n] for n in range(3)]
    volumes = read_levels(make(tmp_path / "a.zarr", levels, "zyx"), lazy=True)
    assert [one.spatial_shape for one in volumes] == [level.shape for level in levels]
    for volume, level in zip(volumes, levels, strict=True):
        np.testing.assert_array_equal(np.asarray(volume.data), level)
    np.testing.assert_allclose(volumes[1].affine[:3, 3], [1.0, 0.25, 0.125])


def test_first_image_of_several(tmp_path: Path) -> None:
    make(tmp_path / "a.zarr" / "0", [NUMBERS[0, 0]], "zyx")
    zarr.open_group(tmp_path / "a.zarr", mode="a", zarr_format=2)
    assert is_readable(tmp_path / "a.zarr")
    np.testing.assert_array_equal(read(tmp_path / "a.zarr").data, NUMBERS[0, 0])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("shape", "names", "axes"),
    [
        ((20, 30), None, "YX"),
        ((8, 20, 30), None, "ZYX"),
        ((5, 8, 20, 30), None, "TZYX"),
        ((20, 30, 3), None, "YXC"),
        ((5, 20, 30), ("time", "y", "x"), "TYX"),
        ((30, 20), ("x", "y"), "YX"),
    ],
)
def test_bare_array(
    tmp_path: Path, version: Any, shape: tuple[int, ...], names: Any, axes: str
) -> None:
    data = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    named = {"dimension_names": names} if version == 3 and names else {}
    array = zarr.create_array(tmp_path / "a.zarr", data=data, zarr_format=version, **named)
    if version == 2 and names:
        array.attrs["_ARRAY_DIMENSIONS"] = list(names)
    assert is_readable(tmp_path / "a.zarr")
    volume = read(tmp_path / "a.zarr")
    assert (volume.axes, volume.units) == (axes, "pixel")
    expected = data.T if names == ("x", "y") else data
    np.testing.assert_array_equal(volume.data, expected)


def test_big_endian_and_booleans(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=NUMBERS[0, 0].astype(">u2"), zarr_format=2)
    volume = read(tmp_path / "a.zarr", lazy=True)
    assert volume.data.dtype.isnative
    np.testing.assert_array_equal(np.asarray(volume.data), NUMBERS[0, 0])
    zarr.create_array(tmp_path / "b.zarr", data=NUMBERS[0, 0] > 500)
    assert read(tmp_path / "b.zarr").data.dtype == np.uint8


def test_only_the_chunks_of_a_slice_are_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", [NUMBERS[0, 0]], "zyx", version="0.5")
    volume = read(path, lazy=True)
    # What cannot be read must not be needed.
    for chunk in (path / "0" / "c" / "0" / "1").iterdir():
        chunk.write_bytes(b"damaged")
    np.testing.assert_array_equal(np.asarray(volume.data[:, :8]), NUMBERS[0, 0][:, :8])
    with pytest.raises(FileFormatError, match="damaged"):
        np.asarray(volume.data[:, 8:16])


@pytest.mark.parametrize("content", ["group", "text", "plate", "empty"])
def test_folder_without_an_image(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.zarr"
    if content in ("group", "plate"):
        group = zarr.open_group(path, mode="w")
        group.attrs.update({"ome": {"plate": {}}} if content == "plate" else {})
        zarr.open_group(path / "A" / "1", mode="w")
    else:
        path.mkdir()
        if content == "text":
            (path / "zarr.json").write_text("{ not json")
    assert not is_readable(path)
    with pytest.raises(FileFormatError, match=r"a\.zarr"):
        read(path)


def test_damaged_metadata(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", [NUMBERS[0, 0]], "zyx", version="0.5")
    (path / "0" / "zarr.json").unlink()
    with pytest.raises(FileFormatError, match=r"a\.zarr.*damaged"):
        read(path)


def test_axes_that_cannot_be_told_apart(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", [NUMBERS[0]], "czyx")
    group = zarr.open_group(path, mode="a")
    multiscales = group.attrs["multiscales"]
    multiscales[0]["axes"][0]["name"] = "angle"
    group.attrs["multiscales"] = multiscales
    with pytest.raises(FileFormatError, match=r"angle, z, y, x"):
        read(path)


def test_without_zarr_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "a.zarr", [NUMBERS[0, 0]], "zyx")
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert is_readable(path)
    with pytest.raises(InputError, match=r"napari-lgmsnet\[large\]"):
        read(path)
