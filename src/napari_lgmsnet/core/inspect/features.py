"""Stage maps and foreground attention of an image in one call."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.arrays import volume_from_array
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box, crop
from napari_lgmsnet.core.inspect.inspection import Inspection, inspect
from napari_lgmsnet.core.inspect.maps import CoarseMap, check_reduction, stage_map
from napari_lgmsnet.core.inspect.numbers import Row, number_stages
from napari_lgmsnet.core.inspect.redundancy import Spectrum
from napari_lgmsnet.core.inspect.stages import FIRST, stages_of
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings, make_settings
from napari_lgmsnet.core.types import Progress, Volume

Mask = NDArray[Any] | Volume


@dataclass(frozen=True)
class Features:
    """What a network makes of an image, stage by stage.

    Parameters
    ----------
    maps : dict of str to CoarseMap
        One map a stage; ``as_volume()`` has its own affine, ``on_grid()`` lies on the image.
    numbers : tuple of Row
        Foreground attention of each map for each class of the mask.
    spectra : dict of str to Spectrum
        Singular values and effective rank of each stage.
    inspection : Inspection
        For further questions: other reductions, attention, Grad-CAM, occlusion.
    mask : Volume, optional
        Class numbers on the image (or the part of it that was looked at).
    """

    maps: dict[str, CoarseMap]
    numbers: tuple[Row, ...]
    spectra: dict[str, Spectrum]
    inspection: Inspection
    mask: Volume | None = None


def features(
    model: Model,
    array: NDArray[Any] | Volume,
    mask: Mask | None = None,
    *,
    spacing: tuple[float, ...] | None = None,
    axes: str | None = None,
    box: Box | None = None,
    stages: str | Iterable[str] = (FIRST,),
    reduce: str = "mean",
    channel: int | None = None,
    **settings: Any,
) -> Features:
    """See what the stages of a network make of an image, and how much of it is foreground.

    Parameters
    ----------
    model : Model
        As :func:`~napari_lgmsnet.load` returns it.
    array : array or Volume
        As for :func:`~napari_lgmsnet.predict`.
    mask : array or Volume, optional
        Class numbers on the grid of ``array``.
    spacing, axes
        As for :func:`~napari_lgmsnet.predict`.
    box : tuple of slice, optional
        Look at this part only, one slice a spatial axis.
    stages : str or iterable of str
        Names of stages, or "all".
    reduce : str
        ``mean``, ``maximum``, ``norm``, ``components`` or ``channel``.
    channel : int, optional
        Which one, for ``channel``.
    **settings
        As for :class:`~napari_lgmsnet.core.prediction.PredictSettings`, without flips.

    Returns
    -------
    Features

    Raises
    ------
    InputError
        If array, mask or settings do not suit the checkpoint, or each other.
    """
    if isinstance(array, Volume):
        if spacing is not None or axes is not None:
            raise InputError("a Volume has its own spacing and axes: leave out spacing and axes")
        volume = array
    else:
        volume = volume_from_array(np.asarray(array), model.info, spacing, axes)
    job = iterate(
        model,
        volume,
        mask,
        box=box,
        stages=stages,
        reduce=reduce,
        channel=channel,
        settings=make_settings(**settings),
    )
    return progress.run(job)


def iterate(
    model: Model,
    volume: Volume,
    mask: Mask | None = None,
    *,
    box: Box | None = None,
    stages: str | Iterable[str] = (FIRST,),
    reduce: str = "mean",
    channel: int | None = None,
    settings: PredictSettings | None = None,
) -> Generator[Progress, None, Features]:
    """Do what :func:`features` does step by step; closing the generator stops the work.

    Yields
    ------
    Progress
        One a window.

    Returns
    -------
    Features

    Raises
    ------
    InputError
        As :func:`features`.
    """
    check_reduction(reduce, channel)
    names = stage_names(model, stages)
    labels = mask_on(volume, mask) if mask is not None else None
    if box is not None:
        volume = crop(volume, box)
        labels = crop(labels, box) if labels is not None else None
    inspection = yield from inspect(model, volume, names, settings or PredictSettings())
    maps = {name: stage_map(inspection, name, reduce, channel) for name in names}
    rows, spectra = number_stages(inspection, labels, reduce, channel)
    return Features(maps, tuple(rows), spectra, inspection, labels)


def stage_names(model: Model, stages: str | Iterable[str]) -> list[str]:
    """Return the names of stages that a person means: "all", one, or several."""
    if stages == "all":
        return [stage.name for stage in stages_of(model.network)]
    return [stages] if isinstance(stages, str) else list(stages)


def mask_on(volume: Volume, mask: Mask) -> Volume:
    """Return a mask on the grid of an image, where it has to lie already.

    Raises
    ------
    InputError
        If shape or place differ.
    """
    array = np.asarray(mask.data if isinstance(mask, Volume) else mask)
    if array.shape != volume.spatial_shape:
        raise InputError(
            f'the mask has the shape {array.shape}, "{volume.name}" {volume.spatial_shape}: choose '
            "the mask of this image"
        )
    if isinstance(mask, Volume) and mask.units == volume.units == "mm":
        # Headers of an image and its mask often differ by rounding.
        tolerance = 0.01 * min(volume.spacing)
        if not np.allclose(mask.affine, volume.affine, rtol=1e-4, atol=tolerance):
            raise InputError(
                f'"{mask.name}" has the shape of "{volume.name}", but lies elsewhere: choose the '
                "mask of this image, or resample it"
            )
    return volume.with_data(array, volume.spatial_axes)
