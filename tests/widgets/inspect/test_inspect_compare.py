"""Another checkpoint on the same image."""

import numpy as np
import pytest
import torch

from napari_lgmsnet.adapters.inspect_layers import DIFFERENCE, FEATURES, OTHER
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.core import checkpoints
from tests.widgets.inspect.helpers import choose, maps_of


def test_two_checkpoints_side_by_side(looked, settle, viewer, picture, checkpoint_2d, tmp_path):
    widget = looked
    section = widget.comparison
    mask = viewer.add_labels(
        (picture > 150).astype(np.uint8),
        name="truth",
        scale=(0.5, 2.0),
        translate=(3, -4),
        rotate=20,
    )
    widget.choice.masks.choose(mask)
    settle(widget)
    # The same checkpoint differs in nothing.
    section.checkpoint.choose(checkpoint_2d)
    section.compare.click()
    settle(widget)
    assert np.allclose(section.answer.difference.data, 0, atol=1e-6)
    assert section.answer.correlation == pytest.approx(1)
    other = tmp_path / "other.safetensors"
    model = checkpoints.load(checkpoint_2d)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(1.2)
    checkpoints.save(other, model)
    section.checkpoint.choose(str(other))
    section.compare.click()
    settle(widget)
    [difference] = maps_of(viewer, DIFFERENCE)
    assert difference.visible
    assert np.abs(section.answer.difference.data).max() > 1e-3
    assert section.table.rowCount() == 2
    choose(section.shown, OTHER)
    [second] = maps_of(viewer, OTHER)
    [first] = maps_of(viewer, FEATURES)
    assert second.visible
    assert not first.visible
    assert not difference.visible
    assert np.allclose(affine_of(second), affine_of(first))
    assert np.allclose(first.data + difference.data, second.data, atol=1e-4)
