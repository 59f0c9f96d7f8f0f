"""Choosing which part of the image gets a new mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_lgmsnet.adapters import regions
from napari_lgmsnet.adapters.drawn import drawn_box, start_drawing
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.widgets.combos import plain_combo, refill

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

WHOLE, SLICE, RECTANGLE = "whole", "slice", "rectangle"


class RegionPicker(QWidget):
    """The whole image, the slice on screen, or a rectangle, with a button to draw one.

    Parameters
    ----------
    viewer : napari Viewer
    parent : QWidget, optional

    Attributes
    ----------
    draw_clicked : Qt signal
    """

    draw_clicked = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._volumes = False
        self.combo = plain_combo("Which part of the image gets a new mask; the rest keeps its own")
        self.draw = QPushButton("&Draw")
        self.draw.setToolTip("Drag a rectangle over the image; the last or selected one counts")
        self.draw.clicked.connect(lambda: self.draw_clicked.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.combo, 1)
        row.addWidget(self.draw)
        self.setFocusProxy(self.combo)
        self.combo.currentIndexChanged.connect(lambda _index: self._show_draw())

    @property
    def scope(self) -> str:
        """Return WHOLE, SLICE or RECTANGLE."""
        return str(self.combo.currentData())

    def suit(self, axes: int, *, volumes: bool) -> None:
        """Offer what makes sense.

        Parameters
        ----------
        axes : int
            Spatial axes of the image.
        volumes : bool
            Whether the network works on volumes, and not on images.
        """
        self._volumes = volumes
        flat = axes == 2
        items = [("Whole image" if flat else "Whole volume" if volumes else "All slices", WHOLE)]
        if not flat and not volumes:
            items.append(("This slice", SLICE))
        through = "" if flat else ", all slices" if volumes else ", this slice"
        items.append((f"Rectangle{through}", RECTANGLE))
        refill(self.combo, items)
        self._show_draw()

    def box(self, image: LayerImage, *, frames: bool = False) -> Box:
        """Return the chosen part of an image.

        Parameters
        ----------
        image : LayerImage
        frames : bool
            Of a series take this part of all frames.

        Raises
        ------
        InputError
            If nothing suitable is drawn or on screen.
        """
        view = regions.view_of(image, self._viewer.dims)
        if self.scope == SLICE:
            return regions.plane(image, view, frames=frames)
        if self.scope == WHOLE:
            return regions.whole(image, view, frames=frames)
        return drawn_box(self._viewer, image, all_slices=self._volumes, frames=frames)

    def start_drawing(self, layer: Image) -> None:
        """Let the person drag a rectangle over an image."""
        start_drawing(self._viewer, layer)

    def _show_draw(self) -> None:
        self.draw.setVisible(self.scope == RECTANGLE)
