"""The proof that a mask lies where its image lies: read, run a network, write, and measure.

nibabel turns the images, and SimpleITK, which shares no code with it, says where voxels lie.
"""

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.core.helpers import small_model

from napari_lgmsnet.core.inference import predict
from napari_lgmsnet.core.io import read, write_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.types import Volume

sitk = pytest.importorskip("SimpleITK")

ORIENTATIONS = [
    list(zip(order, signs, strict=True))
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3))
]
GEOMETRY = (
    *("dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
)
MILLIMETRES = 1e-4


@pytest.fixture(scope="module")
def model() -> Model:
    """A real network with random weights, which turns every volume to RAS."""
    return small_model(3, out_channels=3, seed=3, orientation="RAS")


def save(path: Path, data: np.ndarray, affine: np.ndarray, sform: int = 1, qform: int = 1) -> None:
    image = nibabel.Nifti1Image(data, None)
    image.set_qform(affine, qform)
    image.set_sform(affine, sform)
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)


def segment(model: Model, source: Path, target: Path) -> np.ndarray:
    """Make a mask as the command line and the window do, and return it as nibabel reads it."""
    prediction = predict(model, read(source), device="cpu")
    write_labels(target, prediction.label_volume(), overwrite=True)
    stored = np.asarray(nibabel.load(target).dataobj)
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, prediction.labels.T)
    return stored


def assert_same_header(source: Path, mask: Path) -> None:
    """The two headers say the same of geometry, to the last bit."""
    one, other = (nibabel.load(path).header for path in (source, mask))
    for name in GEOMETRY:
        assert one[name].tobytes() == other[name].tobytes(), name
    assert nibabel.load(source).affine.tobytes() == nibabel.load(mask).affine.tobytes()


def centres(path: Path) -> np.ndarray:
    """Return where SimpleITK puts every voxel centre, in mm, z slowest."""
    image = sitk.ReadImage(str(path))
    indices = np.stack(np.meshgrid(*map(np.arange, image.GetSize()), indexing="ij"), -1)
    points = [
        image.TransformIndexToPhysicalPoint(tuple(map(int, index)))
        for index in indices.reshape(-1, 3)
    ]
    return np.array(points).reshape(indices.shape)


def between_the_forms(path: Path) -> float:
    """Return how far apart, in mm, the two forms of a header put the last voxel.

    Where a file has both, SimpleITK may go by the quaternion, of 32 bits and so a little off.
    """
    header: Any = nibabel.load(path).header
    if not (header["sform_code"] and header["qform_code"]):
        return 0.0
    last = [*(np.array(header.get_data_shape()) - 1), 1]
    return float((np.abs(header.get_qform() - header.get_sform())[:3] @ last).max())


def assert_at_the_same_place(source: Path, mask: Path, slack: float = 0.0) -> None:
    """SimpleITK puts each voxel of both, and our own reader puts it there as well."""
    image, labels = centres(source), centres(mask)
    assert np.abs(image - labels).max() <= MILLIMETRES
    volume = read(mask)
    indices = np.stack(np.meshgrid(*map(np.arange, volume.spatial_shape), indexing="ij"), -1)
    ours = indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    apart = np.abs(ours.transpose(2, 1, 0, 3)[..., ::-1] - labels).max()
    assert apart <= MILLIMETRES + slack


def test_all_48_axis_orders_and_flips(tmp_path: Path, model: Model) -> None:
    """One body, stored in 48 ways, gets one and the same mask, at one place."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [8, -11, 5], degrees=True).as_matrix()
    affine[:3, :3] *= [0.7, 1.3, 3.1]
    affine[:3, 3] = [-12.3, 45.6, 7.89]
    data = np.random.default_rng(0).normal(100, 30, (9, 6, 7)).astype(np.float32)
    body = nibabel.Nifti1Image(data, affine)
    source, mask = tmp_path / "image.nii", tmp_path / "mask.nii.gz"
    expected = None
    for orientation in ORIENTATIONS:
        turned = body.as_reoriented(np.array(orientation))
        save(source, np.asarray(turned.dataobj), turned.affine)
        stored = segment(model, source, mask)
        assert_same_header(source, mask)
        assert_at_the_same_place(source, mask)
        upright = nibabel.as_closest_canonical(nibabel.Nifti1Image(stored, turned.affine))
        assert np.allclose(upright.affine, affine, atol=1e-5)
        expected = np.asarray(upright.dataobj) if expected is None else expected
        assert np.array_equal(upright.dataobj, expected)
    assert expected is not None
    assert len(np.unique(expected)) == 3  # the network said something


places = st.floats(-500, 500).map(lambda x: round(x, 3))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    angles=st.tuples(*[st.integers(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 6).map(lambda x: round(x, 4))] * 3),
    mirrored=st.booleans(),
    origin=st.tuples(places, places, places),
    shape=st.tuples(*[st.integers(1, 11)] * 3),
    # What each form is said to be; the standard allows to give just one.
    codes=st.sampled_from([(1, 1), (2, 1), (1, 0), (0, 1), (4, 2)]),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
)
def test_any_oblique_anisotropic_volume(
    tmp_path: Path,
    model: Model,
    angles: tuple[int, ...],
    spacing: tuple[float, ...],
    mirrored: bool,
    origin: tuple[float, ...],
    shape: tuple[int, ...],
    codes: tuple[int, int],
    suffix: str,
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    if mirrored:
        affine[:3, 0] *= -1
    data = np.random.default_rng(1).normal(100, 30, shape).astype(np.float32)
    source, mask = tmp_path / f"image{suffix}", tmp_path / f"mask{suffix}"
    save(source, data, affine, *codes)
    segment(model, source, mask)
    assert_same_header(source, mask)
    assert_at_the_same_place(source, mask, slack=between_the_forms(source))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    angles=st.tuples(*[st.integers(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 6).map(lambda x: round(x, 4))] * 3),
    origin=st.tuples(places, places, places),
)
@example((10, 10, -178), (2.0, 5.875, 2.0), (0.0, 0.0, 0.0))
def test_volume_that_never_was_a_file(
    tmp_path: Path,
    angles: tuple[int, ...],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
) -> None:
    """A header that is made anew says one thing only, though a program may read either form."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    shape = (40, 3, 100)
    volume = Volume(np.zeros(shape, np.uint8), "ZYX", affine, "mm")
    write_labels(tmp_path / "mask.nii", volume, overwrite=True)
    assert between_the_forms(tmp_path / "mask.nii") <= MILLIMETRES
    image = sitk.ReadImage(str(tmp_path / "mask.nii"))
    for corner in product(*((0, size - 1) for size in shape)):
        place = image.TransformIndexToPhysicalPoint(corner[::-1])
        expected = affine @ [*corner, 1]
        np.testing.assert_allclose(place[::-1], expected[:3], rtol=0, atol=MILLIMETRES)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shear=st.tuples(*[st.floats(-0.5, 0.5).map(lambda x: round(x, 3))] * 3))
def test_sheared_volume(tmp_path: Path, model: Model, shear: tuple[float, ...]) -> None:
    """SimpleITK refuses shears or leaves them out: nibabel measures, where it cannot."""
    affine = np.diag([0.8, 1.1, 2.5, 1.0])
    affine[[0, 0, 1], [1, 2, 2]] = shear
    affine[:3, 3] = [10, -20, 30]
    source, mask = tmp_path / "image.nii", tmp_path / "mask.nii"
    save(source, np.random.default_rng(2).normal(size=(5, 7, 6)).astype("f4"), affine, qform=0)
    segment(model, source, mask)
    assert_same_header(source, mask)
    answers = []
    for path in (source, mask):
        try:
            answers.append(centres(path))
        except RuntimeError as error:
            answers.append(str(error).split("ITK ERROR")[-1].split(":")[-1])
    if isinstance(answers[0], str):
        assert answers[0] == answers[1]
    else:
        assert np.array_equal(answers[0], answers[1])


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii.gz"])
@pytest.mark.parametrize("given_as", [".nrrd", ".mha", ".nii.gz"])
def test_mask_in_another_format(tmp_path: Path, model: Model, given_as: str, ending: str) -> None:
    """An image of one format and its mask of another lie at the same place for SimpleITK."""
    image = sitk.GetImageFromArray(
        np.random.default_rng(3).normal(100, 30, (6, 9, 7)).astype(np.float32)
    )
    turn = Rotation.from_euler("xyz", [40, -70, 120], degrees=True).as_matrix()
    image.SetDirection(turn.ravel().tolist())
    image.SetSpacing((0.6, 0.9, 3.3))
    image.SetOrigin((-112.5, 73.125, 401.75))
    source, mask = tmp_path / f"image{given_as}", tmp_path / f"mask{ending}"
    sitk.WriteImage(image, str(source))
    write_labels(mask, predict(model, read(source), device="cpu").label_volume())
    assert np.abs(centres(source) - centres(mask)).max() <= MILLIMETRES
    assert_at_the_same_place(source, mask)


def real_files(datasets: Path) -> list[Path]:
    names = ("ct_mr_examples", "spinal_cord_t2")
    return [path for name in names for path in sorted((datasets / name).rglob("*.nii.gz"))]


def test_real_scans(tmp_path: Path, datasets: Path) -> None:
    files = real_files(datasets)
    if not files:
        pytest.skip("needs ct_mr_examples or spinal_cord_t2")
    for source in files:
        volume, image = read(source), nibabel.load(source)
        labels = (np.asarray(volume.data) > np.median(volume.data)).astype(np.uint8)
        mask = tmp_path / f"mask of {source.name}"
        write_labels(mask, volume.with_data(labels, volume.axes), overwrite=True)
        assert_same_header(source, mask)
        data = np.asarray(image.dataobj)
        assert np.array_equal(np.asarray(nibabel.load(mask).dataobj), data > np.median(data))
        first, second = sitk.ReadImage(str(source)), sitk.ReadImage(str(mask))
        corners = list(product(*((0, size - 1) for size in first.GetSize())))
        for corner in corners:
            place = first.TransformIndexToPhysicalPoint(corner)
            other = second.TransformIndexToPhysicalPoint(corner)
            ours = volume.affine @ [*corner[::-1], 1]
            np.testing.assert_allclose(place, other, rtol=0, atol=MILLIMETRES)
            np.testing.assert_allclose(place, ours[2::-1], rtol=0, atol=MILLIMETRES, err_msg=source)


def test_real_reference_masks_lie_on_their_images(datasets: Path) -> None:
    """What people drew in other programs lies, for our reader, where their image lies."""
    pairs: list[Any] = [
        ("spinal_cord_t2/t2.nii.gz", "spinal_cord_t2/t2_seg-manual.nii.gz"),
        ("ct_mr_examples/example_ct_sm.nii.gz", "ct_mr_examples/example_seg.nii.gz"),
        ("ct_mr_examples/example_mr_sm.nii.gz", "ct_mr_examples/example_seg_mr.nii.gz"),
    ]
    pairs = [(datasets / a, datasets / b) for a, b in pairs if (datasets / a).is_file()]
    if not pairs:
        pytest.skip("needs ct_mr_examples or spinal_cord_t2")
    for image, mask in pairs:
        np.testing.assert_allclose(read(image).affine, read(mask).affine, rtol=0, atol=1e-3)
