"""What is known of one case, voxel by voxel, and how edits change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.project.edits import Author, head_of, unpack

LAYERS = ("labels", "prediction", "touched", "vouched")
BINARY = ("touched", "vouched")


@dataclass(frozen=True)
class CaseMask:
    """The mask of a case, and what in it is whose.

    Parameters
    ----------
    labels : unsigned integer array
        The mask as it is now.
    prediction : unsigned integer array or None
        What the network had said; None if it was not asked.
    touched : bool array
        Voxels that the person changed, in whichever direction.
    vouched : bool array
        Voxels of regions that the person looked at and vouches for, background included.
    checkpoint : str
        SHA-256 of the checkpoint that the prediction is from, or "".
    settings : mapping
        With which it was made.
    sequence : int
        Number of the last edit that is in it.
    torn_bytes : int
        Bytes that were cut off at the end of a journal when the program stopped.
    damage : tuple of str
        What of it could not be read, in a person's words; empty unless the disk is failing.
    """

    labels: NDArray[Any]
    prediction: NDArray[Any] | None
    touched: NDArray[np.bool_]
    vouched: NDArray[np.bool_]
    checkpoint: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0
    torn_bytes: int = 0
    damage: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return which voxels the person answers for: the others are unlabelled."""
        return self.touched | self.vouched

    @property
    def corrected(self) -> NDArray[np.bool_]:
        """Return where the mask differs from what the network had said."""
        if self.prediction is None:
            return np.asarray(self.labels != 0)
        return np.asarray(self.labels != self.prediction)


class Arrays:
    """The arrays of a case while records are applied to them.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy dtype
        Of labels and prediction.
    layers : mapping of str to array
        By the names in :data:`LAYERS`; a missing one is nothing but zeros.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], layers: Mapping[str, NDArray[Any]]
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.changed: set[str] = set()
        self._layers = dict(layers)

    def get(self, layer: str) -> NDArray[Any] | None:
        """Return a layer, or None if it has nothing but zeros."""
        return self._layers.get(layer)

    def put(self, layer: str, array: NDArray[Any]) -> None:
        """Replace a layer."""
        self._layers[layer] = array.astype(self._kind(layer), copy=False)
        self.changed.add(layer)

    def filled(self, layer: str) -> NDArray[Any]:
        """Return a layer, made if there is none yet."""
        if layer not in self._layers:
            self._layers[layer] = np.zeros(self.shape, self._kind(layer))
        return self._layers[layer]

    def widen(self, dtype: np.dtype[Any]) -> None:
        """Give labels and prediction a type that holds larger numbers."""
        if dtype != self.dtype:
            self.dtype = dtype
            for layer in {"labels", "prediction"} & set(self._layers):
                self.put(layer, self._layers[layer])

    def apply(self, record: bytes) -> None:
        """Carry out one record."""
        layer = head_of(record)["layer"]
        if layer is None:  # time alone
            return
        head, flat, new = unpack(record)
        array = self.filled(layer)
        self.changed.add(layer)
        author: Author = head["author"]
        # What is changed: places in the flat array, or voxels of a box.
        view: Callable[[NDArray[Any]], NDArray[Any]]
        selected: NDArray[Any]
        if flat is not None:
            view, selected = np.ravel, flat
        else:
            box = tuple(slice(start, stop) for start, stop in head["box"])
            view = itemgetter(box)
            selected = np.asarray(view(array) != new)
            new = new[selected]
        view(array)[selected] = new
        if layer == "labels":
            self._touch(view, selected, author)

    def _touch(
        self,
        view: Callable[[NDArray[Any]], NDArray[Any]],
        selected: NDArray[Any],
        author: Author,
    ) -> None:
        """Keep account of whose the changed voxels are."""
        self.changed.add("touched")
        touched = view(self.filled("touched"))
        if author == "undo":
            prediction = self.get("prediction")
            before = 0 if prediction is None else view(prediction)[selected]
            touched[selected] = view(self.filled("labels"))[selected] != before
        else:
            touched[selected] = author == "person"

    def _kind(self, layer: str) -> np.dtype[Any]:
        return np.dtype(np.bool_) if layer in BINARY else self.dtype


def merged(given: Mapping[str, NDArray[Any]], base: Arrays | None) -> Arrays:
    """Return a case's arrays with some of them replaced.

    Parameters
    ----------
    given : mapping of str to array
        By the names in :data:`LAYERS`. A prediction without labels becomes the labels as well,
        where the person neither touched nor vouched for anything.
    base : Arrays, optional
        What there is; changed.

    Raises
    ------
    InputError
        If shapes differ, or labels are not unsigned integers.
    """
    numbers = [array.dtype for layer, array in given.items() if layer not in BINARY]
    if any(kind.kind != "u" for kind in numbers):
        raise InputError(f"a mask of {numbers[0]} cannot be stored: convert it to uint8 or uint16")
    if base is None:
        if not given:
            raise InputError("there is nothing to store: give a mask or a prediction")
        base = Arrays(next(iter(given.values())).shape, np.result_type(np.uint8, *numbers), {})
    for layer, array in given.items():
        if array.shape != base.shape:
            raise InputError(
                f"the {layer} of shape {array.shape} do not fit the mask of shape {base.shape}: "
                "they must lie on the same image"
            )
    base.widen(np.result_type(base.dtype, *numbers))
    for layer, array in given.items():
        base.put(layer, array)
    if "prediction" in given and "labels" not in given:
        prediction = given["prediction"]
        for known in map(base.get, BINARY):
            if known is not None and known.any():
                prediction = np.where(known, base.filled("labels"), prediction)
        base.put("labels", prediction)
    return base
