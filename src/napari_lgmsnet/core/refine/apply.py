"""A list of clicks, one after another, as a person gives them in the window."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.labels import as_labels
from napari_lgmsnet.core.prediction import Prediction
from napari_lgmsnet.core.refine.refiner import Click, Refiner
from napari_lgmsnet.core.types import Progress, Volume


@dataclass(frozen=True)
class LabelledClick:
    """A click on a voxel of a mask.

    Parameters
    ----------
    index : tuple of int
        The voxel, in the order of the image's axes, from 0.
    positive : bool, optional
        Whether the voxel belongs to the class. Without it the mask is wrong there: outside of the
        class the voxel is added, inside it is taken away.
    label : int
        The class.
    """

    index: tuple[int, ...]
    positive: bool | None = None
    label: int = 1


def refine(
    image: NDArray[Any] | Volume,
    mask: NDArray[Any] | Volume | Prediction,
    clicks: Sequence[LabelledClick],
    *,
    probabilities: NDArray[np.floating] | None = None,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[np.integer[Any]]:
    """Correct a mask with clicks, steered by the network's probabilities where they are known.

    Parameters
    ----------
    image : array (*S) or (*S, C), or Volume
        An image or a volume; not a series.
    mask : integer array (*S), Volume or Prediction
        A prediction brings its probabilities along.
    clicks : sequence of LabelledClick
        In their order.
    probabilities : float array (K, *S), optional
        As in :class:`~napari_lgmsnet.Prediction`.
    spacing : tuple of float, optional
        Voxel size along each axis of a bare array; 1 without it.

    Returns
    -------
    integer array (*S)
        The corrected labels.

    Raises
    ------
    InputError
        If shapes contradict each other, or a click lies outside of the image.
    """
    if isinstance(mask, Prediction):
        labels: NDArray[Any] = mask.labels
        probabilities = mask.probabilities if probabilities is None else probabilities
    else:
        labels = np.asarray(mask.data if isinstance(mask, Volume) else mask)
    if isinstance(image, Volume):
        if image.axes.startswith("T"):
            raise InputError(f'"{image.name}" is a series: choose one frame')
        data, spacing = np.asarray(image.data), image.spacing
    else:
        data = np.asarray(image)
    steps = spacing or (1.0,) * labels.ndim
    return progress.run(apply_clicks(data, labels, clicks, steps, probabilities))


def refine_volume(
    image: Volume,
    mask: Volume,
    clicks: Sequence[LabelledClick],
    probabilities: NDArray[np.floating] | None = None,
) -> Generator[Progress, None, Volume]:
    """Correct a mask that lies on an image's grid; see :func:`refine`."""
    labels = np.asarray(as_labels(mask).data)
    job = apply_clicks(np.asarray(image.data), labels, clicks, image.spacing, probabilities)
    corrected = yield from job
    return image.with_data(corrected, image.spatial_axes)


def apply_clicks(
    image: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    clicks: Sequence[LabelledClick],
    spacing: tuple[float, ...],
    probabilities: NDArray[np.floating] | None = None,
) -> Generator[Progress, None, NDArray[np.integer[Any]]]:
    """Correct labels click by click; see :func:`refine`.

    Clicks on another class than the one before start anew from the mask as it is then, as in the
    window.
    """
    highest = max([int(labels.max(initial=0)), *(one.label for one in clicks)])
    if highest > np.iinfo(labels.dtype).max:
        labels = labels.astype(np.min_scalar_type(highest))
    corrected = labels.copy()
    refiner: Refiner | None = None
    label = 0
    for done, one in enumerate(clicks):
        yield Progress(done, len(clicks), f"click {done + 1} of {len(clicks)}")
        if one.label < 1:
            raise InputError(f"a click is for class {one.label}: classes count from 1")
        if refiner is None or one.label != label:
            label = one.label
            refiner = Refiner(image, of_class(probabilities, label), spacing)
        own = corrected == label
        positive = one.positive
        if positive is None:
            inside = all(0 <= i < n for i, n in zip(one.index, own.shape, strict=False))
            positive = not (inside and len(one.index) == own.ndim and bool(own[one.index]))
        correction = refiner.click(own, Click(one.index, positive))
        part = corrected[correction.box]
        part[correction.changed] = label if positive else 0
    return corrected


def of_class(probabilities: NDArray[np.floating] | None, label: int) -> NDArray[np.floating] | None:
    """Return what the network says of a class; None for one that it does not know.

    Parameters
    ----------
    probabilities : float array (K, *S), optional
        As in :class:`~napari_lgmsnet.Prediction`.
    label : int
    """
    if probabilities is None:
        return None
    if probabilities.shape[0] == 1:
        return probabilities[0] if label == 1 else None
    return probabilities[label] if label < probabilities.shape[0] else None
