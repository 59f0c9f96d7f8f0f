"""A real abdominal CT (CHAOS) in shuffled order, against its liver reference and other readers."""

import random
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK
from PIL import Image
from pydicom import dcmread

from napari_lgmsnet.core.info import named_classes
from napari_lgmsnet.core.io import MadeBy, dicom, read, read_labels, write_labels
from napari_lgmsnet.core.types import Volume


@pytest.fixture(scope="module")
def original(datasets: Path) -> Path:
    folder = datasets / "chaos_ct_dicom"
    if not folder.is_dir():
        pytest.skip(f'needs the folder "{folder}"')
    return folder


@pytest.fixture(scope="module")
def shuffled(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """The slices under new names in another order; each with its reference picture."""
    slices = sorted((original / "DICOM_anon").glob("*.dcm"))
    references = sorted((original / "Ground").glob("*.png"))
    names = [f"IM{number:04}" for number in range(len(slices))]
    random.Random(0).shuffle(names)
    folder = tmp_path_factory.mktemp("shuffled")
    files = {}
    for name, file, reference in zip(names, slices, references, strict=True):
        (folder / name).symlink_to(file)
        files[folder / name] = reference
    (folder / "Ground truth.txt").write_text("no DICOM")
    return files


@pytest.fixture(scope="module")
def volume(shuffled: dict[Path, Path]) -> Volume:
    return read(next(iter(shuffled)).parent)


@pytest.fixture(scope="module")
def liver(volume: Volume, shuffled: dict[Path, Path]) -> Volume:
    """The reference, in the order that the volume says its slices have."""
    pages = [np.asarray(Image.open(shuffled[path])) > 0 for path in volume.source["paths"]]
    return volume.with_data(np.array(pages, dtype=np.uint8), "ZYX", "liver")


def test_order_place_and_numbers_are_those_of_another_reader(volume: Volume) -> None:
    reader = SimpleITK.ImageSeriesReader()
    folder = str(volume.source["path"])
    names = reader.GetGDCMSeriesFileNames(folder, reader.GetGDCMSeriesIDs(folder)[0])
    assert [Path(name) for name in names] == list(volume.source["paths"])
    reader.SetFileNames(names)
    image = reader.Execute()
    assert np.array_equal(SimpleITK.GetArrayViewFromImage(image), volume.data)
    assert volume.data.dtype.kind == "i"
    for corner in np.ndindex(2, 2, 2):
        index = np.array(corner) * (np.array(volume.data.shape) - 1)
        expected = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        place = volume.affine @ [*index, 1]
        assert np.abs(place[:3] - expected[::-1]).max() < 1e-4


def test_hounsfield_units_and_order_fit_the_reference(volume: Volume, liver: Volume) -> None:
    heights = [float(dcmread(path).ImagePositionPatient[2]) for path in volume.source["paths"]]
    assert heights == sorted(heights)
    inside = volume.data[liver.data > 0]
    assert 80 < np.median(inside) < 180  # liver with contrast
    assert volume.data.min() == -1000
    # In reversed order the reference lies on other organs.
    wrong = volume.data[::-1][liver.data > 0]
    assert np.std(wrong) > 2 * np.std(inside)


def test_list_says_what_it_is(shuffled: dict[Path, Path]) -> None:
    [one] = dicom.list_series(next(iter(shuffled)).parent)
    assert (one.modality, one.number, one.rows, one.columns, one.images) == ("CT", 4, 512, 512, 78)


def test_reference_as_dicom_seg(
    tmp_path: Path, volume: Volume, liver: Volume, shuffled: dict[Path, Path]
) -> None:
    path = tmp_path / "liver.dcm"
    write_labels(path, liver, classes=named_classes(["liver"]), made_by=MadeBy("reference"))
    found = read_labels(path)
    assert np.array_equal(found.affine, volume.affine)
    assert np.array_equal(found.data, liver.data)
    overlap = 2 * np.sum((found.data > 0) & (liver.data > 0))
    assert overlap / (np.sum(found.data > 0) + np.sum(liver.data > 0)) == 1  # Dice
    # Others accept it, and everything it refers to exists.
    stored = dcmread(path)
    images = {image.SOPInstanceUID: image for image in map(dcmread, shuffled)}
    assert stored.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    [referenced] = stored.ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence} == set(
        images
    )
    first = next(iter(images.values()))
    assert referenced.SeriesInstanceUID == first.SeriesInstanceUID
    assert stored.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert stored.StudyInstanceUID == first.StudyInstanceUID
    for frame in stored.PerFrameFunctionalGroupsSequence:
        [source] = frame.DerivationImageSequence[0].SourceImageSequence
        image = images[source.ReferencedSOPInstanceUID]
        assert source.ReferencedSOPClassUID == image.SOPClassUID
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == image.ImagePositionPatient
    seg = highdicom.seg.Segmentation.from_dataset(stored)
    assert seg.segment_numbers == [1]
    by_image = seg.get_pixels_by_source_instance(
        [image.SOPInstanceUID for image in map(dcmread, volume.source["paths"])],
        combine_segments=True,
    )
    assert np.array_equal(by_image, liver.data)


def test_another_reader_puts_the_mask_over_the_image(
    tmp_path: Path, volume: Volume, liver: Volume
) -> None:
    write_labels(tmp_path / "liver.nii.gz", liver)
    mask = SimpleITK.ReadImage(str(tmp_path / "liver.nii.gz"))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in volume.source["paths"]])
    image = reader.Execute()
    for index in ([0, 0, 0], [511, 0, 77], [3, 511, 40]):
        one = np.array(mask.TransformIndexToPhysicalPoint(index))
        assert np.abs(one - image.TransformIndexToPhysicalPoint(index)).max() < 1e-4
    assert np.array_equal(SimpleITK.GetArrayViewFromImage(mask), liver.data)
