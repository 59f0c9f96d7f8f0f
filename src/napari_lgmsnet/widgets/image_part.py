"""Choosing channels, the level of a pyramid, and one or all frames; shown for images with these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QWidget

from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.layers import channel_axis_of, image_of, is_named
from napari_lgmsnet.core.levels import choose_level
from napari_lgmsnet.core.recipes import Recipe
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.region import RECTANGLE, RegionPicker
from napari_lgmsnet.widgets.text import axis_name, level_size

if TYPE_CHECKING:
    from napari.layers import Image

AUTOMATIC = -1
NO_AXIS = -1
ONE, EACH = "one", "each"
_FEW = 32
"""An axis without a name that is not longer than this may hold channels."""


class ImagePart(QObject):
    """Which part of an image's data a network gets, as rows of a form.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows; those that have nothing to choose are hidden.

    Attributes
    ----------
    changed : Qt signal
        A person chose something else.
    """

    changed = Signal()

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        self._form = form
        self._layer: Any = None
        self._wanted = 1
        self.axis = plain_combo("Which axis of the layer holds channels, such as stains or echoes")
        self.channels: list[QComboBox] = []
        self._channel_row = QWidget()
        row = QHBoxLayout(self._channel_row)
        row.setContentsMargins(0, 0, 0, 0)
        self.level = plain_combo(
            "How fine the image is when the network gets it; the mask is just as fine"
        )
        self.time = plain_combo("Segment the frame on screen, or one frame after the other")
        form.addRow("C&hannel axis", self.axis)
        form.addRow("Cha&nnels", self._channel_row)
        form.addRow("&Level", self.level)
        form.addRow("T&ime", self.time)
        for combo in (self.axis, self.level, self.time):
            combo.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.suit(None, None)

    @property
    def each_frame(self) -> bool:
        """Return whether all frames of a series are wanted."""
        return self._shown(self.time) and self.time.currentData() == EACH

    @property
    def chosen_channels(self) -> tuple[int, ...] | None:
        """Return the channels that the network gets, from 0; None without a channel axis."""
        if not self._shown(self._channel_row):
            return None
        return tuple(int(combo.currentData()) for combo in self.channels[: self._wanted])

    def image(
        self,
        layer: Image,
        recipe: Recipe | None,
        *,
        native: bool = False,
        extent: tuple[int, ...] | None = None,
    ) -> LayerImage:
        """Return a layer with the choices made for it.

        Parameters
        ----------
        layer : napari Image layer
            The one that was given to :meth:`suit`.
        recipe : Recipe, optional
            Decides the level, if the person leaves it to be chosen.
        native : bool
            The recipe does not shrink the image.
        extent : tuple of int, optional
            Size of the part that will be segmented, in voxels of the finest level.

        Raises
        ------
        InputError
            If the layer cannot be segmented.
        """
        image = image_of(layer, channel_axis=self._channel_axis(layer))
        if len(image.levels) == 1:
            return image
        level = self.level.currentData()
        if level in (None, AUTOMATIC):
            level = _level_for(image, recipe, native=native, extent=extent)
        return replace(image, level=min(int(level), len(image.levels) - 1))

    def image_for(
        self, layer: Image, recipe: Recipe | None, region: RegionPicker, *, native: bool = False
    ) -> LayerImage:
        """Return a layer as :meth:`image`, at the level that suits a drawn rectangle, if any.

        Raises
        ------
        InputError
            If the layer cannot be used, or its level depends on a rectangle that is missing.
        """
        image = self.image(layer, recipe, native=native)
        if len(image.levels) == 1 or region.scope != RECTANGLE:
            return image
        finest = replace(image, level=0)
        box = region.box(finest)[finest.leading :]
        extent = tuple(part.stop - part.start for part in box if isinstance(part, slice))
        return self.image(layer, recipe, native=native, extent=extent)

    def suit(self, layer: Image | None, channels: int | None) -> None:
        """Offer what there is to choose in a layer.

        Parameters
        ----------
        layer : napari Image layer, optional
        channels : int, optional
            As many as the network expects, if that is known.
        """
        other = layer is not self._layer
        self._layer, self._wanted = layer, channels or 1
        self._offer_axes(layer, forget=other)
        axis = None if layer is None else self._channel_axis(layer)
        self._offer_channels(0 if axis is None or layer is None else int(layer.data.shape[axis]))
        if other:
            refill(self.level, [("automatic", AUTOMATIC)])

    def show_level(self, image: LayerImage | None, automatic: str = "") -> None:
        """Name the levels of an image, and the one that is chosen without the person.

        Parameters
        ----------
        image : LayerImage, optional
            As :meth:`image` returns it.
        automatic : str
            What decides the level, if it is not known yet.
        """
        count = 1 if image is None else len(image.levels)
        self._show(self.level, count > 1)
        series = image is not None and image.leading == 1
        self._show(self.time, series)
        if image is None:
            return
        if series:
            frames = [("Frame on screen", ONE), (f"Each of the {image.frames} frames", EACH)]
            refill(self.time, frames)
        if count > 1:
            names = [
                f"level {number + 1} of {count}: {level_size(replace(image, level=number))}"
                for number in range(count)
            ]
            chosen = image.level if self.level.currentData() in (None, AUTOMATIC) else None
            words = automatic or (names[chosen] if chosen is not None else "by the recipe")
            items: list[tuple[str, Any]] = [(f"{words} (auto)", AUTOMATIC)]
            items += [(name, number) for number, name in enumerate(names)]
            refill(self.level, items)

    def _channel_axis(self, layer: Image) -> int | None:
        """Return the axis that is named as channels, or that the person said holds them."""
        if layer.rgb:
            return None
        chosen = self.axis.currentData() if self._shown(self.axis) else NO_AXIS
        return channel_axis_of(layer) if chosen in (None, NO_AXIS) else int(chosen)

    def _offer_axes(self, layer: Image | None, *, forget: bool) -> None:
        items: list[tuple[str, Any]] = [("none", NO_AXIS)]
        may = layer is not None and _may_have_channels(layer)
        if layer is not None and may:
            items += [(axis_name(layer, axis), axis) for axis in range(layer.ndim)]
        refill(self.axis, items)
        if forget:
            with QSignalBlocker(self.axis):
                self.axis.setCurrentIndex(0)
        self._show(self.axis, may)

    def _offer_channels(self, count: int) -> None:
        layout = self._channel_row.layout()
        assert layout is not None
        while len(self.channels) < self._wanted:
            combo = plain_combo("Channel of the image that the network gets")
            combo.setMinimumContentsLength(3)
            combo.currentIndexChanged.connect(lambda _index: self.changed.emit())
            self.channels.append(combo)
            layout.addWidget(combo)
        for place, combo in enumerate(self.channels):
            new = combo.count() != count
            refill(combo, [(str(number + 1), number) for number in range(count)])
            if new and count:
                with QSignalBlocker(combo):
                    combo.setCurrentIndex(min(place, count - 1))
            combo.setVisible(place < self._wanted)
        self._show(self._channel_row, count > 0)

    def _show(self, field: QWidget, shown: bool) -> None:
        field.setVisible(shown)
        label = self._form.labelForField(field)
        if label is not None:
            label.setVisible(shown)

    def _shown(self, field: QWidget) -> bool:
        # What a tab or a closed window hides is still chosen.
        return not field.isHidden()


def _may_have_channels(layer: Image) -> bool:
    """Return whether an axis may hold channels although it is not named so."""
    if layer.rgb or layer.ndim < 3 or channel_axis_of(layer) is not None:
        return False
    shape = layer.data.shape
    return layer.ndim > 3 or any(
        shape[axis] <= _FEW and not is_named(layer, axis) for axis in range(layer.ndim)
    )


def _level_for(
    image: LayerImage, recipe: Recipe | None, *, native: bool, extent: tuple[int, ...] | None
) -> int:
    if recipe is None:
        return 0
    finest = replace(image, level=0)
    shapes = [image.shape_at(level)[image.leading :] for level in range(len(image.levels))]
    return choose_level(
        shapes, finest.spatial_affine, finest.units, recipe, native=native, part=extent
    )
