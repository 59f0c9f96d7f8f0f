"""What a training changed on a held-out volume, shown in a real viewer."""

import numpy as np
import pytest

from napari_lgmsnet import Volume
from napari_lgmsnet.adapters.changes import show_change
from napari_lgmsnet.core.finetune import CaseChange

# Its axes run along x, y and z: a viewer shows them the other way round.
SAGITTAL = np.array([[0, 0, 2.0, 5], [0, 1.5, 0, -3], [3.0, 0, 0, 7], [0, 0, 0, 1]])


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


def changed_in(plane: int) -> CaseChange:
    random = np.random.default_rng(plane)
    change = np.zeros((8, 9, 10), np.uint8)
    change[:, :, plane] = 1
    image = random.normal(size=change.shape).astype(np.float32)
    volume = Volume(image, "ZYX", affine=SAGITTAL, units="mm", name="scan")
    return CaseChange("scan", volume, change, change, change)


def test_a_volume_is_shown_where_it_changed(viewer):
    viewer.add_image(np.zeros((30, 30, 30)), name="other")
    for plane in (7, 2):
        given = changed_in(plane)
        image, labels = show_change(viewer, given)
        assert [one.name for one in viewer.layers] == ["other", "scan held out", "scan learnt"]
        assert np.array_equal(image.extent.world, labels.extent.world)
        [axis] = viewer.dims.not_displayed
        index = labels.world_to_data(viewer.dims.point)
        assert labels.data.sum() == given.change.sum()
        assert labels.data.take(round(index[axis]), axis=axis).all(), "the slice that changed"


def test_nothing_changed_shows_the_middle(viewer):
    given = changed_in(7)
    given.change[:] = 0
    _, labels = show_change(viewer, given)
    [axis] = viewer.dims.not_displayed
    assert round(labels.world_to_data(viewer.dims.point)[axis]) == labels.data.shape[axis] // 2
