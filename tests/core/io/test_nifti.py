import gzip
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import read, read_labels, write, write_labels
from napari_lgmsnet.core.types import Volume

ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))
OBLIQUE = np.array(
    [
        [0.83, -0.21, 0.40, -91.3],
        [0.30, 1.10, -0.77, 13.71],
        [-0.11, 0.36, 2.91, 70.007],
        [0, 0, 0, 1],
    ]
)
to_lps = np.diag([-1.0, -1.0, 1.0, 1.0])


def save(path: Path, data: np.ndarray, affine: np.ndarray, **fields: Any) -> Path:
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    for name, value in fields.items():
        image.header[name] = value
    image.to_filename(path)
    return path


def header_of(path: Path) -> Any:
    return nibabel.load(path).header


def assert_same_geometry(first: Path, second: Path) -> None:
    one, other = header_of(first), header_of(second)
    for name in (
        *("dim", "pixdim", "xyzt_units", "intent_code", "qform_code", "sform_code"),
        *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
        *("srow_x", "srow_y", "srow_z"),
    ):
        assert one[name].tobytes() == other[name].tobytes(), name


def numbers(shape: tuple[int, ...], dtype: str = "int16") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[:, list(order)] * signs) @ np.diag([0.7, 1.3, 3.1])
    affine[:3, 3] = [-12.3, 45.6, 7.89]
    data = numbers((3, 5, 4))
    source = save(tmp_path / "source.nii", data, affine, sform_code=1, qform_code=2)
    volume = read(source)
    assert volume.axes == "ZYX"
    assert volume.units == "mm"
    assert np.array_equal(volume.data, data.transpose())
    # Any voxel lies where an independent calculation puts it.
    z, y, x = 3, 1, 2
    expected = to_lps @ nibabel.load(source).affine @ [x, y, z, 1]
    assert np.allclose(volume.affine @ [z, y, x, 1], expected[[2, 1, 0, 3]], atol=1e-5)
    write(tmp_path / "image.nii.gz", volume)
    labels = volume.with_data((volume.data % 3).astype(np.int64), "ZYX")
    write_labels(tmp_path / "labels.nii.gz", labels)
    for name in ("image.nii.gz", "labels.nii.gz"):
        assert_same_geometry(source, tmp_path / name)
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "image.nii.gz").dataobj), data)
    stored = nibabel.load(tmp_path / "labels.nii.gz")
    assert stored.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(stored.dataobj), data % 3)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    # Without numbers so small that the determinant itself would warn.
    matrix=arrays(np.float64, (3, 3), elements=st.floats(-3, 3).map(lambda x: round(x, 6))),
    offset=arrays(np.float64, 3, elements=st.floats(-500, 500)),
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    codes=st.tuples(st.sampled_from([0, 1, 2, 4]), st.sampled_from([0, 1, 3])),
    big_endian=st.booleans(),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "float32", "float64", "int64"]),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
)
def test_any_geometry_comes_back_bit_by_bit(
    tmp_path: Path,
    matrix: np.ndarray,
    offset: np.ndarray,
    shape: tuple[int, int, int],
    codes: tuple[int, int],
    big_endian: bool,
    dtype: str,
    suffix: str,
) -> None:
    if abs(np.linalg.det(matrix)) < 1e-3:
        matrix = matrix + 5 * np.eye(3)
    if abs(np.linalg.det(matrix)) < 1e-3:
        return
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, offset
    header = nibabel.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_dtype(dtype)
    header.set_qform(affine, codes[1])
    header.set_sform(affine, codes[0])
    data = numbers(shape, dtype)
    source = tmp_path / f"source{suffix}"
    nibabel.Nifti1Image(data, None, header).to_filename(source)
    volume = read(source)
    assert volume.data.dtype == np.dtype(dtype)
    assert volume.data.dtype.isnative
    write(tmp_path / "copy.nii.gz", volume, overwrite=True)
    assert_same_geometry(source, tmp_path / "copy.nii.gz")
    again = read(tmp_path / "copy.nii.gz")
    assert again.affine.tobytes() == volume.affine.tobytes()
    assert again.data.tobytes() == volume.data.tobytes()


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((4, 3), "YX", (3, 4)),
        ((4, 3, 1), "ZYX", (1, 3, 4)),
        ((4, 3, 2, 1), "ZYX", (2, 3, 4)),
        ((4, 3, 2, 5), "TZYX", (5, 2, 3, 4)),
        ((4, 3, 2, 1, 6), "ZYXC", (2, 3, 4, 6)),
        ((4, 3, 2, 5, 6), "TZYXC", (5, 2, 3, 4, 6)),
        ((4, 3, 2, 1, 1, 1, 1), "ZYX", (2, 3, 4)),
    ],
)
def test_numbers_of_axes(
    tmp_path: Path, shape: tuple[int, ...], axes: str, expected: tuple[int, ...]
) -> None:
    source = save(tmp_path / "a.nii.gz", numbers(shape), OBLIQUE, sform_code=4)
    volume = read(source)
    assert volume.axes == axes
    assert volume.data.shape == expected
    write(tmp_path / "b.nii.gz", volume)
    assert_same_geometry(source, tmp_path / "b.nii.gz")
    copied = np.asarray(nibabel.load(tmp_path / "b.nii.gz").dataobj)
    assert np.array_equal(copied, numbers(shape))


def test_too_many_axes(tmp_path: Path) -> None:
    save(tmp_path / "a.nii", numbers((2, 2, 2, 2, 2, 2)), np.eye(4))
    with pytest.raises(FileFormatError, match="6 axes"):
        read(tmp_path / "a.nii")


def test_colours(tmp_path: Path) -> None:
    record = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    data = numbers((4, 3, 2, 3), "uint8").view(record)[..., 0]
    source = save(tmp_path / "a.nii", data, OBLIQUE)
    volume = read(source)
    assert volume.axes == "ZYXC"
    assert volume.data.shape == (2, 3, 4, 3)
    assert volume.data[1, 2, 3].tolist() == list(data[3, 2, 1])
    write(tmp_path / "b.nii", volume)
    assert_same_geometry(source, tmp_path / "b.nii")
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "b.nii").dataobj), data)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        (1, 0, "int16"),
        (0, 7, "int16"),  # slope 0 means: not scaled
        (np.nan, np.nan, "int16"),
        (1, -1024, "int32"),
        (2.5, 0, "float32"),
        (1, 0.5, "float32"),
    ],
)
def test_slope_and_intercept(tmp_path: Path, slope: float, intercept: float, dtype: str) -> None:
    path = tmp_path / "a.nii"
    save(path, numbers((4, 3, 2)), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(raw)
    scaled = slope not in (0, 1) or intercept not in (0, 7)
    expected = numbers((4, 3, 2)).T
    if scaled and np.isfinite(slope):
        expected = expected * slope + intercept
    volume = read(path)
    assert volume.data.dtype == dtype
    assert np.allclose(volume.data, expected)
    # What is written is what was shown, not scaled a second time.
    write(tmp_path / "b.nii", volume)
    assert np.array_equal(read(tmp_path / "b.nii").data, volume.data)


@pytest.mark.parametrize(("unit", "scale"), [("meter", 1000), ("micron", 0.001), ("mm", 1)])
def test_units(tmp_path: Path, unit: str, scale: float) -> None:
    image = nibabel.Nifti1Image(numbers((4, 3, 2)), np.diag([2.0, 3, 4, 1]))
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    assert volume.spacing == pytest.approx((4 * scale, 3 * scale, 2 * scale))
    write(tmp_path / "b.nii", volume)
    assert_same_geometry(tmp_path / "a.nii", tmp_path / "b.nii")


def test_without_a_source_header(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    volume = Volume.from_array(data, "ZYX", spacing=(5, 0.5, 0.25))
    write(tmp_path / "a.nii.gz", volume)
    header = header_of(tmp_path / "a.nii.gz")
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert header.get_zooms() == (0.25, 0.5, 5)
    again = read(tmp_path / "a.nii.gz")
    assert np.array_equal(again.data, data)
    assert np.array_equal(again.affine, volume.affine)


def test_changed_affine_is_written(tmp_path: Path) -> None:
    source = read(save(tmp_path / "a.nii", numbers((4, 3, 2)), OBLIQUE, sform_code=3))
    shifted = source.affine.copy()
    shifted[:3, 3] += [8.0, -4.0, 2.0]
    moved = Volume(source.data, "ZYX", shifted, "mm", "moved", source.source)
    write(tmp_path / "b.nii", moved)
    header = header_of(tmp_path / "b.nii")
    assert header["sform_code"] == 3
    assert header["qform_code"] == 0  # OBLIQUE is sheared
    assert np.allclose(read(tmp_path / "b.nii").affine, shifted, atol=1e-4)


def test_plane_across_the_world_keeps_its_pixel_size(tmp_path: Path) -> None:
    coronal = np.array([[0.5, 0, 0, 1], [0, 0, 1, 2], [0, 2, 0, 3], [0, 0, 0, 1.0]])
    source = save(tmp_path / "a.nii", numbers((4, 3)), coronal, sform_code=1)
    volume = read(source)
    assert volume.spacing == (2, 0.5)
    write(tmp_path / "b.nii", volume)
    assert_same_geometry(source, tmp_path / "b.nii")


def test_names_in_free_text_are_not_passed_on(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(numbers((4, 3, 2)), np.eye(4))
    image.header["descrip"] = image.header["db_name"] = b"Doe^Jane"
    image.header["aux_file"] = b"Doe^Jane.txt"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Doe^Jane"))
    image.to_filename(tmp_path / "a.nii")
    assert b"Doe" in (tmp_path / "a.nii").read_bytes()
    write(tmp_path / "b.nii", read(tmp_path / "a.nii"))
    assert b"Doe" not in (tmp_path / "b.nii").read_bytes()


def test_nifti2_stays_nifti2(tmp_path: Path) -> None:
    nibabel.Nifti2Image(numbers((4, 3, 2)), OBLIQUE).to_filename(tmp_path / "a.nii")
    write(tmp_path / "b.nii", read(tmp_path / "a.nii"))
    assert isinstance(nibabel.load(tmp_path / "b.nii"), nibabel.Nifti2Image)
    assert_same_geometry(tmp_path / "a.nii", tmp_path / "b.nii")


def test_equal_volumes_give_equal_files(tmp_path: Path) -> None:
    volume = Volume.from_array(numbers((2, 3, 4)), "ZYX", spacing=(1, 1, 1))
    for name in ("a.nii.gz", "b.nii.gz"):
        write(tmp_path / name, volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_labels_come_back_as_labels(tmp_path: Path) -> None:
    labels = np.array([[[0, 1], [2, 300]]], np.float64)
    write_labels(tmp_path / "a.nii.gz", Volume.from_array(labels, "ZYX", spacing=(1, 1, 1)))
    again = read_labels(tmp_path / "a.nii.gz")
    assert again.data.dtype == np.uint16
    assert np.array_equal(again.data, labels)


def test_complex_numbers(tmp_path: Path) -> None:
    save(tmp_path / "a.nii", numbers((2, 2, 2), "complex64"), np.eye(4))
    with pytest.raises(FileFormatError, match="complex64"):
        read(tmp_path / "a.nii")
    volume = Volume.from_array(numbers((2, 2), "datetime64[s]"), "YX")
    with pytest.raises(InputError, match="datetime64"):
        write(tmp_path / "b.nii", volume)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.98])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_cut_short(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"a{suffix}"
    save(path, np.random.default_rng(0).integers(0, 999, (9, 9, 9)).astype("int16"), np.eye(4))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FileFormatError, match=r'"[^"]*a\.nii(\.gz)?".*cut short'):
        read(path)


def test_damaged_stream(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", numbers((9, 9, 9)), np.eye(4))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.nii\.gz.*damaged"):
        read(path)


def test_something_else_that_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"hello" * 200))
    with pytest.raises(FileFormatError, match=r"a\.nii\.gz.*something else"):
        read(path)


@pytest.mark.parametrize(("name", "wrong"), [("a.nii", "b.nii.gz"), ("a.nii.gz", "b.nii")])
def test_content_counts_not_ending(tmp_path: Path, name: str, wrong: str) -> None:
    save(tmp_path / name, numbers((3, 4, 5)), np.eye(4)).rename(tmp_path / wrong)
    assert np.array_equal(read(tmp_path / wrong).data, numbers((3, 4, 5)).T)
