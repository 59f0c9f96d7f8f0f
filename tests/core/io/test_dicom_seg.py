"""Masks as DICOM SEG: what they refer to, what they say, and that they come back as they were."""

from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from scipy.spatial.transform import Rotation
from tests.core.dicoms import (
    DIGITAL_X_RAY,
    MR,
    SECONDARY,
    ULTRASOUND_FILM,
    enhanced,
    header,
    put_pixels,
    save,
    series,
    volume_numbers,
)

from napari_lgmsnet.core.errors import InputError, WriteError
from napari_lgmsnet.core.info import ClassInfo, named_classes
from napari_lgmsnet.core.io import MadeBy, dicom, read, read_labels, write, write_labels
from napari_lgmsnet.core.types import Volume

PIXELS = volume_numbers((5, 6, 7))
CLASSES = (
    ClassInfo(name="background", colour=(0, 0, 0)),
    ClassInfo(name="liver", colour=(200, 30, 40)),
    ClassInfo(name="tumour, größer", colour=(20, 220, 90)),
)
GENERATOR = np.random.default_rng(3)


def labels_on(volume: Volume, highest: int = 2) -> Volume:
    data = GENERATOR.integers(0, highest + 1, volume.spatial_shape).astype(np.uint8)
    data[0] = 0
    return volume.with_data(data, volume.spatial_axes)


def assert_same(found: Volume, written: Volume) -> None:
    assert found.axes == written.axes
    assert np.array_equal(found.data, written.data)
    assert np.allclose(found.affine, written.affine, rtol=0, atol=1e-9)


def check(path: Path, sources: list[Path]) -> highdicom.seg.Segmentation:
    """Check what other programs rely on: kind, references, and the place of each frame."""
    stored = dcmread(path)
    assert stored.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    assert stored.file_meta.MediaStorageSOPClassUID == stored.SOPClassUID
    assert stored.file_meta.MediaStorageSOPInstanceUID == stored.SOPInstanceUID
    images = {header.SOPInstanceUID: header for header in map(dcmread, sources)}
    first = next(iter(images.values()))
    for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert stored[name].value == first[name].value
    assert stored.SeriesInstanceUID != first.SeriesInstanceUID
    [referenced] = stored.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == first.SeriesInstanceUID
    uids = {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence}
    assert uids == set(images)
    for frame in stored.PerFrameFunctionalGroupsSequence:
        [source] = frame.DerivationImageSequence[0].SourceImageSequence
        image = images[source.ReferencedSOPInstanceUID]
        assert source.ReferencedSOPClassUID == image.SOPClassUID
        place = image
        if "PerFrameFunctionalGroupsSequence" in image:
            number = source.ReferencedFrameNumber - 1
            place = image.PerFrameFunctionalGroupsSequence[number].PlanePositionSequence[0]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == place.ImagePositionPatient
    return highdicom.seg.segread(path)


@pytest.fixture
def ct(tmp_path: Path) -> tuple[Volume, list[Path]]:
    columns, rows, normal = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix().T
    orientation = (*columns, *rows)
    files = series(tmp_path / "ct", PIXELS, step=3 * normal, orientation=orientation)
    return read(tmp_path / "ct"), files


def test_a_mask_comes_back_and_others_accept_it(
    tmp_path: Path, ct: tuple[Volume, list[Path]]
) -> None:
    volume, files = ct
    labels = labels_on(volume)
    path = tmp_path / "mask.dcm"
    write_labels(path, labels, classes=CLASSES, made_by=MadeBy("liver-3d"))
    found = read_labels(path)
    assert_same(found, labels)
    assert found.data.dtype == np.uint8
    assert [(one.name, one.colour) for one in found.source["classes"]][1:] == [
        (one.name, one.colour) for one in CLASSES[1:]
    ]
    seg = check(path, files)
    assert seg.number_of_segments == 2
    geometry = seg.get_volume(combine_segments=True)
    # highdicom counts slices the other way round, and names the world x, y, z.
    assert np.array_equal(np.asarray(geometry.array)[::-1], labels.data)
    for z, y, x in np.ndindex(labels.data.shape):
        place = geometry.affine @ [len(labels.data) - 1 - z, y, x, 1]
        assert np.allclose(place[2::-1], (labels.affine @ [z, y, x, 1])[:3], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("made_by", "kind", "name"),
    [
        (MadeBy("liver-3d"), "AUTOMATIC", "liver-3d"),
        (MadeBy("liver-3d", edited=True), "SEMIAUTOMATIC", "liver-3d"),
        (None, "MANUAL", None),
    ],
)
def test_how_the_mask_was_made_is_said(
    tmp_path: Path,
    ct: tuple[Volume, list[Path]],
    made_by: MadeBy | None,
    kind: str,
    name: str | None,
) -> None:
    path = tmp_path / "mask.dcm"
    write_labels(path, labels_on(ct[0]), classes=CLASSES, made_by=made_by)
    for segment in dcmread(path).SegmentSequence:
        assert segment.SegmentAlgorithmType == kind
        assert segment.get("SegmentAlgorithmName") == name


def test_segments_have_names_colours_and_codes(
    tmp_path: Path, ct: tuple[Volume, list[Path]]
) -> None:
    path = tmp_path / "mask.dcm"
    classes = named_classes(["liver", "skin lesion", "left hippocampus", "something else"])
    write_labels(path, labels_on(ct[0]), classes=classes)
    segments = dcmread(path).SegmentSequence
    assert [segment.SegmentLabel for segment in segments] == [one.name for one in classes[1:]]
    codes = [segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning for segment in segments]
    assert codes == ["Liver", "Lesion", "Hippocampus", "Tissue"]
    for segment, one in zip(segments, classes[1:], strict=True):
        colour = highdicom.color.CIELabColor.from_dicom_value(
            tuple(segment.RecommendedDisplayCIELabValue)
        )
        assert np.abs(np.array(colour.to_rgb()) - one.colour).max() <= 1


def test_labels_without_names(tmp_path: Path, ct: tuple[Volume, list[Path]]) -> None:
    labels = labels_on(ct[0])
    labels = labels.with_data(labels.data * 3, "ZYX")  # 3 and 6
    write_labels(tmp_path / "mask.dcm", labels)
    found = read_labels(tmp_path / "mask.dcm")
    assert_same(found, labels)
    assert found.source["classes"][6].name == "label 6"


def test_an_empty_mask(tmp_path: Path, ct: tuple[Volume, list[Path]]) -> None:
    labels = ct[0].with_data(np.zeros(PIXELS.shape, np.uint8), "ZYX")
    write_labels(tmp_path / "mask.dcm", labels, classes=CLASSES)
    assert_same(read_labels(tmp_path / "mask.dcm"), labels)


def test_sheared_slices(tmp_path: Path) -> None:
    files = series(tmp_path / "ct", PIXELS, step=(0, 0.7, 2))
    labels = labels_on(read(tmp_path / "ct"))
    write_labels(tmp_path / "mask.dcm", labels, classes=CLASSES)
    assert_same(read_labels(tmp_path / "mask.dcm"), labels)
    check(tmp_path / "mask.dcm", files)


def test_enhanced_files(tmp_path: Path) -> None:
    order = [3, 0, 4, 1, 2]
    positions = [(0.0, 0.0, 2.5 * height) for height in order]
    path = save(tmp_path / "enhanced", enhanced(PIXELS[order], positions, [1, 0, 0, 0, 1, 0]))
    labels = labels_on(read(path))
    write_labels(tmp_path / "mask.dcm", labels, classes=CLASSES)
    assert_same(read_labels(tmp_path / "mask.dcm"), labels)
    check(tmp_path / "mask.dcm", [path])


def test_one_time_point_refers_to_its_own_images(tmp_path: Path) -> None:
    files = [
        series(tmp_path / "mr" / str(time), PIXELS + time, kind=MR, Modality="MR",
               TemporalPositionIdentifier=time)
        for time in (1, 2, 3)
    ]  # fmt: skip
    moving = read(tmp_path / "mr")
    labels = labels_on(moving.frame(1))
    write_labels(tmp_path / "mask.dcm", labels, classes=CLASSES)
    assert_same(read_labels(tmp_path / "mask.dcm"), labels)
    check(tmp_path / "mask.dcm", files[1])
    # The only time point with labels is found.
    at_last = np.zeros(moving.data.shape, np.uint8)
    at_last[2] = labels.data
    write_labels(tmp_path / "last.dcm", moving.with_data(at_last, "TZYX"), classes=CLASSES)
    assert np.array_equal(read_labels(tmp_path / "last.dcm").data, labels.data)
    check(tmp_path / "last.dcm", files[2])
    with pytest.raises(InputError, match="holds labels at 3 time points"):
        write_labels(tmp_path / "b.dcm", moving.with_data(moving.data % 2, "TZYX"))


def test_a_frame_of_a_film(tmp_path: Path) -> None:
    dataset = put_pixels(header(ULTRASOUND_FILM, Modality="US"), PIXELS.astype(np.uint8), frames=5)
    del dataset.FrameOfReferenceUID
    film = read(save(tmp_path / "film.dcm", dataset))
    assert film.axes == "TYX"
    labels = labels_on(film.frame(3))
    write_labels(tmp_path / "mask.dcm", labels, classes=CLASSES)
    assert_same(read_labels(tmp_path / "mask.dcm"), labels)
    for frame in dcmread(tmp_path / "mask.dcm").PerFrameFunctionalGroupsSequence:
        [source] = frame.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedSOPInstanceUID == dataset.SOPInstanceUID
        assert source.ReferencedFrameNumber == 4


def test_a_picture(tmp_path: Path) -> None:
    dataset = header(DIGITAL_X_RAY, Modality="DX", ImagerPixelSpacing=[0.2, 0.1])
    del dataset.FrameOfReferenceUID
    path = save(tmp_path / "a.dcm", put_pixels(dataset, volume_numbers((6, 7), "uint16")))
    labels = labels_on(read(path))
    write_labels(tmp_path / "mask.dcm", labels, classes=CLASSES)
    found = read_labels(tmp_path / "mask.dcm")
    assert_same(found, labels)
    assert found.units == "mm"
    [source] = (
        dcmread(tmp_path / "mask.dcm").PerFrameFunctionalGroupsSequence[0]
        .DerivationImageSequence[0].SourceImageSequence
    )  # fmt: skip
    assert source.ReferencedSOPInstanceUID == dcmread(path).SOPInstanceUID


def test_a_mask_that_was_read_can_be_written_again(
    tmp_path: Path, ct: tuple[Volume, list[Path]]
) -> None:
    first = tmp_path / "ct" / "mask.dcm"
    write_labels(first, labels_on(ct[0]), classes=CLASSES)
    opened = read_labels(first)
    edited = opened.with_data(2 - opened.data, "ZYX")
    write_labels(tmp_path / "edited.dcm", edited, classes=opened.source["classes"])
    assert_same(read_labels(tmp_path / "edited.dcm"), edited)
    check(tmp_path / "edited.dcm", ct[1])
    alone = tmp_path / "elsewhere" / "mask.dcm"
    alone.parent.mkdir()
    first.rename(alone)
    with pytest.raises(InputError, match=r"are not in.*elsewhere.*mask\.dcm"):
        write_labels(tmp_path / "b.dcm", read_labels(alone))


def test_a_mask_in_the_folder_does_not_hide_the_images(
    tmp_path: Path, ct: tuple[Volume, list[Path]]
) -> None:
    write_labels(tmp_path / "ct" / "mask.dcm", labels_on(ct[0]), classes=CLASSES)
    assert np.array_equal(read(tmp_path / "ct").data, PIXELS)
    assert "mask.dcm" in " ".join(dicom.survey(tmp_path / "ct").notes())


# What cannot be written


def test_masks_of_other_images_are_refused(tmp_path: Path) -> None:
    labels = Volume.from_array(np.ones((2, 3, 4), np.uint8), "ZYX", (1, 1, 1), "hand-made")
    with pytest.raises(InputError, match=r'"hand-made" was not made for a DICOM.*\.nii\.gz'):
        write_labels(tmp_path / "a.dcm", labels)
    assert list(tmp_path.iterdir()) == []


def test_images_are_refused(tmp_path: Path, ct: tuple[Volume, list[Path]]) -> None:
    with pytest.raises(InputError, match="only a mask can"):
        write(tmp_path / "a.dcm", ct[0])


def test_masks_on_another_grid_are_refused(tmp_path: Path, ct: tuple[Volume, list[Path]]) -> None:
    volume = ct[0]
    labels = labels_on(volume)
    smaller = Volume(labels.data[:, 1:], "ZYX", labels.affine, "mm", "x", volume.source)
    fewer = Volume(labels.data[1:], "ZYX", labels.affine, "mm", "x", volume.source)
    moved = Volume(labels.data, "ZYX", labels.affine + np.eye(4)[0], "mm", "x", volume.source)
    for other in (smaller, fewer, moved):
        with pytest.raises(InputError, match="does not lie on the grid"):
            write_labels(tmp_path / "a.dcm", other)


def test_images_that_are_gone_are_named(tmp_path: Path, ct: tuple[Volume, list[Path]]) -> None:
    ct[1][2].unlink()
    with pytest.raises(InputError, match=rf"{ct[1][2].name}.*put them back"):
        write_labels(tmp_path / "a.dcm", labels_on(ct[0]))


def test_pages_without_a_place_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        dataset = header(SECONDARY, Modality="OT", InstanceNumber=number)
        del dataset.FrameOfReferenceUID
        save(tmp_path / "sc" / str(number), put_pixels(dataset, PIXELS[number]))
    with pytest.raises(InputError, match=r"lack what that needs.*\.nii\.gz"):
        write_labels(tmp_path / "a.dcm", labels_on(read(tmp_path / "sc")))


def test_too_many_labels(tmp_path: Path, ct: tuple[Volume, list[Path]]) -> None:
    labels = ct[0].with_data(np.full(PIXELS.shape, 300, np.uint16), "ZYX")
    with pytest.raises(InputError, match=r"label 300.*at most 255"):
        write_labels(tmp_path / "a.dcm", labels)


def test_a_file_that_does_not_come_back_is_not_put_in_place(
    tmp_path: Path, ct: tuple[Volume, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = labels_on(ct[0])
    target = tmp_path / "mask.dcm"
    target.write_bytes(b"old")
    original = dicom.write_labels

    def lose_a_pixel(path: Path, *rest: object) -> Volume:
        written = original(path, *rest)
        stored = dcmread(path)
        stored.PixelData = bytes([stored.PixelData[0] ^ 1]) + stored.PixelData[1:]
        stored.save_as(path)
        return written

    monkeypatch.setattr(dicom, "write_labels", lose_a_pixel)
    with pytest.raises(WriteError, match="was not written"):
        write_labels(target, labels, overwrite=True, classes=CLASSES)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "mask.dcm"]
