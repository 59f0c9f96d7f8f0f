"""Folders: which series they hold, and how one is chosen."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from tests.core.dicoms import MR, SECRETS, series, volume_numbers

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import dicom, is_readable, read

PIXELS = volume_numbers((4, 3, 5))
OTHER = volume_numbers((6, 4, 2)) + 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two series in sub-folders, among other things."""
    series(tmp_path / "a" / "deep", PIXELS, SeriesDescription="Portal venous")
    series(
        tmp_path / "b", OTHER, SeriesInstanceUID="1.2.9", SeriesNumber=12, Modality="MR", kind=MR
    )
    (tmp_path / "notes.txt").write_text("Dear colleague")
    (tmp_path / "empty").touch()
    (tmp_path / ".hidden").write_bytes(b"x")
    return tmp_path


def test_series_are_listed_by_number(folder: Path) -> None:
    first, second = dicom.list_series(folder)
    assert (first.key, first.number, first.modality, first.name) == ("3", 3, "CT", "Portal venous")
    assert (first.columns, first.rows, first.images) == (5, 3, 4)
    assert (second.key, second.number, second.uid) == ("12", 12, "1.2.9")
    assert str(second) == "12: MR, MR series 12, 2 x 4, 6 images"


def test_no_pixels_are_read_for_the_list(folder: Path) -> None:
    expected = dicom.list_series(folder)
    for file in (folder / "b").iterdir():
        whole = file.read_bytes()
        file.write_bytes(whole[: whole.index(b"\xe0\x7f\x10\x00")])
    assert dicom.list_series(folder) == expected


def test_other_files_are_mentioned(folder: Path) -> None:
    [note] = dicom.survey(folder).notes()
    assert "notes.txt" in note
    assert "empty" in note
    assert ".hidden" not in note


@pytest.mark.parametrize("wanted", [12, "12", "1.2.9"])
def test_a_series_is_chosen_by_number_or_uid(folder: Path, wanted: str | int) -> None:
    assert np.array_equal(read(folder, series=wanted).data, OTHER)


def test_several_series_are_listed_when_none_is_chosen(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(folder)
    message = str(caught.value)
    for words in ("2 series", "3: CT, Portal venous", "12: MR", "--series 3", "series='3'"):
        assert words in message
    assert not [secret for secret in SECRETS if secret in message]


def test_unknown_series(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no series 5.*3: CT.*12: MR"):
        read(folder, series=5)
    with pytest.raises(InputError, match="one file"):
        read(next((folder / "b").iterdir()), series=12)


def test_series_of_the_same_or_no_number_get_keys_of_their_own(tmp_path: Path) -> None:
    series(tmp_path / "a", PIXELS)
    series(tmp_path / "b", OTHER, SeriesInstanceUID="1.2.9")
    for file in series(tmp_path / "c", PIXELS + 1, SeriesInstanceUID="1.2.8"):
        dataset = dcmread(file)
        del dataset.SeriesNumber
        dataset.save_as(file)
    keys = [one.key for one in dicom.list_series(tmp_path)]
    assert len(set(keys)) == 3
    assert keys[0].startswith("3.")
    read_again = [read(tmp_path, series=key).data for key in keys]
    assert sorted(data.shape for data in read_again) == [(4, 3, 5), (4, 3, 5), (6, 4, 2)]


def test_copies_of_a_file_count_once(tmp_path: Path) -> None:
    files = series(tmp_path, PIXELS)
    (tmp_path / "copy of a slice").write_bytes(files[1].read_bytes())
    assert np.array_equal(read(tmp_path).data, PIXELS)
    assert len(dicom.survey(tmp_path).skipped) == 1


@pytest.mark.parametrize("kind", ["empty", "pictures"])
def test_folders_without_dicom(tmp_path: Path, kind: str) -> None:
    if kind == "pictures":
        for number in range(40):
            (tmp_path / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
        (tmp_path / "below").mkdir()
    assert not dicom.holds_dicom(tmp_path)
    assert not is_readable(tmp_path)
    with pytest.raises(FileFormatError, match="no DICOM"):
        read(tmp_path)
    with pytest.raises(FileFormatError, match="no DICOM image"):
        dicom.read(tmp_path)
    assert dicom.list_series(tmp_path) == ()


def test_dicom_is_found_among_many_other_files(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number:02}.png").write_bytes(bytes(200))
    for number in range(40):  # most folders are empty
        (tmp_path / "study" / f"{number:02}").mkdir(parents=True)
    series(tmp_path / "study" / "10" / "deep", PIXELS)
    assert dicom.holds_dicom(tmp_path)


def test_few_files_tell_whether_a_folder_holds_dicom(folder: Path, tmp_path: Path) -> None:
    assert dicom.holds_dicom(folder)
    assert is_readable(folder)
    assert is_readable("a.DCM")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no folder"):
        dicom.list_series(tmp_path / "none")
    with pytest.raises(FileFormatError, match="there is no file"):
        read(tmp_path / "none")


def test_a_folder_that_must_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.scandir

    def closed(place: Path) -> object:  # permissions would not bind a root user
        if Path(place).name == "b":
            raise PermissionError(13, "Permission denied")
        return original(place)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(FileFormatError, match=r'b".*Permission denied.*permissions'):
        dicom.list_series(folder)
    assert not dicom.holds_dicom(folder / "b")


WITHOUT_PYDICOM = """
import sys
sys.modules["pydicom"] = None  # an import of it would fail
import napari_lgmsnet.core.io.dicom
print("highdicom" in sys.modules)
"""


def test_importing_this_package_imports_no_dicom_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYDICOM], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr
