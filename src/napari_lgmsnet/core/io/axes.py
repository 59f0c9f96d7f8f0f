"""The axes of a file, brought into the order of a volume."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def take_axes(data: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    """Return an array with these of its axes, in this order; the others have length 1.

    Parameters
    ----------
    data : array
    order : tuple of int
        The array's axis for each axis that is wanted.

    Returns
    -------
    array
        A view where numpy can make one.
    """
    dropped = [axis for axis in range(data.ndim) if axis not in order]
    data = data.transpose([*dropped, *order])
    return data.reshape(data.shape[len(dropped) :])
