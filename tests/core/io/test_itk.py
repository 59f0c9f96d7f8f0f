"""NRRD and MetaImage, through SimpleITK, and what it does not look at itself."""

import sys
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import read, read_labels, write, write_labels
from napari_lgmsnet.core.types import Volume

sitk = pytest.importorskip("SimpleITK")

DIRECTIONS = "(0,2,0) (3,0,0) (0,0,-5)"
OBLIQUE = np.array(
    [
        [0.83, -0.21, 0.40, -91.3],
        [0.30, 1.10, -0.77, 13.71],
        [-0.11, 0.36, 2.91, 70.007],
        [0, 0, 0, 1],
    ]
)
TYPES = {"int16": "short", "float32": "float", "uint8": "uchar"}


def numbers(shape: tuple[int, ...], dtype: str = "int16") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def nrrd(path: Path, data: np.ndarray, *lines: str) -> Path:
    """Write a file as other programs do, which use more of the format than SimpleITK."""
    head = [
        *("NRRD0005", f"type: {TYPES[data.dtype.name]}", f"dimension: {data.ndim}"),
        f"sizes: {' '.join(map(str, data.shape[::-1]))}",
        *("endian: little", "encoding: raw", *lines),
    ]
    path.write_bytes("\n".join(head).encode() + b"\n\n" + data.tobytes())
    return path


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 7), "YX"),
        ((4, 5, 7), "ZYX"),
        ((2, 4, 5, 7), "TZYX"),
        ((5, 7, 3), "YXC"),
        ((4, 5, 7, 4), "ZYXC"),
        ((2, 4, 5, 7, 2), "TZYXC"),
    ],
)
def test_read_and_write(tmp_path: Path, ending: str, shape: tuple[int, ...], axes: str) -> None:
    spatial = sum(letter in "ZYX" for letter in axes)
    affine = OBLIQUE if spatial == 3 else np.array([[0.5, 0.1, -3], [0, 0.7, 9], [0, 0, 1.0]])
    for dtype in ("uint8", "int16", "uint16", "int64", "float32", "float64"):
        data = numbers(shape, dtype)
        write(tmp_path / f"{dtype}{ending}", Volume(data, axes, affine, "mm"))
        volume = read(tmp_path / f"{dtype}{ending}")
        assert (volume.axes, volume.units, volume.name) == (axes, "mm", dtype)
        assert volume.data.dtype == data.dtype
        assert np.array_equal(volume.data, data)
        np.testing.assert_allclose(volume.affine, affine, rtol=0, atol=1e-13)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_all_48_orientations_against_itk(tmp_path: Path, ending: str) -> None:
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        affine = np.eye(4)
        affine[:3, :3] = (np.eye(3)[:, list(order)] * signs) @ np.diag([0.7, 1.3, 3.1])
        affine[:3, 3] = [-12.3, 45.6, 7.89]
        labels = numbers((2, 3, 4), "uint8")
        write_labels(tmp_path / f"a{ending}", Volume(labels, "ZYX", affine, "mm"), overwrite=True)
        image = sitk.ReadImage(str(tmp_path / f"a{ending}"))
        point = image.TransformContinuousIndexToPhysicalPoint((3, 2, 1))
        np.testing.assert_allclose(point[::-1], (affine @ [1, 2, 3, 1])[:3], atol=1e-12)
        np.testing.assert_allclose(read(tmp_path / f"a{ending}").affine, affine, atol=1e-13)


@pytest.mark.parametrize(("given", "stored"), [("bool", "uint8"), ("float16", "float32")])
def test_types_that_itk_does_not_know_are_widened(tmp_path: Path, given: str, stored: str) -> None:
    data = numbers((2, 3, 4)) % 2
    write(tmp_path / "a.nrrd", Volume.from_array(data.astype(given), "ZYX", (1, 1, 1)))
    assert read(tmp_path / "a.nrrd").data.dtype == stored
    assert np.array_equal(read_labels(tmp_path / "a.nrrd").data, data)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1)),
        ("LPS", (1, 1)),
        ("right-anterior-superior", (-1, -1)),
        ("RAS", (-1, -1)),
        ("left-anterior-superior", (1, -1)),
        ("LAS", (1, -1)),
        ("scanner-xyz", (1, 1)),
    ],
)
def test_spaces_of_nrrd(tmp_path: Path, space: str, signs: tuple[int, int]) -> None:
    path = nrrd(
        tmp_path / "a.nrrd", numbers((3, 4, 5)), f"space: {space}",
        f"space directions: {DIRECTIONS}", "space origin: (10,20,30)",
    )  # fmt: skip
    volume = read(path)
    world = np.array([10 + 3 * 2, 20 + 2 * 1, 30 - 5 * 2]) * (*signs, 1)  # of x, y, z = 1, 2, 2
    np.testing.assert_allclose((volume.affine @ [2, 2, 1, 1])[:3], world[::-1], atol=1e-12)
    assert volume.data[2, 2, 1] == 2 * 20 + 2 * 5 + 1
    # What is written says so in LPS, and lies at the same place.
    write(tmp_path / "b.nrrd", volume)
    assert b"left-posterior-superior" in (tmp_path / "b.nrrd").read_bytes()
    np.testing.assert_allclose(read(tmp_path / "b.nrrd").affine, volume.affine, atol=1e-13)


@pytest.mark.parametrize(
    ("lines", "units", "spacing"),
    [
        ([], "pixel", (1, 1, 1)),
        (["spacings: 2 3 5"], "mm", (5, 3, 2)),
        (["spacings: 2 3 5", 'units: "um" "um" "um"'], "mm", (5e-3, 3e-3, 2e-3)),
        (
            ["space: LPS", f"space directions: {DIRECTIONS}", 'space units: "cm" "cm" "cm"'],
            "mm",
            (50, 30, 20),
        ),
    ],
)
def test_units_of_nrrd(
    tmp_path: Path, lines: list[str], units: str, spacing: tuple[float, ...]
) -> None:
    volume = read(nrrd(tmp_path / "a.nrrd", numbers((3, 4, 5)), *lines))
    assert volume.units == units
    assert volume.spacing == pytest.approx(spacing)


def test_colours_and_vectors_may_lie_on_any_axis(tmp_path: Path) -> None:
    data = numbers((2, 4, 5, 3), "uint8")
    first = nrrd(
        tmp_path / "first.nrrd", data, "space: LPS", f"space directions: none {DIRECTIONS}",
        "kinds: RGB-color domain domain domain",
    )  # fmt: skip
    last = nrrd(
        tmp_path / "last.nrrd", np.moveaxis(data, -1, 0).copy(), "space: LPS",
        f"space directions: {DIRECTIONS} none", "kinds: domain domain domain vector",
    )  # fmt: skip
    for path in (first, last):
        assert read(path).axes == "ZYXC"
        assert np.array_equal(read(path).data, data)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["kinds: domain domain domain list", "DWMRI_gradient_0000:=0 0 1"], "diffusion"),
        (["kinds: domain domain domain list", "modality:=DWMRI"], "diffusion"),
        (["kinds: domain domain domain list"], "list of volumes"),
        (["kinds: domain domain domain time"], "4D NIfTI"),
    ],
)
def test_what_is_not_one_image(tmp_path: Path, lines: list[str], complaint: str) -> None:
    space = ("space: LPS", f"space directions: {DIRECTIONS} none")
    path = nrrd(tmp_path / "a.nrrd", numbers((2, 3, 4, 5)), *space, *lines)
    with pytest.raises(FileFormatError, match=rf'a\.nrrd".*{complaint}'):
        read(path)


def test_too_many_axes(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="5 axes"):
        read(nrrd(tmp_path / "a.nrrd", numbers((2, 2, 2, 2, 2))))


def test_header_and_data_in_two_files(tmp_path: Path) -> None:
    data = numbers((3, 4, 5))
    for name in ("a.mhd", "a.nhdr"):
        sitk.WriteImage(sitk.GetImageFromArray(data), str(tmp_path / name))
        assert np.array_equal(read(tmp_path / name).data, data)
        with pytest.raises(InputError, match=r"two files.*write \.(mha|nrrd) instead"):
            write(tmp_path / f"b{Path(name).suffix}", read(tmp_path / name))
    (tmp_path / "a.raw").unlink()
    for name in ("a.mhd", "a.nhdr"):
        with pytest.raises(FileFormatError, match=r'its data "a\.raw" are missing'):
            read(tmp_path / name)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.999])
def test_cut_short(tmp_path: Path, ending: str, compressed: bool, kept: float) -> None:
    path = tmp_path / f"a{ending}"
    noise = np.random.default_rng(0).integers(0, 999, (9, 19, 19)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(noise), str(path), compressed)
    content = path.read_bytes()
    start = len(content) - (noise.nbytes if not compressed else 4000)
    path.write_bytes(content[: start + int((len(content) - start) * kept)])
    with pytest.raises(FileFormatError, match=rf"a\{ending}.*damaged or cut short"):
        read(path)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_damaged_stream_is_found_though_itk_reads_it(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    noise = np.random.default_rng(0).integers(0, 99, (30, 40, 50)).astype(np.int16)
    write(path, Volume.from_array(noise, "ZYX", (1, 1, 1)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"a\{ending}.*damaged"):
        read(path)


@pytest.mark.parametrize(("name", "wrong"), [("a.nrrd", "b.nii"), ("a.mha", "b.nrrd")])
def test_content_counts_not_ending(tmp_path: Path, name: str, wrong: str) -> None:
    write(tmp_path / name, Volume.from_array(numbers((3, 4, 5)), "ZYX", (1, 2, 3)))
    (tmp_path / name).rename(tmp_path / wrong)
    assert np.array_equal(read(tmp_path / wrong).data, numbers((3, 4, 5)))


@pytest.mark.parametrize(
    ("volume", "complaint"),
    [
        (Volume.from_array(numbers((3, 4, 5)), "TYX"), "series of pictures"),
        (Volume.from_array(numbers((3, 4)).astype("complex64"), "YX"), "complex64"),
    ],
)
def test_what_they_cannot_hold(tmp_path: Path, volume: Volume, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        write(tmp_path / "a.nrrd", volume)
    assert not list(tmp_path.iterdir())


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.nrrd"
    volume = Volume.from_array(numbers((3, 4, 5)), "ZYX", (1, 2, 3))
    write(path, volume)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    for action in (lambda: read(path), lambda: write(tmp_path / "b.mha", volume)):
        with pytest.raises(InputError, match=r'pip install "napari-lgmsnet\[itk\]"'):
            action()
    assert list(tmp_path.iterdir()) == [path]
