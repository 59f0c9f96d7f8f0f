"""Files read in parts: no more is read than asked, and what can go wrong."""

import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import lazy, nifti_lazy, read, tiff_pages
from napari_lgmsnet.core.types import Volume

# --- how much is read --------------------------------------------------------------------------


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[slice, ...]]:
    """Boxes that were read from files, in the axes of the volume."""
    boxes: list[tuple[slice, ...]] = []
    original = lazy.Stored.__init__

    def listening(self: Any, fetch: Any, shape: Any, dtype: Any) -> None:
        original(self, lambda box: boxes.append(box) or fetch(box), shape, dtype)

    monkeypatch.setattr(lazy.Stored, "__init__", listening)
    return boxes


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif"])
def test_a_slice_reads_a_slice(tmp_path: Path, fetched: list[Any], name: str) -> None:
    from napari_lgmsnet.core.geometry import crop
    from napari_lgmsnet.core.io import write

    volume = Volume.from_array(np.ones((12, 700, 600), np.uint8), "ZYX", (1, 1, 1))
    write(tmp_path / name, volume)
    fetched.clear()
    opened = read(tmp_path / name, lazy=True)
    assert fetched == []
    part = crop(opened, (slice(5, 6), slice(0, 700), slice(10, 20)))
    assert fetched == []
    assert part.loaded().data.shape == (1, 700, 10)
    [(planes, _, _)] = fetched
    assert planes == slice(5, 6)


def test_tiles_of_a_corner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).integers(0, 255, (640, 640)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, tile=(64, 64), compression="zlib")
    opened = read(tmp_path / "a.tif", lazy=True)
    decoded: list[int] = []
    original = tiff_pages.PageReader._decoded

    def listening(self: Any, file: Any, page: Any, segment: int) -> Any:
        decoded.append(segment)
        return original(self, file, page, segment)

    monkeypatch.setattr(tiff_pages.PageReader, "_decoded", listening)
    np.testing.assert_array_equal(np.asarray(opened.data[100:130, 60:70]), data[100:130, 60:70])
    assert sorted(decoded) == [10, 11, 20, 21]


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux to count bytes")
def test_bytes_that_the_system_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 255, (40, 256, 256)).astype(np.uint8)
    tifffile.imwrite(path, noise, photometric="minisblack", compression="zlib")
    opened = read(path, lazy=True)
    before = _bytes_read()
    np.testing.assert_array_equal(np.asarray(opened.data[7]), noise[7])
    assert _bytes_read() - before < path.stat().st_size / 20


def _bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def test_auto_is_lazy_above_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_lgmsnet.core.io import opening

    nibabel.Nifti1Image(np.ones((10, 10, 10), np.uint8), np.eye(4)).to_filename(tmp_path / "a.nii")
    for limit, expected in ((1000, False), (999, True)):
        monkeypatch.setattr(opening, "LAZY_ABOVE", limit)
        assert read(tmp_path / "a.nii", lazy="auto").is_lazy == expected
    assert not read(tmp_path / "a.nii").is_lazy


def test_four_gigabytes_open_at_once(tmp_path: Path) -> None:
    """A sparse file: its size is real, what it takes up on the disk is not."""
    path = tmp_path / "huge.nii"
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1024, 1024, 2048))
    header["vox_offset"] = 352
    with path.open("wb") as file:
        header.write_to(file)
        file.seek(352 + 2 * 1024 * 1024 * 2048 - 2)
        file.write(np.int16(7).tobytes())
    volume = read(path, lazy="auto")
    assert volume.is_lazy
    assert volume.data.nbytes == 2**32
    assert np.asarray(volume.data[-1, -1, -3:]).tolist() == [0, 0, 7]


# --- what can go wrong -------------------------------------------------------------------------


def test_picture_is_lazy_when_asked(tmp_path: Path) -> None:
    from napari_lgmsnet.core.io import write

    write(tmp_path / "a.png", Volume.from_array(np.eye(5, dtype=np.uint8), "YX"))
    assert read(tmp_path / "a.png", lazy=True).is_lazy
    assert not read(tmp_path / "a.png", lazy="auto").is_lazy


def test_compressed_nifti_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.nii.gz"
    nibabel.Nifti1Image(np.ones((3, 4, 5), np.uint8), np.eye(4)).to_filename(path)
    monkeypatch.setattr(nifti_lazy, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"napari-lgmsnet\[large\]"):
        read(path, lazy=True)
    assert not read(path, lazy="auto").is_lazy


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif"])
def test_file_that_changes_while_it_is_open(tmp_path: Path, name: str) -> None:
    from napari_lgmsnet.core.io import write

    volume = Volume.from_array(np.ones((3, 40, 50), np.uint8), "ZYX", (1, 1, 1))
    write(tmp_path / name, volume)
    opened = read(tmp_path / name, lazy=True)
    os.utime(tmp_path / name, ns=(1, 1))
    with pytest.raises(FileFormatError, match=rf"{name}.* was changed since it was opened"):
        opened.loaded()
    (tmp_path / name).unlink()
    with pytest.raises(FileFormatError, match=rf"{name}.* can no longer be opened"):
        opened.loaded()


@pytest.mark.parametrize("kept", [0.3, 0.98])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif", "packed.tif"])
def test_cut_short(tmp_path: Path, name: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (9, 40, 40)).astype(np.uint8)
    if name.endswith(".tif"):
        packing = "zlib" if name == "packed.tif" else None
        tifffile.imwrite(tmp_path / name, noise, photometric="minisblack", compression=packing)
    else:
        nibabel.Nifti1Image(noise, np.eye(4)).to_filename(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FileFormatError, match=rf"{name}.*cut short"):
        read(tmp_path / name, lazy=True).loaded()


def test_unknown_compression_is_said_on_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((40, 50), np.uint8), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["Compression"].overwrite(50001)  # WebP
    with pytest.raises(FileFormatError, match="imagecodecs"):
        read(path, lazy=True)
