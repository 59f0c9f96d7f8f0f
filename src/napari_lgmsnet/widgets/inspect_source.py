"""What is looked at: image, checkpoint, region, and how the network is run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QLabel

from napari_lgmsnet.adapters.inspect_layers import Place
from napari_lgmsnet.adapters.jobs import Loaded, Request
from napari_lgmsnet.adapters.pairs import is_image
from napari_lgmsnet.adapters.settings import preferences, remember_checkpoint
from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.image_part import ImagePart
from napari_lgmsnet.widgets.inspect_section import Section
from napari_lgmsnet.widgets.layer_combo import LayerCombo
from napari_lgmsnet.widgets.region import RECTANGLE, RegionPicker
from napari_lgmsnet.widgets.run_options import RunOptions, is_for_volumes
from napari_lgmsnet.widgets.text import mixed_units, size_of

if TYPE_CHECKING:
    from napari import Viewer

NO_IMAGE = "Open an image first: File > Open File(s)…, or File > Open Sample > LGMSNet."


class Source(QObject):
    """Image, checkpoint, region and options, as a form.

    Parameters
    ----------
    viewer : napari Viewer

    Attributes
    ----------
    changed : Qt signal
        Another image or checkpoint is chosen, or the viewer's layers are others.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.images = LayerCombo(viewer, is_image)
        self.image_line = QLabel()
        self.image_line.setWordWrap(True)
        self.checkpoint = CheckpointBox()
        self.region = RegionPicker(viewer)
        self.region.combo.setToolTip("Which part of the image is looked at")
        self.form = plain_form()
        self.form.addRow("&Image", self.images)
        self.form.addRow(self.image_line)
        self.part = ImagePart(self.form)
        self.form.addRow("&Checkpoint", self.checkpoint)
        self.form.addRow(self.checkpoint.line)
        self.form.addRow("Re&gion", self.region)
        inner = plain_form()
        self.options = RunOptions(inner)
        self.form.addRow(Section("Recipe and device", inner))
        wanted = preferences().checkpoint
        if wanted:
            self.checkpoint.choose(wanted)
        for signal in (self.images.changed, self.images.listed, self.checkpoint.changed):
            signal.connect(self._on_choice)
        self.part.changed.connect(self._on_part)
        for combo in (self.options.recipe, self.region.combo):
            combo.currentIndexChanged.connect(lambda _index: self._on_part())
        self.options.native.toggled.connect(lambda _checked: self._on_part())
        self._on_choice()

    @property
    def why_not(self) -> str:
        """Return why nothing can be run; empty if something can."""
        if self.images.layer() is None:
            return "Open an image first"
        return "" if self.checkpoint.reference else "Choose a checkpoint first"

    def settings(self) -> dict[str, Any]:
        """Return the settings of a run, channels apart."""
        return self.options.settings()

    def request(self, known: Loaded | None) -> tuple[Place, Request]:
        """Return what is chosen, and where it lies.

        Parameters
        ----------
        known : Loaded, optional
            A checkpoint in memory, used if it is the chosen one.

        Raises
        ------
        InputError
            If the chosen image or region cannot be used.
        """
        layer = self.images.layer()
        if layer is None:
            raise InputError(NO_IMAGE)
        info = self.checkpoint.info
        part = self.part.image_for(
            layer, self.options.recipe_for(info), self.region, native=self.options.full_size
        )
        region = self.region.box(part)
        request = Request(
            reference=self.checkpoint.reference,
            image=part,
            region=region,
            recipe=self.options.recipe_name,
            settings={**self.settings(), "channels": self.part.chosen_channels},
            loaded=self.suiting(known),
        )
        return Place(layer, part, region), request

    def suiting(self, known: Loaded | None) -> Loaded | None:
        """Return a checkpoint in memory if it is the chosen one."""
        same = known is not None and known.reference == self.checkpoint.reference
        return known if same else None

    def learn(self, loaded: Loaded) -> None:
        """Take in what loading a checkpoint has told."""
        if loaded.reference not in shipped():
            remember_checkpoint(loaded.reference)
        self.options.offer_devices(loaded.devices)
        self.checkpoint.learn(loaded.reference, loaded.model.info, loaded.model.describe())

    def leave(self) -> None:
        """Stop following the viewer. May be called when Qt has deleted this already."""
        self.images.leave()

    def _on_choice(self) -> None:
        layer = self.images.layer()
        if layer is None:
            self.image_line.setText(NO_IMAGE)
        else:
            self.checkpoint.suit(colour=layer.rgb)
        self.options.offer_recipes(self.checkpoint.info)
        self._on_part()
        self.changed.emit()

    def _on_part(self) -> None:
        """Bring what can be chosen of an image in line with what is chosen already."""
        layer, info = self.images.layer(), self.checkpoint.info
        self.part.suit(layer, None if info is None else info.architecture.in_channels)
        image, axes = None, 3
        if isinstance(layer, Image):
            recipe, native = self.options.recipe_for(info), self.options.full_size
            try:
                image = self.part.image(layer, recipe, native=native)
                self.image_line.setText(
                    size_of(replace(image, level=0)) + mixed_units(self._viewer.layers)
                )
                axes = len(image.spatial_shape)
            except InputError as error:
                self.image_line.setText(str(error))
        self.region.suit(axes, volumes=is_for_volumes(info))
        drawn = self.region.scope == RECTANGLE
        self.part.show_level(image, "by the size of the rectangle" if drawn else "")
        # One frame is looked at, the one on screen: there is nothing to choose.
        self.part.time.setVisible(False)
