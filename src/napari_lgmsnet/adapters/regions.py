"""Which part of an image a person means: all of it, the slice on screen, a drawn rectangle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_lgmsnet.adapters.layers import LayerImage, affine_of, shape_of
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.geometry import Box, box_around

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Layer, Shapes


@dataclass(frozen=True)
class View:
    """What of a layer is on screen.

    Parameters
    ----------
    step : tuple of int
        Index along each axis of the layer. Along displayed axes it has no meaning.
    displayed : tuple of 2 int
        Axes of the layer that span the slice. In a 3D view, those that would span it in 2D.
    """

    step: tuple[int, ...]
    displayed: tuple[int, int]


def view_of(layer: Layer, dims: Dims) -> View:
    """Return which slice of a layer the viewer shows, by the same rules as the viewer."""
    count = layer.ndim
    order = np.argsort(np.argsort(dims.order[-count:]))
    hidden, shown = order[:-2], order[-2:]
    point = np.asarray(dims.point, dtype=float)[-count:]
    # Like napari, which leaves out what a rotation adds across the slice.
    inverse = np.linalg.inv(affine_of(layer))
    index = np.zeros(count)
    index[hidden] = inverse[np.ix_(hidden, hidden)] @ point[hidden] + inverse[hidden, -1]
    last = np.array(shape_of(layer)) - 1
    step = np.clip(np.rint(index), 0, last).astype(int)
    return View(tuple(int(i) for i in step), (int(shown[0]), int(shown[1])))


def whole(image: LayerImage, view: View) -> Box:
    """Return the whole image or volume, of a series the time point on screen."""
    return (*view.step[: image.leading], *(slice(0, n) for n in image.spatial_shape))


def plane(image: LayerImage, view: View) -> Box:
    """Return the slice on screen."""
    _check_displayed(image, view)
    box: list[int | slice] = []
    for axis, (size, step) in enumerate(zip(image.shape, view.step, strict=True)):
        if axis in view.displayed:
            box.append(slice(0, size))
        elif axis < image.leading:
            box.append(step)
        else:
            # One voxel thick, and not flat: so it still knows how it lies in the body.
            box.append(slice(step, step + 1))
    return tuple(box)


def drawn(image: LayerImage, view: View, shapes: Shapes, *, all_slices: bool) -> Box:
    """Return the part inside of a drawn shape: the selected one, or the last one.

    Parameters
    ----------
    image : LayerImage
    view : View
    shapes : napari Shapes layer
        It may be transformed in its own way.
    all_slices : bool
        Take the rectangle through the whole volume, instead of the slice on screen.

    Raises
    ------
    InputError
        If nothing is drawn, or not over the image.
    """
    _check_displayed(image, view)
    if not len(shapes.data):
        raise nothing_drawn()
    chosen = sorted(shapes.selected_data) or [len(shapes.data) - 1]
    affine = affine_of(shapes)
    world = np.asarray(shapes.data[chosen[-1]]) @ affine[:-1, :-1].T + affine[:-1, -1]
    axes = [axis - len(image.shape) for axis in view.displayed]
    if shapes.ndim < -min(axes):
        raise InputError(
            f'"{shapes.name}" has {shapes.ndim} axes, too few for "{image.name}": draw in a new '
            "Shapes layer"
        )
    corner = [axis + len(image.shape) for axis in axes] + [len(image.shape)]
    box = box_around(
        image.affine[np.ix_(corner, corner)],
        world[:, axes],
        tuple(image.shape[axis] for axis in view.displayed),
    )
    if box is None:
        raise InputError(
            f'the rectangle in "{shapes.name}" does not lie over "{image.name}": draw it again'
        )
    region = list(whole(image, view) if all_slices else plane(image, view))
    for axis, part in zip(view.displayed, box, strict=True):
        region[axis] = part
    return tuple(region)


def nothing_drawn() -> InputError:
    """Return the error that says how to draw a rectangle."""
    return InputError(
        "no rectangle is drawn: choose Draw, drag a rectangle over the image, and run again"
    )


def _check_displayed(image: LayerImage, view: View) -> None:
    if min(view.displayed) < image.leading:
        raise InputError(
            f'the view of "{image.name}" runs along time: show two axes of space instead'
        )
