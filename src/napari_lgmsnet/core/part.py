"""Segmenting a part of an image: the rest is background."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import crop
from napari_lgmsnet.core.prediction import Prediction
from napari_lgmsnet.core.types import Volume

Spans = tuple[tuple[int, int], ...]
"""Start and stop along each spatial axis, in voxels."""


def cut_out(volume: Volume, spans: Spans | None) -> Volume:
    """Return a part of a volume, lying where it lay in the whole; all of it without a part.

    Raises
    ------
    InputError
        If the part does not lie inside of the volume.
    """
    if spans is None:
        return volume
    sizes = volume.spatial_shape
    if len(spans) != len(sizes) or any(
        not 0 <= start < stop <= size for (start, stop), size in zip(spans, sizes, strict=True)
    ):
        part = ",".join(f"{start}:{stop}" for start, stop in spans)
        raise InputError(
            f'the box {part} does not lie inside of "{volume.name}", which has '
            f"{' x '.join(map(str, sizes))} voxels: give another one"
        )
    return crop(volume, tuple(slice(*span) for span in spans))


def placed(prediction: Prediction, whole: Volume, spans: Spans | None) -> Prediction:
    """Return a part's prediction as one of the whole volume, background around it.

    Parameters
    ----------
    prediction : Prediction
        Of ``cut_out(whole, spans)``.
    whole : Volume
    spans : Spans, optional
    """
    if spans is None:
        return prediction
    lead = prediction.labels.shape[: int(whole.axes.startswith("T"))]
    inside = (*(slice(None) for _ in lead), *(slice(*span) for span in spans))
    shape, count = (*lead, *whole.spatial_shape), len(prediction.probabilities)
    labels = np.zeros(shape, np.uint8)
    labels[inside] = prediction.labels
    probabilities = np.zeros((count, *shape), np.float32)
    probabilities[0] = count > 1  # of several, the first is the background's
    probabilities[(slice(None), *inside)] = prediction.probabilities
    return replace(prediction, labels=labels, probabilities=probabilities, volume=whole)
