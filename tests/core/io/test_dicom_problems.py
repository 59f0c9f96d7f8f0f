"""What is wrong with a series is said: which file, what was expected, what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from tests.core.dicoms import (
    CT,
    PDF,
    PRESENTATION,
    REPORT,
    SECONDARY,
    SECRETS,
    STRUCTURE_SET,
    header,
    numbers,
    put_pixels,
    save,
    series,
    slice_of,
    volume_numbers,
)

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io import dicom, read

PIXELS = volume_numbers((8, 3, 4))


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Read what lies in tmp_path, which has to fail, with the words in the message."""

    def check(*words: str, path: Path = tmp_path) -> str:
        with pytest.raises(FileFormatError) as caught:
            read(path)
        message = str(caught.value)
        for word in words:
            assert word in message, message
        assert not [secret for secret in SECRETS if secret in message]
        return message

    return check


def edit(file: Path, **elements: object) -> None:
    dataset = dcmread(file)
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(file)


def test_a_missing_slice(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, PIXELS)
    files[3].unlink()
    refused("1 slice is missing", files[2].name, files[4].name, "4.00 mm", "2.00 mm are expected")


def test_several_missing_slices(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, volume_numbers((12, 3, 4)))
    for lost in (3, 7, 8):
        files[lost].unlink()
    refused("3 slices are missing", files[2].name, "completely")


def test_uneven_spacing(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, PIXELS)
    edit(files[-1], ImagePositionPatient=numbers((-10, 20, 30.5 + 14.7)))
    refused("unevenly spaced", files[-2].name, files[-1].name, "2.70 mm", "2.00 mm are expected")


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (lambda i: (0, 0.05 * i * i, 2 * i), "sideways"),
        (lambda i: (0, 0, 2 * i + 0.02 * i * i), "unevenly"),
    ],
)
def test_slices_that_drift(
    tmp_path: Path, refused: Callable[..., str], bend: Callable[[int], tuple], words: str
) -> None:
    for place in range(8):
        save(tmp_path / str(place), slice_of(PIXELS[place], bend(place)))
    refused(words, "even spacing")


def test_different_orientations(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, PIXELS)
    edit(files[2], ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    refused("different orientations", "7 of (1, 0, 0, 0, 1, 0)", "1 of (1, 0, 0, 0, 0, -1)",
            files[2].name, "folder of their own")  # fmt: skip


def test_different_sizes(tmp_path: Path, refused: Callable[..., str]) -> None:
    series(tmp_path, PIXELS)
    save(tmp_path / "scout", slice_of(volume_numbers((5, 6)), (0, 0, 99)))
    refused("different sizes", "8 of 4 x 3 pixels", '1 of 6 x 5 pixels, the first "scout"')


def test_different_pixel_sizes(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, PIXELS)
    edit(files[2], PixelSpacing=[0.5, 0.26])
    refused("different pixel sizes", "(0.5, 0.26)", files[2].name)


def test_grey_and_colour(tmp_path: Path, refused: Callable[..., str]) -> None:
    series(tmp_path, PIXELS)
    colours = np.zeros((3, 4, 3), np.uint8)
    save(tmp_path / "overview", slice_of(colours, (0, 0, 99)))
    refused("different kinds", "8 of grey", "1 of colour", "overview")


def test_some_without_a_place(tmp_path: Path, refused: Callable[..., str]) -> None:
    series(tmp_path, PIXELS)
    save(tmp_path / "capture", put_pixels(header(SECONDARY), PIXELS[0]))
    refused("1 of without a place in space", "capture")


def test_two_images_at_one_place(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, PIXELS)
    save(tmp_path / "second", slice_of(PIXELS[2], dcmread(files[2]).ImagePositionPatient))
    refused("same place", "second", files[2].name, "1 of 8 places")


def test_two_volumes_that_nothing_tells_apart(tmp_path: Path, refused: Callable[..., str]) -> None:
    series(tmp_path / "a", PIXELS)
    series(tmp_path / "b", PIXELS + 1)
    refused("same place", "8 of 8 places", "neither time point")


def test_a_time_point_that_is_cut_short(tmp_path: Path, refused: Callable[..., str]) -> None:
    for time in (1, 2, 3):
        files = series(tmp_path / str(time), PIXELS + time, TemporalPositionIdentifier=time)
    files[4].unlink()
    refused("time point 3.0 has 7 images", "8 are expected")


def test_stacks_beside_each_other(tmp_path: Path, refused: Callable[..., str]) -> None:
    for place in range(6):
        position = (100 * (place % 2), 0, 2 * (place // 2))
        save(tmp_path / str(place), slice_of(PIXELS[place], position))
    refused("beside each other")


def test_no_pixel_size(tmp_path: Path, refused: Callable[..., str]) -> None:
    files = series(tmp_path, PIXELS)
    for file in files:
        dataset = dcmread(file)
        del dataset.PixelSpacing
        dataset.save_as(file)
    refused("how large its pixels are")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 0.9, 0.3, 0]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        ("ImageOrientationPatient", [1, 0, 0]),
        ("ImagePositionPatient", [1, 0]),
        ("PixelSpacing", [0.5, -0.5]),
        ("PixelSpacing", [0.5]),
    ],
)
def test_headers_that_contradict_themselves(
    tmp_path: Path, refused: Callable[..., str], name: str, value: list[float]
) -> None:
    path = save(tmp_path / "a.dcm", slice_of(PIXELS[0], (0, 0, 0)))
    edit(path, **{name: value})
    refused("a.dcm", name, "export it again", path=path)


def test_mosaics(tmp_path: Path, refused: Callable[..., str]) -> None:
    kind = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    path = save(tmp_path / "a.dcm", slice_of(PIXELS[0], (0, 0, 0), ImageType=kind))
    refused("a.dcm", "side by side", "single slices", path=path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (STRUCTURE_SET, "RT Structure Set"),
        (REPORT, "Text SR"),
        (PRESENTATION, "Presentation State"),
        (PDF, "Encapsulated PDF"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "RT Dose"),
        ("1.2.3.4.5.6", "1.2.3.4.5.6"),
    ],
)
def test_files_that_are_no_images(
    tmp_path: Path, refused: Callable[..., str], kind: str, words: str
) -> None:
    path = save(tmp_path / "a.dcm", header(kind, Modality="OT"))
    refused("a.dcm", "is no image", words, "open the images that it belongs to", path=path)
    # Among images they are left out, and mentioned.
    series(tmp_path, PIXELS)
    assert np.array_equal(read(tmp_path).data, PIXELS)
    assert "a.dcm" in " ".join(dicom.survey(tmp_path).notes())


def test_the_table_of_contents(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = save(tmp_path / "DICOMDIR", header("1.2.840.10008.1.3.10"))
    refused("DICOMDIR", "open the folder itself", path=path)
    series(tmp_path, PIXELS)
    assert np.array_equal(read(tmp_path).data, PIXELS)
    assert dicom.survey(tmp_path).notes() == []


def test_whole_slide_images(tmp_path: Path, refused: Callable[..., str]) -> None:
    dataset = header("1.2.840.10008.5.1.4.1.1.77.1.6", Modality="SM")
    tiles = np.zeros((2, 4, 4, 3), np.uint8)
    path = save(tmp_path / "a.dcm", put_pixels(dataset, tiles, frames=2))
    refused("a.dcm", "whole slide", "OME-TIFF", path=path)


def test_a_damaged_file_in_the_folder(tmp_path: Path, refused: Callable[..., str]) -> None:
    """It may be a slice of the very series: at its end no gap would tell."""
    files = series(tmp_path, PIXELS)
    files[-1].write_bytes(files[-1].read_bytes()[:180])
    refused(files[-1].name, "move it elsewhere")


def test_an_image_without_its_size(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = save(tmp_path / "a.dcm", header(CT))
    refused("a.dcm", "Rows", "cut short", path=path)


def test_rubbish_with_the_right_beginning(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(bytes(128) + b"DICM" + np.random.default_rng(0).bytes(1000))
    refused("a.dcm", path=path)
    path.write_bytes(bytes(128) + b"DICM")
    refused("a.dcm", path=path)
