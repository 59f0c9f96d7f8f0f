"""Labels and regions of a mask that neither brush, clicks nor tools may change.

Tools and clicks ask beforehand. What napari's own brush, eraser and fill changed there is put back
when the stroke ends, within the same undo step: undo and redo never show it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_lgmsnet.adapters.history import Indices, Step, drop_step, indices_of, labels_of
from napari_lgmsnet.adapters.layers import geometry_of
from napari_lgmsnet.adapters.results import METADATA

if TYPE_CHECKING:
    from napari.components import LayerList

    from napari_lgmsnet.adapters.session import Session
    from napari_lgmsnet.core.geometry import Box

COLOURS: dict[int | None, Any] = {None: "cyan", 0: "transparent", 1: "cyan"}


class Lock:
    """What is locked in one mask.

    Parameters
    ----------
    mask : napari Labels layer
    layers : napari LayerList
        The viewer's.
    session : Session
    refused : callable
        Gets how many voxels of a stroke were put back.

    Attributes
    ----------
    labels : set of int
        Labels (0 is background) that neither lose nor gain a voxel; change them by
        :meth:`lock_label`.
    """

    def __init__(
        self, mask: Labels, layers: LayerList, session: Session, refused: Callable[[int], object]
    ) -> None:
        self.labels: set[int] = set()
        self._mask, self._layers, self._session = mask, layers, session
        self._refused = refused
        self._layer: Labels | None = None

    def lock_label(self, label: int, *, on: bool) -> None:
        """Lock or unlock a label."""
        (self.labels.add if on else self.labels.discard)(label)
        self._listen()

    def lock_region(self, box: Box, inside: NDArray[np.bool_], *, on: bool) -> int:
        """Lock or unlock voxels, and show what is locked.

        Parameters
        ----------
        box : tuple of int or slice
            A part of the mask's data.
        inside : bool array of the part's shape
        on : bool

        Returns
        -------
        int
            How many voxels are locked from now on, or no longer.
        """
        layer = self.layer
        if layer is None:
            if not on:
                return 0
            layer = self._layer = self._show()
        part = layer.data[box]
        changed = int(np.count_nonzero(inside & (part != on)))
        part[inside] = on
        if layer.data.any():
            layer.refresh()
        else:
            self._layers.remove(layer)
        self._listen()
        return changed

    @property
    def layer(self) -> Labels | None:
        """Return the layer that shows locked regions. Who removes it unlocks them."""
        layer = self._layer
        if layer is None or layer not in self._layers:
            return None
        return layer if layer.data.shape == self._mask.data.shape else None

    def kept(self, box: Box) -> NDArray[np.uint8] | None:
        """Return which voxels of a part of the mask are locked, 1 or 0; None if there are none."""
        layer = self.layer
        return None if layer is None else layer.data[box]

    def leave(self) -> None:
        """Let go of the mask, which is closed, and of what is locked in it."""
        self._mask.events.paint.disconnect(self._on_paint)
        if self.layer is not None:
            self._layers.remove(self.layer)

    def _show(self) -> Labels:
        layer = Labels(
            np.zeros(self._mask.data.shape, np.uint8),
            name=f"{self._mask.name} locked",
            colormap=DirectLabelColormap(color_dict=COLOURS),
            opacity=0.9,
            metadata={METADATA: {"role": "locked"}},
            **geometry_of(self._mask),
        )
        layer.contour = 2
        layer.editable = False
        active = self._layers.selection.active
        self._layers.append(layer)
        self._layers.selection.active = active
        return layer

    def _listen(self) -> None:
        """Hear of strokes before anybody else does, who then sees only what was permitted."""
        paint = self._mask.events.paint
        paint.disconnect(self._on_paint)
        if self.labels or self.layer is not None:
            paint.connect(self._on_paint, position="first")

    def _on_paint(self, event: Any) -> None:
        if self._session.means != "stroke":
            return  # clicks and tools ask beforehand, and a network is not held
        step: Step = event.value
        if not any(self._forbids(indices_of(atom), *labels_of(atom)).any() for atom in step):
            return
        where, old, new = _merged(step, self._mask.data.shape)
        bad = self._forbids(where, old, new)
        self._mask.data[tuple(one[bad] for one in where)] = old[bad]
        good = ~bad & (old != new)
        # napari keeps this list for undo.
        step[:] = [(tuple(one[good] for one in where), old[good], new[good])] if good.any() else []
        if not step:
            drop_step(self._mask, step)
        # Not at once: to others this would look like an undo, of a stroke not heard of yet.
        QTimer.singleShot(0, self._mask.refresh)
        self._refused(int(np.count_nonzero(bad)))

    def _forbids(self, where: Indices, old: Any, new: Any) -> NDArray[np.bool_]:
        """Return which voxels must not change from old labels to new ones."""
        numbers = np.array(sorted(self.labels), dtype=np.int64)
        bad = np.isin(old, numbers) | np.isin(new, numbers)
        layer = self.layer
        if layer is not None:
            bad = bad | (layer.data[where] != 0)
        return np.asarray(bad)


def _merged(step: Step, shape: tuple[int, ...]) -> tuple[Indices, Any, Any]:
    """Return the voxels of a step, each once, with their labels before and after all of it."""
    places, before, after = [], [], []
    for atom in step:
        where = indices_of(atom)
        old, new = labels_of(atom)
        places.append(np.ravel_multi_index(where, shape))
        before.append(old)
        after.append(np.broadcast_to(np.asarray(new, dtype=old.dtype), old.shape))
    flat, old, new = (np.concatenate(parts) for parts in (places, before, after))
    voxels, first = np.unique(flat, return_index=True)
    _, last = np.unique(flat[::-1], return_index=True)
    where = tuple(np.unravel_index(voxels, shape))
    return where, old[first], new[::-1][last]
