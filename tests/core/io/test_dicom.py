"""Series of slices: their order, their place in space and their numbers."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.core.dicoms import (
    MR,
    SECRETS,
    enhanced,
    save,
    series,
    slice_of,
    volume_numbers,
)

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io import dicom, read

PIXELS = volume_numbers((5, 3, 4))


def with_itk(files: list[Path]) -> SimpleITK.Image:
    """Read slices with another program, which sorts by position as well."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    return reader.Execute()


def itk_place(image: SimpleITK.Image, z: float, y: float, x: float) -> np.ndarray:
    return np.array(image.TransformContinuousIndexToPhysicalPoint([float(x), float(y), float(z)]))[
        ::-1
    ]


@pytest.mark.parametrize("shuffle", range(3))
def test_slices_are_ordered_by_place_and_not_by_name_or_number(
    tmp_path: Path, shuffle: int
) -> None:
    files = series(tmp_path, PIXELS, shuffle=shuffle)
    assert sorted(files) != files
    volume = read(tmp_path)
    assert volume.axes == "ZYX"
    assert volume.units == "mm"
    assert np.array_equal(volume.data, PIXELS)
    assert volume.source["paths"] == tuple(files)
    assert volume.spacing == (2.0, 0.5, 0.25)
    assert np.array_equal(volume.affine[:3, 3], [30.5, 20, -10])


def test_slices_listed_from_the_head_down_are_turned_around(tmp_path: Path) -> None:
    files = series(tmp_path, PIXELS, step=(0, 0, -2))
    volume = read(tmp_path)
    assert np.array_equal(volume.data, PIXELS[::-1])
    assert volume.source["paths"] == tuple(files[::-1])
    assert volume.affine[0, 0] == 2


@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 5)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    shape=st.tuples(*[st.integers(2, 6)] * 3),
    seed=st.integers(0, 100),
)
def test_oblique_series_lie_where_another_reader_puts_them(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, ...],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    shape: tuple[int, ...],
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("oblique")
    columns, rows, normal = Rotation.from_euler("xyz", angles, degrees=True).as_matrix().T
    pixels = np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.int16)
    series(
        folder, pixels, normal * spacing[0], origin, seed,
        orientation=(*columns, *rows), spacing=spacing[1:],
    )  # fmt: skip
    volume = read(folder)
    image = with_itk(list(volume.source["paths"]))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume.data)
    assert np.array_equal(volume.data, pixels)
    for corner in np.ndindex(2, 2, 2):
        z, y, x = np.array(corner) * (np.array(shape) - 1)
        place = volume.affine @ [z, y, x, 1]
        assert np.abs(place[:3] - itk_place(image, z, y, x)).max() < 1e-4


def test_tilted_gantry_keeps_its_shear(tmp_path: Path) -> None:
    step = np.array([0.0, 0.7, 2.0])  # not along the normal
    series(tmp_path, PIXELS, step=step)
    volume = read(tmp_path)
    assert np.array_equal(volume.data, PIXELS)
    for place in range(5):
        first_pixel = volume.affine @ [place, 0, 0, 1]
        assert np.allclose(first_pixel[:3], (np.array([-10, 20, 30.5]) + place * step)[::-1])


def test_rounded_positions_are_even_enough(tmp_path: Path) -> None:
    for place, height in enumerate((0.0, 0.6, 1.3, 1.9, 2.5)):  # steps of 0.625
        save(tmp_path / str(place), slice_of(PIXELS[place], (0, 0, height)))
    assert read(tmp_path).spacing[0] == pytest.approx(0.625)


def test_one_slice_is_a_thin_volume_at_its_place(tmp_path: Path) -> None:
    save(tmp_path / "a", slice_of(PIXELS[0], (1, 2, 3)))
    for path in (tmp_path, tmp_path / "a"):
        volume = read(path)
        assert volume.axes == "ZYX"
        assert np.array_equal(volume.data[0], PIXELS[0])
        assert volume.spacing == (5, 0.5, 0.25)
        assert np.array_equal(volume.affine[:3, 3], [3, 2, 1])


def test_a_file_is_taken_by_itself(tmp_path: Path) -> None:
    files = series(tmp_path, PIXELS)
    assert np.array_equal(read(files[3]).data, PIXELS[3:4])


def test_planes_can_be_decoded_one_by_one(tmp_path: Path) -> None:
    series(tmp_path, PIXELS, RescaleSlope="0.5", RescaleIntercept="-3")
    opened = dicom.open_series(tmp_path)
    assert opened.shape == PIXELS.shape
    assert opened.dtype == np.float32
    whole = opened.read().data
    for index in range(5):
        plane = opened.plane(index)
        assert plane.dtype == opened.dtype
        assert np.array_equal(plane, whole[index])


def test_large_series_can_stay_in_their_files(tmp_path: Path) -> None:
    for time in (1, 2):
        about = {"TemporalPositionIdentifier": time, "RescaleSlope": "0.5"}
        files = series(tmp_path / str(time), PIXELS + time, RescaleIntercept="0", **about)
    volume, whole = read(tmp_path, lazy=True), read(tmp_path)
    assert volume.is_lazy
    assert volume.data.dtype == whole.data.dtype
    assert np.array_equal(volume.affine, whole.affine)
    assert np.array_equal(volume.loaded().data, whole.data)
    part = (slice(1, 2), slice(1, 4), slice(0, 2), slice(2, 3))
    assert np.array_equal(np.asarray(volume.data[part]), whole.data[part])
    # Only the slice that is asked for is read.
    for file in files[:3]:
        file.unlink()
    assert np.array_equal(np.asarray(volume.data[1, 4]), whole.data[1, 4])
    with pytest.raises(FileFormatError, match="can no longer be opened"):
        np.asarray(volume.data[1, 0])


def test_large_enhanced_files_can_stay_in_their_files(tmp_path: Path) -> None:
    positions = [(0, 0, 4 - height) for height in range(5)]
    path = save(tmp_path / "a", enhanced(PIXELS, positions, [1, 0, 0, 0, 1, 0]))
    volume = read(path, lazy=True)
    assert volume.is_lazy
    assert np.array_equal(volume.loaded().data, read(path).data)


def test_name_says_what_it_is(tmp_path: Path) -> None:
    series(tmp_path / "a", PIXELS, SeriesDescription="T1/T2: axial\n")
    assert read(tmp_path / "a").name == "T1 T2 axial"
    series(tmp_path / "b", PIXELS)
    assert read(tmp_path / "b").name == "CT series 3"


def test_nothing_of_the_patient_is_in_a_volume(tmp_path: Path) -> None:
    series(tmp_path, PIXELS)
    volume = read(tmp_path)
    text = repr(volume) + repr(volume.source) + volume.name + str(dicom.list_series(tmp_path))
    assert not [secret for secret in SECRETS if secret in text]


# Several images at one place


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("TemporalPositionIdentifier", [3, 1, 2]),
        ("AcquisitionNumber", [7, 8, 20]),
        ("EchoTime", ["4.6", "9.2", "13.8"]),
        ("TriggerTime", ["0", "30.5", "120"]),
        ("DiffusionBValue", [0.0, 500.0, 1000.0]),
    ],
)
def test_time_points_echoes_and_weightings_are_told_apart(
    tmp_path: Path, name: str, values: list
) -> None:
    stacks = [PIXELS + 100 * i for i in range(3)]
    for i, value in enumerate(values):
        series(tmp_path / str(i), stacks[i], shuffle=i, Modality="MR", kind=MR, **{name: value})
    volume = read(tmp_path)
    assert volume.axes == "TZYX"
    expected = [stacks[i] for i in np.argsort([float(value) for value in values])]
    assert np.array_equal(volume.data, expected)
    assert len(volume.source["paths"]) == 15
    assert np.array_equal(dicom.open_series(tmp_path).plane(6), expected[1][1])


def test_directions_of_diffusion_are_told_apart(tmp_path: Path) -> None:
    for i, direction in enumerate(([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])):
        about = {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": direction}
        series(tmp_path / str(i), PIXELS + i, Modality="MR", kind=MR, **about)
    assert read(tmp_path).data.shape == (3, 5, 3, 4)


# Several frames in one file


def test_frames_of_enhanced_files_are_ordered_and_scaled_one_by_one(tmp_path: Path) -> None:
    columns, rows, normal = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix().T
    order = [3, 0, 4, 1, 2]
    positions = [np.array([1, 2, 3]) + 2 * height * normal for height in order]
    path = tmp_path / "enhanced.dcm"
    save(path, enhanced(PIXELS[order], positions, [*columns, *rows]))
    volume = read(path)
    scale = np.argsort(order) + 1
    assert volume.axes == "ZYX"
    assert np.array_equal(volume.data, PIXELS * scale[:, None, None])
    assert volume.source["paths"] == (path,) * 5
    assert volume.source["frames"] == tuple(np.argsort(order))
    expected = np.array([1, 2, 3]) + 4 * normal + 0.5 * rows + 0.25 * 3 * columns
    assert np.allclose((volume.affine @ [2, 1, 3, 1])[2::-1], expected, rtol=0, atol=1e-9)
    assert np.array_equal(dicom.open_series(path).plane(1), volume.data[1])


def test_enhanced_files_may_hold_time_points(tmp_path: Path) -> None:
    heights, times = [0, 1, 2, 0, 1, 2], [2, 2, 2, 1, 1, 1]
    pixels = volume_numbers((6, 3, 4))
    dataset = enhanced(pixels, [(0, 0, h) for h in heights], [1, 0, 0, 0, 1, 0], times)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PixelValueTransformationSequence[0].RescaleSlope = "1"
    save(tmp_path / "enhanced.dcm", dataset)
    volume = read(tmp_path)
    assert volume.axes == "TZYX"
    assert np.array_equal(volume.data, [pixels[3:], pixels[:3]])
