"""DICOM SEG of other programs, which may leave out slices, store fractions, or overlap."""

from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from tests.core.dicoms import save, series, slice_of, volume_numbers

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.types import Volume

PIXELS = volume_numbers((5, 6, 7))


def assert_same(found: Volume, written: Volume) -> None:
    assert found.axes == written.axes
    assert np.array_equal(found.data, written.data)
    assert np.allclose(found.affine, written.affine, rtol=0, atol=1e-9)


@pytest.fixture
def ct(tmp_path: Path) -> tuple[Volume, list[Path]]:
    files = series(tmp_path / "ct", PIXELS, step=(0, 0, 3))
    return read(tmp_path / "ct"), files


@pytest.fixture
def foreign(
    tmp_path: Path, ct: tuple[Volume, list[Path]]
) -> Callable[..., tuple[Path, np.ndarray]]:
    """Write a DICOM SEG by highdicom alone."""

    def make(data: np.ndarray, kind: str = "BINARY", **more: object) -> Path:
        count = data.shape[3] if data.ndim == 4 else int(data.max())
        segments = [
            highdicom.seg.SegmentDescription(
                number, f"part {number}", highdicom.sr.CodedConcept("85756007", "SCT", "Tissue"),
                highdicom.sr.CodedConcept("85756007", "SCT", "Tissue"), "MANUAL",
            )
            for number in range(1, count + 1)
        ]  # fmt: skip
        images = [dcmread(path) for path in ct[1]]
        seg = highdicom.seg.Segmentation(
            images, data, kind, segments, highdicom.UID(), 1, highdicom.UID(), 1,
            "maker", "model", "1", "1", **more,
        )  # fmt: skip
        path = tmp_path / "foreign" / "mask.dcm"
        path.parent.mkdir()
        seg.save_as(path)
        return path

    return make


SPARSE = np.zeros(PIXELS.shape, np.uint8)
SPARSE[1, 2:4, 1:5] = 1
SPARSE[3, 1:3, 2:6] = 2


def test_slices_left_out_are_filled_in(
    foreign: Callable[..., Path], ct: tuple[Volume, list[Path]]
) -> None:
    path = foreign(SPARSE)
    assert len(dcmread(path).PerFrameFunctionalGroupsSequence) == 2
    found = read_labels(path)
    assert np.array_equal(found.data, SPARSE[1:4])
    corner = ct[0].affine @ [1, 0, 0, 1]
    assert np.allclose(found.affine[:, 3], corner, rtol=0, atol=1e-9)
    assert np.allclose(found.affine[:3, :3], ct[0].affine[:3, :3], rtol=0, atol=1e-9)


def test_with_its_images_beside_it_the_whole_grid_is_known(
    foreign: Callable[..., Path], ct: tuple[Volume, list[Path]]
) -> None:
    path = foreign(SPARSE)
    beside = ct[1][0].parent / "mask.dcm"
    path.rename(beside)
    assert_same(read_labels(beside), ct[0].with_data(SPARSE, "ZYX"))


def test_maps_of_labels(foreign: Callable[..., Path], ct: tuple[Volume, list[Path]]) -> None:
    path = foreign(SPARSE, "LABELMAP", omit_empty_frames=False)
    assert_same(read_labels(path), ct[0].with_data(SPARSE, "ZYX"))


def test_fractions_are_cut_at_half(foreign: Callable[..., Path]) -> None:
    fractions = np.zeros((*PIXELS.shape, 1), np.float32)
    fractions[:, 1, 1], fractions[:, 2, 2], fractions[:, 3, 3] = 0.4, 0.6, 1
    found = read_labels(foreign(fractions, "FRACTIONAL"))
    assert np.array_equal(found.data, fractions[..., 0] >= 0.5)


def test_overlapping_segments_are_refused(foreign: Callable[..., Path]) -> None:
    data = np.zeros((*PIXELS.shape, 2), np.uint8)
    data[2, :3, :, 0] = data[2, 2:, :, 1] = 1
    with pytest.raises(FileFormatError, match=r"segments 1 and 2 of .*mask\.dcm.* overlap"):
        read_labels(foreign(data))


def test_an_image_opened_as_a_mask_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.dcm", slice_of(-PIXELS[0], (0, 0, 0)))
    with pytest.raises(FileFormatError, match="is not a mask"):
        read_labels(tmp_path / "a.dcm")


def test_a_mask_without_segments_is_refused(tmp_path: Path, foreign: Callable[..., Path]) -> None:
    path = foreign(SPARSE)
    stored = dcmread(path)
    for frame in stored.PerFrameFunctionalGroupsSequence:
        frame.SegmentIdentificationSequence = [Dataset()]
    stored.save_as(path)
    with pytest.raises(FileFormatError, match=r"mask\.dcm.*does not say what its frames are"):
        read_labels(path)
