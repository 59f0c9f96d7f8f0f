"""napari's own Save, through this package's writers, in a real viewer."""

from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels
from npe2 import PluginManifest
from PIL import Image as Picture
from qtpy.QtWidgets import QFileDialog

import napari_lgmsnet
from napari_lgmsnet.adapters import saving, writers
from napari_lgmsnet.adapters.layers import affine_of, geometry_of, source_of
from napari_lgmsnet.adapters.results import METADATA, colormap_of, features_of
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.info import named_classes
from napari_lgmsnet.core.io import WRITABLE, read, read_labels
from napari_lgmsnet.core.io.labels import MadeBy
from tests.core import dicoms

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

PLUGIN = "napari-lgmsnet"
MANIFEST = Path(napari_lgmsnet.__file__).with_name("napari.toml")
OBLIQUE = np.array(
    [
        [0.83, -0.21, 0.40, -91.3],
        [0.30, 1.10, -0.77, 13.71],
        [-0.11, 0.36, 2.91, 70.007],
        [0, 0, 0, 1],
    ]
)
GEOMETRY = (
    *("dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
)


@pytest.fixture
def registered(plugin_settings, npe2pm):
    npe2pm.register(PluginManifest.from_file(MANIFEST))


@pytest.fixture
def viewer(registered):
    """A viewer without a window, which is much quicker to make and saves in the same way."""
    return ViewerModel()


@pytest.fixture
def window(registered, make_napari_viewer):
    # The viewer itself: its save dialog cannot be reached through the proxy.
    return make_napari_viewer()


def scan(path, affine=OBLIQUE, shape=(5, 6, 7), codes=(2, 1)):
    data = np.arange(np.prod(shape)).reshape(shape).astype(np.int16)
    image = nibabel.Nifti1Image(data, None)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)
    return path


def mask_over(viewer, image, labels=None, **metadata):
    """Add a mask as the Segment widget does."""
    shape = image.data.shape[: image.ndim]
    if labels is None:
        labels = (np.arange(np.prod(shape)).reshape(shape) % 3).astype(np.uint8)
    classes = named_classes(["front", "back"])
    mask = Labels(
        labels,
        name=f"{image.name} mask",
        colormap=colormap_of(classes),
        features=features_of(classes),
        metadata={METADATA: {"role": "mask", **metadata}, "source": source_of(image)},
        **geometry_of(image),
    )
    viewer.add_layer(mask)
    return mask


def assert_same_geometry(first, second):
    one, other = (nibabel.load(path).header for path in (first, second))
    for name in GEOMETRY:
        assert one[name].tobytes() == other[name].tobytes(), name


def save(viewer, layer, path, **more):
    viewer.layers.selection = {layer}
    return viewer.layers.save(str(path), selected=True, **more)


def test_volumes_of_every_orientation_can_be_shown(window, tmp_path):
    """napari itself gives up on a volume stored in sagittal or coronal slices."""
    for number, order in enumerate(permutations(range(3))):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, list(order)] @ np.diag([0.7, -1.3, 3.1])
        path = scan(tmp_path / f"{number}.nii", affine)
        [layer] = window.open(path, plugin=PLUGIN)
        for hidden in range(3):
            window.dims.order = (hidden, *(axis for axis in range(3) if axis != hidden))
        assert layer.data.size == 5 * 6 * 7


# --- geometry ----------------------------------------------------------------------------------


def test_48_orientations_through_the_viewer(viewer, tmp_path):
    source, target = tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        affine = np.eye(4)
        affine[:3, :3] = (np.eye(3)[:, list(order)] * signs) @ np.diag([0.7, 1.3, 3.1])
        affine[:3, 3] = [-12.3, 45.6, 7.89]
        scan(source, affine)
        [image] = viewer.open(source, plugin=PLUGIN)
        mask = mask_over(viewer, image)
        assert save(viewer, mask, target) == [str(target)]
        assert_same_geometry(source, target)
        # Every label lies where the viewer shows it.
        stored = nibabel.load(target)
        values = np.asarray(stored.dataobj)
        seen = np.indices(mask.data.shape).reshape(3, -1)
        world = affine_of(mask) @ [*seen, np.ones(seen.shape[1])]
        places = np.linalg.inv(stored.affine) @ (world[[2, 1, 0, 3]].T * (-1, -1, 1, 1)).T
        found = values[tuple(np.rint(places[:3]).astype(int))]
        assert np.array_equal(found, np.asarray(mask.data)[tuple(seen)])
        target.unlink()
        viewer.layers.clear()


@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6), (5, 6, 7, 2), (5, 6, 1)])
def test_image_comes_back_as_it_was(viewer, tmp_path, shape):
    source = scan(tmp_path / "scan.nii", shape=shape, codes=(0, 3))
    [image] = viewer.open(source, plugin=PLUGIN)
    save(viewer, image, tmp_path / "again.nii")
    assert_same_geometry(source, tmp_path / "again.nii")
    assert np.array_equal(
        nibabel.load(source).dataobj, nibabel.load(tmp_path / "again.nii").dataobj
    )
    mask = mask_over(viewer, image)
    save(viewer, mask, tmp_path / "mask.nii")
    assert_same_geometry(source, tmp_path / "mask.nii")


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_moved_layer_is_written_where_it_lies_now(viewer, tmp_path, ending):
    [image] = viewer.open(scan(tmp_path / "scan.nii"), plugin=PLUGIN)
    mask = mask_over(viewer, image)
    mask.translate = (8.0, -4.0, 2.5)
    save(viewer, mask, tmp_path / f"mask{ending}")
    found = read(tmp_path / f"mask{ending}").affine
    for index in ((0, 0, 0), (6, 5, 4)):
        np.testing.assert_allclose((found @ [*index, 1])[:3], mask.data_to_world(index), atol=1e-4)
    # Moved back, it has the source's bits again.
    mask.translate = (0, 0, 0)
    save(viewer, mask, tmp_path / "back.nii")
    assert_same_geometry(tmp_path / "scan.nii", tmp_path / "back.nii")


@pytest.mark.parametrize("unit", ["mm", "um", "pixel"])
def test_layer_without_a_file(viewer, tmp_path, unit):
    layer = viewer.add_labels(
        np.eye(4, dtype=int)[None].repeat(3, 0), scale=(5, 0.5, 2), units=(unit,) * 3,
        rotate=(0, 0, 30), axis_labels=("z", "y", "x"),
    )  # fmt: skip
    save(viewer, layer, tmp_path / "a.nii.gz")
    factor = 1e-3 if unit == "um" else 1
    volume = read_labels(tmp_path / "a.nii.gz")
    assert volume.spacing == pytest.approx((5 * factor, 0.5 * factor, 2 * factor))
    place = np.array(layer.data_to_world((2, 3, 3))) * factor
    np.testing.assert_allclose((volume.affine @ [2, 3, 3, 1])[:3], place, atol=1e-5)
    assert np.array_equal(volume.data, layer.data)


def test_series_pictures_and_pyramids(viewer, tmp_path):
    series = viewer.add_image(np.random.default_rng(0).random((2, 3, 4, 5)).astype("f4"))
    save(viewer, series, tmp_path / "series.nii.gz")
    assert read(tmp_path / "series.nii.gz").axes == "TZYX"
    film = viewer.add_labels(np.ones((3, 4, 5), int), axis_labels=("t", "y", "x"))
    save(viewer, film, tmp_path / "film.ome.tif")
    assert read(tmp_path / "film.ome.tif").axes == "TYX"
    colours = viewer.add_image(np.zeros((4, 5, 3), np.uint8), rgb=True)
    save(viewer, colours, tmp_path / "colours.png", plugin=PLUGIN)
    assert read(tmp_path / "colours.png").axes == "YXC"
    levels = [np.full((8, 8), 7, np.uint8), np.full((4, 4), 7, np.uint8)]
    pyramid = viewer.add_image(levels, multiscale=True)
    save(viewer, pyramid, tmp_path / "pyramid.nii.gz")
    assert read(tmp_path / "pyramid.nii.gz").data.shape == (8, 8)
    channels = viewer.add_image(
        np.arange(24, dtype=np.uint16).reshape(2, 3, 4), axis_labels=("c", "y", "x"),
        scale=(1, 2, 3), units=("pixel", "mm", "mm"),
    )  # fmt: skip
    save(viewer, channels, tmp_path / "channels.ome.tif")
    volume = read(tmp_path / "channels.ome.tif")
    assert (volume.axes, volume.spacing) == ("YXC", (2, 3))
    assert np.array_equal(volume.data, np.moveaxis(channels.data, 0, -1))


def test_probability_of_half_precision(viewer, tmp_path):
    values = np.linspace(0, 1, 60).reshape(3, 4, 5).astype(np.float16)
    layer = viewer.add_image(values, units=("mm",) * 3, scale=(2, 1, 1))
    for name in ("p.nii.gz", "p.ome.tif", "p.nrrd"):
        save(viewer, layer, tmp_path / name)
        volume = read(tmp_path / name)
        assert volume.data.dtype == np.float32
        assert np.array_equal(volume.data, values.astype(np.float32))
        assert volume.spacing == (2, 1, 1)


def test_what_cannot_be_saved_says_why():
    with pytest.raises(InputError, match="5 axes"):
        saving.savable(*Image(np.zeros((2, 2, 2, 2, 2))).as_layer_data_tuple())
    affine = np.eye(5)
    affine[1, 0] = 0.5
    with pytest.raises(GeometryError, match="between space and another axis"):
        saving.savable(*Image(np.zeros((2, 3, 4, 5)), affine=affine).as_layer_data_tuple())


# --- formats -----------------------------------------------------------------------------------


def test_writers_are_offered_for_what_can_be_written(registered):
    from npe2 import PluginManager

    manager = PluginManager.instance()
    for kind, missing in (("labels", set()), ("image", {".dcm"})):
        endings = {
            ending
            for writer in manager.iter_compatible_writers([kind])
            if writer.command.startswith(PLUGIN)
            for ending in writer.filename_extensions
        }
        assert endings == {*WRITABLE, ".ome.tif", ".ome.tiff", ".dcm"} - missing


@pytest.mark.parametrize(
    ("writer", "name", "made"),
    [
        (writers.labels_as_nifti, "mask", "mask.nii.gz"),
        (writers.labels_as_png, "mask", "mask.png"),
        (writers.labels_as_tiff, "mask of v1.2", "mask of v1.2.ome.tif"),
        (writers.labels_as_nrrd, "mask.MHA", "mask.MHA"),
        (writers.labels_as_nifti, "mask.png", "mask.png"),
    ],
)
def test_ending(tmp_path, writer, name, made):
    data, about, _kind = Labels(np.eye(5, dtype=np.uint8)).as_layer_data_tuple()
    assert writer(str(tmp_path / name), data, about) == [str(tmp_path / made)]
    assert np.array_equal(read_labels(tmp_path / made).data, np.eye(5))


def test_png_gets_the_colours_of_the_classes(viewer, tmp_path):
    image = viewer.add_image(np.zeros((4, 6), np.uint8))
    mask = mask_over(viewer, image)
    save(viewer, mask, tmp_path / "mask.png")
    with Picture.open(tmp_path / "mask.png") as stored:
        seen = np.asarray(stored.convert("RGB"))
    for label, one in enumerate(named_classes(["front", "back"])):
        assert (seen[mask.data == label] == one.colour).all()


def test_names_colours_and_origin_of_a_mask(viewer):
    image = viewer.add_image(np.zeros((4, 5)), name="scan")
    mask = mask_over(viewer, image, checkpoint="brain")
    content = saving.savable(*mask.as_layer_data_tuple())
    assert content.classes == named_classes(["front", "back"])
    assert content.made_by == MadeBy("brain", edited=True)
    by_hand = saving.savable(*viewer.add_labels(np.zeros((4, 5), int)).as_layer_data_tuple())
    assert (by_hand.classes, by_hand.made_by) == (None, None)


def test_negative_labels_are_refused_in_words(viewer, tmp_path):
    layer = viewer.add_labels(np.full((3, 4), -1))
    with pytest.raises(InputError, match="negative"):
        save(viewer, layer, tmp_path / "a.nii.gz")
    assert not list(tmp_path.iterdir())


ORIENTATIONS = {
    "axial": ((1, 0, 0, 0, 1, 0), (0, 0, 2)),
    "sagittal": ((0, 1, 0, 0, 0, -1), (-2, 0, 0)),
    "coronal": ((1, 0, 0, 0, 0, -1), (0, 2, 0)),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_mask_of_a_dicom_series(viewer, tmp_path, orientation):
    """The viewer exchanges the axes of sagittal and coronal series; the file must not notice."""
    pytest.importorskip("highdicom")
    directions, step = ORIENTATIONS[orientation]
    folder = tmp_path / "series"
    folder.mkdir()
    dicoms.series(
        folder,
        dicoms.volume_numbers((5, 6, 7)),
        step=step,
        orientation=directions,
    )
    [image] = viewer.open(folder, plugin=PLUGIN)
    mask = mask_over(viewer, image, (np.asarray(image.data) % 4 == 1).astype(np.uint8))
    target = saving.target_of(mask, saving.snapshot(mask, ()))
    assert target == tmp_path / "series_mask.dcm"
    save(viewer, mask, target)
    series, labels = read(folder), read_labels(target)
    assert np.array_equal(labels.data, series.data % 4 == 1)
    np.testing.assert_allclose(labels.affine, series.affine, atol=1e-9)


# --- existing files ----------------------------------------------------------------------------


def test_script_does_not_replace_a_file(viewer, tmp_path):
    layer = viewer.add_labels(np.eye(4, dtype=int))
    path = tmp_path / "a.nii.gz"
    save(viewer, layer, path)
    before = path.read_bytes()
    layer.data = layer.data * 2
    with pytest.raises(InputError, match=r"a\.nii\.gz.*exists already"):
        save(viewer, layer, path)
    assert path.read_bytes() == before


def choose_in_dialog(monkeypatch, path, words):
    """Answer napari's dialog as a person does, who has agreed to replace the file."""

    def answer(*_args, filter="", **_more):
        [chosen] = [one for one in filter.split(";;") if words in one]
        return str(path), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)


def test_dialog_of_napari_replaces_what_it_has_asked_about(window, tmp_path, monkeypatch):
    layer = window.add_labels(np.eye(4, dtype=int))
    path = tmp_path / "a.nii.gz"
    save(window, layer, path)
    layer.data = layer.data * 2
    choose_in_dialog(monkeypatch, path, "LGMSNet NIfTI (*.nii.gz *.nii)")
    dialog = window.window._qt_viewer._save_layers_dialog
    assert dialog.__name__ == writers.DIALOG
    dialog(selected=True)
    assert read_labels(path).data.max() == 2
    # It asked about "a", not about the file with the ending that is added.
    choose_in_dialog(monkeypatch, tmp_path / "a", "LGMSNet NIfTI (*.nii.gz *.nii)")
    layer.data = layer.data * 2
    with pytest.raises(InputError, match="exists already"):
        dialog(selected=True)
    choose_in_dialog(monkeypatch, tmp_path / "new", "LGMSNet OME-TIFF")
    dialog(selected=True)
    assert tifffile.imread(tmp_path / "new.ome.tif").max() == 4


def test_mask_never_replaces_its_image(window, tmp_path, monkeypatch):
    source = scan(tmp_path / "scan.nii")
    before = source.read_bytes()
    [image] = window.open(source, plugin=PLUGIN)
    mask = mask_over(window, image, checkpoint="brain")
    choose_in_dialog(monkeypatch, source, "LGMSNet NIfTI (*.nii.gz *.nii)")
    window.layers.selection = {mask}
    with pytest.raises(InputError, match="the image itself"):
        window.window._qt_viewer._save_layers_dialog(selected=True)
    assert source.read_bytes() == before
