"""Files read in parts hold the same numbers as files read at once."""

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_lgmsnet.core.io import read, read_levels
from napari_lgmsnet.core.types import Volume

OBLIQUE = np.array(
    [
        [0.83, -0.21, 0.40, -91.3],
        [0.30, 1.10, -0.77, 13.71],
        [-0.11, 0.36, 2.91, 70.007],
        [0, 0, 0, 1],
    ]
)
often = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_same(path: Path, part: tuple[slice, ...] | None = None) -> Volume:
    """Compare both ways of reading, of the whole and of a part; return the lazy volume."""
    eager, opened = read(path), read(path, lazy=True)
    assert opened.is_lazy
    assert not eager.is_lazy
    assert (opened.axes, opened.units, opened.name) == (eager.axes, eager.units, eager.name)
    assert opened.affine.tobytes() == eager.affine.tobytes()
    assert opened.data.shape == eager.data.shape
    whole = opened.loaded().data
    assert opened.data.dtype == whole.dtype == eager.data.dtype
    assert whole.dtype.isnative
    assert whole.tobytes() == eager.data.tobytes()
    part = part or tuple(slice(n // 3, n // 3 + max(1, n // 2)) for n in eager.data.shape)
    assert np.asarray(opened.data[part]).tobytes() == eager.data[part].tobytes()
    return opened


@st.composite
def shapes_with_parts(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[float, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=4)))
    return shape, tuple(draw(st.floats(0, 0.99)) for _ in shape)


@often
@given(
    shape_and_starts=shapes_with_parts(),
    dtype=st.sampled_from(
        ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]
    ),
    slope=st.sampled_from([1.0, 0.0, np.nan, 2.5, -0.37, 1e-8, 1e30]),
    intercept=st.sampled_from([0.0, -1024.0, 0.5, 7e5]),
    big_endian=st.booleans(),
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from([1, -1])] * 3),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
    version=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
)
def test_nifti_in_parts_is_nifti_at_once(
    tmp_path: Path,
    shape_and_starts: tuple[tuple[int, ...], tuple[float, ...]],
    dtype: str,
    slope: float,
    intercept: float,
    big_endian: bool,
    order: list[int],
    signs: tuple[int, ...],
    suffix: str,
    version: Any,
) -> None:
    shape, starts = shape_and_starts
    header = version.header_class(endianness=">" if big_endian else "<")
    header.set_data_dtype(dtype)
    affine = np.eye(4)
    affine[:3, :3] = OBLIQUE[:3, :3] @ (np.eye(3)[:, order] * signs)
    header.set_sform(affine, 1)
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo("float32")
    data = np.random.default_rng(0).uniform(info.min / 2, info.max / 2, shape).astype(dtype)
    path = tmp_path / f"a{suffix}"
    version(data, None, header).to_filename(path)
    _set_scaling(path, slope, intercept, big_endian, version)
    with np.errstate(all="ignore"):
        eager = read(path)
    begins = [int(start * n) for start, n in zip(starts, eager.data.shape, strict=False)]
    part = tuple(
        slice(begin, begin + max(1, (n - begin) // 2))
        for begin, n in zip(begins, eager.data.shape, strict=False)
    )
    with np.errstate(all="ignore"):
        assert_same(path, part)


def _set_scaling(
    path: Path, slope: float, intercept: float, big_endian: bool, version: Any
) -> None:
    """Write slope and intercept into a header, which nibabel does not do for all values."""
    packed = path.suffix == ".gz"
    raw = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    second = version is nibabel.Nifti2Image
    place, kind = (176, "f8") if second else (112, "f4")
    numbers = np.array([slope, intercept], (">" if big_endian else "<") + kind).tobytes()
    raw[place : place + len(numbers)] = numbers
    path.write_bytes(gzip.compress(raw) if packed else raw)


@pytest.mark.parametrize(
    "shape", [(4, 3), (4, 3, 1), (4, 3, 2, 5), (4, 3, 2, 1, 6), (4, 3, 2, 5, 6), (4, 3, 2, 1, 1, 1)]
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_axes(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nibabel.Nifti1Image(data, OBLIQUE).to_filename(tmp_path / f"a{suffix}")
    assert_same(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_colours(tmp_path: Path, suffix: str) -> None:
    record = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    data = np.arange(72, dtype=np.uint8).reshape(4, 3, 2, 3).view(record)[..., 0]
    nibabel.Nifti1Image(data, OBLIQUE).to_filename(tmp_path / f"a{suffix}")
    assert assert_same(tmp_path / f"a{suffix}").axes == "ZYXC"


LAYOUTS: dict[str, dict[str, Any]] = {
    "grey": {"shape": (45, 70)},
    "stack": {"shape": (4, 45, 70)},
    "colour": {"shape": (45, 70, 3), "photometric": "rgb"},
    "planar": {"shape": (3, 45, 70), "photometric": "rgb", "planarconfig": "separate"},
    "planar stack": {"shape": (4, 3, 45, 70), "photometric": "rgb", "planarconfig": "separate"},
    "colour stack": {"shape": (4, 45, 70, 3), "photometric": "rgb"},
    "white is zero": {"shape": (45, 70), "photometric": "miniswhite"},
    "ome": {
        "shape": (2, 3, 4, 45, 70),
        "ome": True,
        "metadata": {"axes": "TZCYX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3},
    },
    "ome, channels first": {
        "shape": (2, 4, 45, 70),
        "ome": True,
        "metadata": {"axes": "CZYX"},
    },
    "one row": {"shape": (3, 1, 70)},
    "one column": {"shape": (45, 1)},
}


@often
@given(
    layout=st.sampled_from(list(LAYOUTS)),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "uint32", "float32", "float64"]),
    byteorder=st.sampled_from("<>"),
    bigtiff=st.booleans(),
    compression=st.sampled_from([None, "zlib", "lzma"]),
    predictor=st.booleans(),
    tile=st.sampled_from([None, (16, 16), (32, 64)]),
    rows=st.sampled_from([None, 1, 7]),
)
def test_tiff_in_parts_is_tiff_at_once(
    tmp_path: Path,
    layout: str,
    dtype: str,
    compression: str | None,
    predictor: bool,
    **options: Any,
) -> None:
    kind = dict(LAYOUTS[layout])
    shape = kind.pop("shape")
    rows = options.pop("rows")
    options["rowsperstrip"] = rows if options["tile"] is None else None
    if predictor and compression and np.dtype(dtype).kind in "iu":
        options["predictor"] = True
    data = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    path = tmp_path / ("a.ome.tif" if kind.get("ome") else "a.tif")
    kind = {"photometric": "minisblack"} | kind
    tifffile.imwrite(path, data, compression=compression, **kind, **options)
    assert_same(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_imagej_in_parts(tmp_path: Path, compression: str | None) -> None:
    data = np.random.default_rng(0).integers(0, 999, (3, 4, 2, 20, 30)).astype("uint16")
    tifffile.imwrite(
        tmp_path / "a.tif", data, imagej=True, resolution=(4, 2), compression=compression,
        metadata={"axes": "TZCYX", "spacing": 3.0, "unit": "um"},
    )  # fmt: skip
    assert assert_same(tmp_path / "a.tif").axes == "TZYXC"


def test_booleans_and_pages_without_metadata(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.eye(20, 30) > 0, photometric="minisblack")
    assert assert_same(tmp_path / "a.tif").data.dtype == np.uint8
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        for page in np.arange(4 * 20 * 30, dtype=np.int16).reshape(4, 20, 30):
            file.write(page, contiguous=False, metadata=None, compression="zlib")
    assert assert_same(tmp_path / "b.tif").axes == "ZYX"


def test_ome_over_several_files(tmp_path: Path) -> None:
    """The pages of the second file belong to the series that the first one describes."""
    data = np.arange(2 * 20 * 30, dtype=np.uint16).reshape(2, 20, 30)
    names = ("a.ome.tif", "b.ome.tif")
    blocks = "".join(
        f'<TiffData FirstZ="{i}" PlaneCount="1" IFD="0">'
        f'<UUID FileName="{name}">urn:uuid:0000000{i}-0000-0000-0000-000000000000</UUID></TiffData>'
        for i, name in enumerate(names)
    )
    for i, name in enumerate(names):
        about = (
            '<?xml version="1.0" encoding="UTF-8"?><OME '
            'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:0000000{i}-0000-0000-0000-000000000000"><Image ID="Image:0"><Pixels '
            'ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20" SizeZ="2" '
            'SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f"{blocks}</Pixels></Image></OME>"
        )
        tifffile.imwrite(
            tmp_path / name, data[i], description=about, metadata=None, photometric="minisblack",
            compression="zlib",
        )  # fmt: skip
    opened = assert_same(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(opened.data, data)


def test_missing_tiles_are_empty(tmp_path: Path) -> None:
    data = np.zeros((64, 64), np.uint8)
    data[:32, :32] = 7
    tiles = (data[y : y + 32, x : x + 32] for y in (0, 32) for x in (0, 32))
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(
            (tile if tile.any() else None for tile in tiles),
            shape=(64, 64), dtype="uint8", tile=(32, 32), photometric="minisblack",
            compression="zlib",
        )  # fmt: skip
    np.testing.assert_array_equal(assert_same(tmp_path / "a.tif").data, data)


def halves(data: np.ndarray, count: int) -> list[np.ndarray]:
    return [data[..., :: 2**n, :: 2**n] for n in range(count)]


def write_sub_ifds(path: Path, levels: list[np.ndarray], **options: Any) -> None:
    with tifffile.TiffWriter(path, ome=path.name.endswith(".ome.tif")) as file:
        file.write(levels[0], subifds=len(levels) - 1, photometric="minisblack", **options)
        options.pop("metadata", None)
        for level in levels[1:]:
            file.write(level, subfiletype=1, photometric="minisblack", **options)


def write_reduced_pages(path: Path, levels: list[np.ndarray], **options: Any) -> None:
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels):
            file.write(
                level, subfiletype=int(number > 0), photometric="minisblack", metadata=None,
                **options,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_sub_ifds, "a.tif"), (write_sub_ifds, "a.ome.tif"), (write_reduced_pages, "a.tif")],
)
def test_pyramids(tmp_path: Path, write: Any, name: str) -> None:
    data = np.random.default_rng(0).integers(0, 999, (130, 201)).astype("uint16")
    levels = halves(data, 3)
    write(tmp_path / name, levels, tile=(32, 32), compression="zlib")
    for how in (True, False, "auto"):
        volumes = read_levels(tmp_path / name, lazy=how)
        assert [one.is_lazy for one in volumes] == [how is True] * 3
        for volume, expected in zip(volumes, levels, strict=True):
            np.testing.assert_array_equal(np.asarray(volume.data), expected)
    assert_same(tmp_path / name)


def test_levels_of_a_stack_with_spacing_cover_the_same_world(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 999, (3, 128, 96)).astype("uint16")
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2.0}
    units = {f"{name}Unit": "mm" for name in sizes}
    write_sub_ifds(
        tmp_path / "a.ome.tif", halves(data, 3), metadata={"axes": "ZYX", **sizes, **units}
    )
    finest, *coarser = read_levels(tmp_path / "a.ome.tif")
    assert finest.spacing == pytest.approx((2.0, 0.25, 0.5))
    for factor, level in zip((2, 4), coarser, strict=True):
        assert level.spacing == pytest.approx((2.0, 0.25 * factor, 0.5 * factor))
        for volume in (finest, level):
            corners = volume.affine @ np.array(
                [[-0.5, n - 0.5] for n in volume.spatial_shape] + [[1, 1]]
            )
            expected = [[-1.0, 5.0], [-0.125, 31.875], [-0.25, 47.75]]
            np.testing.assert_allclose(corners[:3], expected)


def test_another_image_is_no_level(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for size in (64, 40):
            file.write(np.ones((size, size), np.uint8), photometric="minisblack", metadata=None)
    assert len(read_levels(tmp_path / "a.tif")) == 1


def test_unusual_storage_is_read_at_once_and_the_same(tmp_path: Path) -> None:
    """Bits that run backwards are turned round over a whole page, so no part is read alone."""
    path = tmp_path / "a.tif"
    data = np.arange(2000, dtype=np.uint8).reshape(40, 50)
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags["ResolutionUnit"]
    content = bytearray(path.read_bytes())
    content[tag.offset : tag.offset + 2] = (266).to_bytes(2, "little")  # FillOrder instead
    content[tag.valueoffset] = 2
    path.write_bytes(content)
    turned = np.packbits(np.unpackbits(data.reshape(-1, 1), axis=1)[:, ::-1], axis=1)
    np.testing.assert_array_equal(assert_same(path).data, turned.reshape(data.shape))
