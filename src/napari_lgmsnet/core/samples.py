"""The bundled samples, and how well a mask agrees with a sample's reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.resources import resource_folder


def listed() -> dict[str, dict[str, Any]]:
    """Return the samples that ship: name -> entry of sample_data/index.json."""
    text = (resource_folder("sample_data") / "index.json").read_text(encoding="utf-8")
    return {entry["name"]: entry for entry in json.loads(text)["samples"]}


def score(
    sample: Mapping[str, Any],
    labels: NDArray[np.integer],
    reference: NDArray[np.integer],
    info: ModelInfo,
) -> dict[str, float]:
    """Return the Dice coefficient for each label of a sample's reference.

    Parameters
    ----------
    sample : mapping
        Entry of sample_data/index.json; its ``reference_classes`` say which classes of the
        checkpoint make up which label of the reference.
    labels, reference : integer arrays of the same shape
    info : ModelInfo
        Of the checkpoint that made ``labels``.
    """
    from napari_lgmsnet.core.metrics import dice_per_class

    numbers = {one.name: number for number, one in enumerate(info.classes)}
    scores = {}
    for value, classes in sample["reference_classes"].items():
        found = np.isin(labels, [numbers[name] for name in classes]).astype(np.uint8)
        expected = (np.asarray(reference) == int(value)).astype(np.uint8)
        scores[" + ".join(classes)] = float(dice_per_class(found, expected, 2)[0])
    return scores
