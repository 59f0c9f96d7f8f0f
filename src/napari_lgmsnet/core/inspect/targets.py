"""What a question about a decision is asked of: a class, and a region of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.inspect.inspection import Inspection


def region_of(
    inspection: Inspection, class_number: int, mask: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Return the pixels (pieces, *padded) that show a region.

    Parameters
    ----------
    inspection : Inspection
    class_number : int
    mask : bool array (*S), optional
        Without it, where the network finds the class.

    Raises
    ------
    InputError
        If there is no such class, the mask is that of another image, or the region is empty.
    """
    classes = inspection.model.info.classes
    if not 0 <= class_number < len(classes):
        raise InputError(
            f'"{inspection.model.info.name}" has no class {class_number}: choose one from 0 to '
            f"{len(classes) - 1}"
        )
    name = classes[class_number].name
    if mask is None:
        mask = inspection.labels == class_number
        if not mask.any():
            raise InputError(f"the network finds no {name} here: choose a mask to ask about")
    elif mask.shape != inspection.volume.spatial_shape:
        raise InputError(
            f"the mask has the shape {mask.shape}, the image {inspection.volume.spatial_shape}: "
            "choose the mask of this image"
        )
    seen = inspection.inputs.grid.from_volume(mask)
    if not seen.any():
        raise InputError(
            "the mask holds no pixel that the network sees: choose one with some foreground"
        )
    return seen if inspection.inputs.stacked else seen[None]


def class_named(info: ModelInfo, name: str = "") -> int:
    """Return the number of a class by its name or number; the first foreground class without.

    Raises
    ------
    InputError
        If the checkpoint has no such class.
    """
    names = [one.name for one in info.classes]
    if not name:
        return 1
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    raise InputError(f'"{info.name}" has no class "{name}": choose one of {", ".join(names)}')


def class_logits(logits: Tensor, class_number: int) -> Tensor:
    """Return the logits (*S) of a class, of (K, *S); one channel means one class and its rest."""
    if logits.shape[0] > 1:
        return logits[class_number]
    return logits[0] if class_number else -logits[0]
