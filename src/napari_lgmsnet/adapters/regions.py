"""Which part of an image a person means: all of it, the slice on screen, a drawn rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box, box_around

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Shapes


@dataclass(frozen=True)
class View:
    """What of an image is on screen.

    Parameters
    ----------
    step : tuple of int
        Index along each axis of the image. Along displayed axes it has no meaning.
    displayed : tuple of 2 int
        Axes of the image that span the slice. In a 3D view, those that would span it in 2D. None
        for one of the layer's axes that the image does not have.
    """

    step: tuple[int, ...]
    displayed: tuple[int | None, int | None]


def view_of(image: LayerImage, dims: Dims) -> View:
    """Return which slice of an image the viewer shows, by the same rules as the viewer.

    Parameters
    ----------
    image : LayerImage
    dims : napari Dims
        The viewer's.
    """
    count = len(image.layer_units)
    order = np.argsort(np.argsort(dims.order[-count:]))
    shown = [int(axis) for axis in order[-2:]]
    point = np.asarray(dims.point, dtype=float)[-count:]
    if dims.units is not None:
        point = point * _factors(dims.units[-count:], image.layer_units)
    own = list(image.axes)
    hidden = [place for place, axis in enumerate(own) if axis not in shown]
    # Like napari, which leaves out what a rotation adds across the slice.
    inverse = np.linalg.inv(image.affine)
    index = np.zeros(len(own))
    index[hidden] = inverse[np.ix_(hidden, hidden)] @ point[own][hidden] + inverse[hidden, -1]
    step = np.clip(np.rint(index), 0, np.array(image.shape) - 1).astype(int)
    first, second = (own.index(axis) if axis in own else None for axis in shown)
    return View(tuple(int(i) for i in step), (first, second))


def whole(image: LayerImage, view: View, *, frames: bool = False) -> Box:
    """Return the whole image or volume, of a series the time point on screen.

    Parameters
    ----------
    image : LayerImage
    view : View
    frames : bool
        Take all time points.
    """
    return (*_lead(image, view, frames), *(slice(0, n) for n in image.spatial_shape))


def plane(image: LayerImage, view: View, *, frames: bool = False) -> Box:
    """Return the slice on screen; parameters as for :func:`whole`."""
    _shown(image, view)
    box: list[int | slice] = list(_lead(image, view, frames))
    for axis in range(image.leading, len(image.shape)):
        if axis in view.displayed:
            box.append(slice(0, image.shape[axis]))
        else:
            # One voxel thick, and not flat: so it still knows how it lies in the body.
            box.append(slice(view.step[axis], view.step[axis] + 1))
    return tuple(box)


def drawn(
    image: LayerImage, view: View, shapes: Shapes, *, all_slices: bool, frames: bool = False
) -> Box:
    """Return the part inside of a drawn shape: the selected one, or the last one.

    Parameters
    ----------
    image : LayerImage
    view : View
    shapes : napari Shapes layer
        It may be transformed in its own way.
    all_slices : bool
        Take the rectangle through the whole volume, instead of the slice on screen.
    frames : bool
        Take all time points.

    Raises
    ------
    InputError
        If nothing is drawn, or not over the image.
    """
    shown = _shown(image, view)
    if not len(shapes.data):
        raise nothing_drawn()
    chosen = sorted(shapes.selected_data) or [len(shapes.data) - 1]
    affine = affine_of(shapes)
    world = np.asarray(shapes.data[chosen[-1]]) @ affine[:-1, :-1].T + affine[:-1, -1]
    # A viewer lines up the last axes of its layers.
    axes = [image.axes[axis] - len(image.layer_units) for axis in shown]
    if shapes.ndim < -min(axes):
        raise InputError(
            f'"{shapes.name}" has {shapes.ndim} axes, too few for "{image.name}": draw in a new '
            "Shapes layer"
        )
    own_units = [image.layer_units[axis] for axis in axes]
    world = world[:, axes] * _factors([shapes.units[axis] for axis in axes], own_units)
    corner = [*shown, len(image.shape)]
    box = box_around(
        image.affine[np.ix_(corner, corner)], world, tuple(image.shape[axis] for axis in shown)
    )
    if box is None:
        raise InputError(
            f'the rectangle in "{shapes.name}" does not lie over "{image.name}": draw it again'
        )
    around = whole if all_slices else plane
    region = list(around(image, view, frames=frames))
    for axis, part in zip(shown, box, strict=True):
        region[axis] = part
    return tuple(region)


def nothing_drawn() -> InputError:
    """Return the error that says how to draw a rectangle."""
    return InputError(
        "no rectangle is drawn: choose Draw, drag a rectangle over the image, and run again"
    )


def _lead(image: LayerImage, view: View, frames: bool) -> Box:
    """Return the part along the axes before the spatial ones."""
    if frames and image.leading == 1:
        return (slice(0, image.shape[0]),)
    return view.step[: image.leading]


def _shown(image: LayerImage, view: View) -> tuple[int, int]:
    """Return the two axes of space that span the slice.

    Raises
    ------
    InputError
        If the view runs along time or channels.
    """
    first, second = view.displayed
    if first is None or second is None:
        across = "channels"
    elif min(first, second) < image.leading:
        across = "time"
    else:
        return first, second
    raise InputError(
        f'the view of "{image.name}" runs along {across}: show two axes of space instead'
    )


def _factors(units: Sequence[Any], wanted: Sequence[Any]) -> NDArray[np.float64]:
    """Return how many of the wanted units one of the given units has, along each axis.

    The viewer counts in the smallest unit of its layers, and in plain numbers if a length and
    pixels meet.
    """
    return np.array(
        [
            float((1 * unit).to(other).magnitude) if unit.is_compatible_with(other) else 1.0
            for unit, other in zip(units, wanted, strict=False)
        ]
    )
