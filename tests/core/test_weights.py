"""The weights that ship segment the samples that ship."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.samples import listed, score

AT_LEAST = {"colin27-axial": 0.95, "colin27-slices": 0.90, "colin27-hippocampus": 0.60}
"""Dice; AAL draws the hippocampus so wide that a perfect mask reaches 0.6 to 0.75."""


@pytest.mark.parametrize("name", listed())
def test_samples_are_segmented(name: str) -> None:
    sample, folder = listed()[name], resource_folder("sample_data")
    image = read(folder / sample["image"])
    prediction = predict(load(sample["checkpoint"]), image)
    reference = np.asarray(read_labels(folder / sample["reference"]).data)
    scores = score(sample, prediction.labels, reference, prediction.info)
    assert min(scores.values()) >= AT_LEAST[name]
    assert np.array_equal(prediction.label_volume().affine, image.affine)
