from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import (
    READABLE,
    WRITABLE,
    as_labels,
    is_readable,
    read,
    read_labels,
    write,
    write_labels,
)
from napari_lgmsnet.core.types import Volume

SQUARE = Volume.from_array(np.eye(5, dtype=np.uint8), "YX")


def test_endings() -> None:
    assert set(READABLE) - set(WRITABLE) == {".jpg", ".jpeg", ".mhd", ".nhdr", ".dcm", ".dicom"}
    assert is_readable("Case 1.NII.GZ")
    assert not is_readable("notes.txt")
    assert not is_readable("table.csv.gz")


@pytest.mark.parametrize("ending", WRITABLE)
def test_every_format_gives_labels_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"Fälle (1) ä{ending.upper()}"
    write_labels(path, SQUARE)
    assert np.array_equal(read_labels(path).data, SQUARE.data)
    with pytest.raises(InputError, match="exists already"):
        write_labels(path, SQUARE)
    write_labels(path, SQUARE.with_data(SQUARE.data * 2, "YX"), overwrite=True)
    assert read_labels(str(path)).data.max() == 2
    assert list(tmp_path.iterdir()) == [path]


def test_content_counts_not_ending(tmp_path: Path) -> None:
    write(tmp_path / "a.png", SQUARE)
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(read(tmp_path / "a.jpg").data, SQUARE.data)


@pytest.mark.parametrize("name", ["a.png", "a.nii.gz", "a.xyz"])
def test_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileFormatError, match=rf'there is no file ".*{name}"'):
        read(tmp_path / name)


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"is a folder.*\.nii\.gz"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.nii", "a.tif"])
def test_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(FileFormatError, match=rf"{name}.* is empty"):
        read(tmp_path / name)


@pytest.mark.parametrize("ending", READABLE)
def test_not_an_image(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_text("Dear colleague, " * 100)
    with pytest.raises(FileFormatError, match=r"not what its ending says"):
        read(path)


def test_unknown_ending_lists_the_known(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_text("Dear colleague, ")
    with pytest.raises(FileFormatError, match=r"a\.docx.*\.nii, \.nii\.gz, \.png.*\.tif"):
        read(path)
    with pytest.raises(InputError, match=r"a\.xyz.*use one of \.nii, \.nii\.gz, \.png, \.tif"):
        write(tmp_path / "a.xyz", SQUARE)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([[True, False]]), np.uint8),
        (np.array([[0, 255]]), np.uint8),
        (np.array([[0.0, 256.0]]), np.uint16),
        (np.array([[0, 65_536]]), np.uint32),
    ],
)
def test_labels_take_the_smallest_type(data: np.ndarray, expected: type) -> None:
    labels = as_labels(Volume.from_array(data, "YX"))
    assert labels.data.dtype == expected
    assert np.array_equal(labels.data, data)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([[0, -1]], "negative"),
        ([[0, 0.5]], "fractions"),
        ([[0, np.nan]], "fractions"),
        ([[0, np.inf]], "fractions"),
        ([[0, 2**40]], "renumber"),
        ([[0, 1j]], "complex"),
    ],
)
def test_what_is_no_label(data: list[list[float]], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        as_labels(Volume.from_array(np.array(data), "YX"))


def test_colours_are_no_labels() -> None:
    with pytest.raises(InputError, match="channels"):
        as_labels(Volume.from_array(np.zeros((4, 4, 3)), "YXC"))
