"""Which pixels decided: what happens when a part of the image is covered.

Probabilities are those of the pixels that the network sees, so that only windows are run again
that hold both some of the covered part and some of the mask.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.covering import Box, Target, check_fill
from napari_lgmsnet.core.inspect.inspection import Inspection
from napari_lgmsnet.core.inspect.maps import CoarseMap
from napari_lgmsnet.core.inspect.targets import region_of
from napari_lgmsnet.core.types import Progress


@dataclass(frozen=True)
class Occlusion:
    """What covering a part of the image does to the network's belief in a mask.

    Parameters
    ----------
    class_name : str
    before, after : float
        Mean probability of the class over the mask, as the image is and with the part covered.
    """

    class_name: str
    before: float
    after: float

    @property
    def drop(self) -> float:
        """Return by how much the probability falls; negative if it rises."""
        return self.before - self.after


def occlude(
    inspection: Inspection,
    box: Box,
    class_number: int,
    mask: NDArray[np.bool_] | None = None,
    fill: str = "blur",
) -> Generator[Progress, None, Occlusion]:
    """Cover a box and see how the probability of a mask changes.

    Parameters
    ----------
    inspection : Inspection
    box : tuple of slice
        On the image's grid, one a spatial axis.
    class_number : int
    mask : bool array (*S), optional
        On the image's grid; without it, where the network finds the class.
    fill : "blur" or "mean"
        With what the part is covered: itself, blurred over half of its size, or the mean of what
        surrounds it.

    Yields
    ------
    Progress
        One a window.

    Returns
    -------
    Occlusion

    Raises
    ------
    InputError
        If the box or the mask holds nothing that the network sees.
    """
    check_fill(fill)
    target = Target(inspection, class_number, region_of(inspection, class_number, mask))
    yield from target.load()
    covered = region_of_box(inspection, box)
    before = [target.probability(piece) for piece in target.pieces]
    after = []
    for done, piece in enumerate(target.pieces):
        yield Progress(done, len(target.pieces), "covering the part")
        part = covered if not inspection.inputs.stacked else covered[1:]
        hit = not inspection.inputs.stacked or covered[0].start <= piece < covered[0].stop
        after.append(target.covered(piece, part, fill) if hit else before[done])
    sizes = [target.size(piece) for piece in target.pieces]
    return Occlusion(
        inspection.model.info.classes[class_number].name,
        float(np.average(before, weights=sizes)),
        float(np.average(after, weights=sizes)),
    )


def occlusion_map(
    inspection: Inspection,
    class_number: int,
    mask: NDArray[np.bool_] | None = None,
    *,
    patch: int = 16,
    fill: str = "blur",
) -> Generator[Progress, None, CoarseMap]:
    """Cover patch after patch and map by how much the probability of a mask falls.

    Each slice of a stack is an image of its own; slices without mask have zeros.

    Parameters
    ----------
    inspection : Inspection
    class_number : int
    mask : bool array (*S), optional
        On the image's grid; without it, where the network finds the class.
    patch : int
        Edge of a patch in pixels of the network's input.
    fill : "blur" or "mean"
        As for :func:`occlude`.

    Yields
    ------
    Progress
        One a patch.

    Returns
    -------
    CoarseMap
        :attr:`Occlusion.drop` of every patch.

    Raises
    ------
    InputError
        If the mask holds nothing that the network sees, or the patch no pixel.
    """
    check_fill(fill)
    if patch < 1:
        raise InputError(f"a patch of {patch} pixels covers nothing: choose 1 or more")
    inputs = inspection.inputs
    target = Target(inspection, class_number, region_of(inspection, class_number, mask))
    yield from target.load()
    strides = inputs.grid.strides((patch,) * len(inputs.tiling.window))
    cells = inputs.grid.trim(strides)
    drops = np.zeros(tuple(cut.stop - cut.start for cut in cells), dtype=np.float32)
    places = list(np.ndindex(drops.shape[1:] if inputs.stacked else drops.shape))
    first = [cut.start for cut in cells][-len(places[0]) :]
    total = len(target.pieces) * len(places)
    for turn, piece in enumerate(target.pieces):
        before = target.probability(piece)
        for done, place in enumerate(places):
            now = turn * len(places) + done
            yield Progress(now, total, f"patch {now + 1} of {total}")
            part = tuple(
                slice(patch * (f + n), min(patch * (f + n + 1), size))
                for f, n, size in zip(first, place, inputs.tiling.padded_size, strict=True)
            )
            where = (piece, *place) if inputs.stacked else place
            drops[where] = before - target.covered(piece, part, fill)
    name = inspection.model.info.classes[class_number].name
    grid = inputs.grid.cells(strides, cells)
    kind = f"occlusion, {name}"
    data = inputs.grid.arrange(drops)
    return CoarseMap(data, grid, inputs.volume, f"{patch}-pixel patches", kind, signed=True)


def region_of_box(inspection: Inspection, box: Box) -> Box:
    """Return the pixels of the padded input whose centres lie in a box of the image.

    Raises
    ------
    InputError
        If there are none.
    """
    volume = inspection.volume
    grid = inspection.inputs.grid
    if len(box) != len(grid.size):
        raise InputError(f"a box in this image has {len(grid.size)} axes, got {len(box)}")
    inside = np.zeros(volume.spatial_shape, dtype=np.bool_)
    inside[box] = True
    found = ndimage.find_objects(grid.from_volume(inside).astype(np.uint8), max_label=1)[0]
    if found is None:
        raise InputError(f'the box holds nothing that the network sees of "{volume.name}"')
    return tuple(slice(int(cut.start), int(cut.stop)) for cut in found)
