"""The Inspect widget: what a network attends to, laid over the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGroupBox, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import FEATURES, Looked, MapLayers, Place
from napari_lgmsnet.adapters.jobs import Loaded, Request, load
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.adapters.results import is_result
from napari_lgmsnet.adapters.session import session_of
from napari_lgmsnet.adapters.settings import preferences, remember_checkpoint
from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.errors import CheckpointError, InputError
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.image_part import ImagePart
from napari_lgmsnet.widgets.inspect_attention import AttentionSection
from napari_lgmsnet.widgets.inspect_compare import ComparisonSection
from napari_lgmsnet.widgets.inspect_decisions import DecisionSection
from napari_lgmsnet.widgets.inspect_export import ExportSection
from napari_lgmsnet.widgets.inspect_map import MapChoice
from napari_lgmsnet.widgets.inspect_numbers import Numbers
from napari_lgmsnet.widgets.layer_combo import LayerCombo
from napari_lgmsnet.widgets.region import RECTANGLE, RegionPicker
from napari_lgmsnet.widgets.run_bar import RunBar
from napari_lgmsnet.widgets.segment_options import is_for_volumes
from napari_lgmsnet.widgets.text import mixed_units, size_of

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.inspect.inspection import Inspection

NO_IMAGE = "Open an image first: File > Open File(s)…, or File > Open Sample > LGMSNet."
RUN, LOAD, VIEW, PLOT, RANK = "run", "load", "view", "plot", "rank"


class InspectWidget(QScrollArea):
    """See what a network attends to in the image on screen.

    Parameters
    ----------
    napari_viewer : napari Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self._reading = ""
        self.looked: Looked | None = None
        self.seen: inspect_jobs.Seen | None = None
        self.rows: list[Any] = []
        self.queue = Queue()
        self.maps = MapLayers(napari_viewer)
        self.checkpoint = CheckpointBox()
        self.images = LayerCombo(napari_viewer, _can_be_inspected)
        self.image_line = QLabel()
        self.image_line.setWordWrap(True)
        self.region = RegionPicker(napari_viewer)
        self.bar = RunBar()
        self.bar.cancel.setToolTip("Stop after the current window")
        # Room for what it mostly says, so that nothing below jumps.
        self.bar.line.setMinimumHeight(3 * self.bar.line.fontMetrics().lineSpacing())
        self.bar.line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.numbers = Numbers()
        self._lay_out()
        self._connect()
        wanted = preferences().checkpoint
        if wanted:
            self.checkpoint.choose(wanted)
        self._on_choice()

    @property
    def busy(self) -> bool:
        """Return whether anything is computed."""
        return self.queue.busy

    def run(self) -> None:
        """Run the chosen network over the chosen region of the chosen image."""
        layer = self.images.layer()
        if layer is None or not self.checkpoint.reference or self.queue.kind in (RUN, LOAD):
            return
        try:
            part = self._part(layer)
            region = self.region.box(part)
        except InputError as error:
            self.bar.complain(error)
            return
        self.queue.cancel()
        reference, known = self.checkpoint.reference, self.session.loaded
        request = Request(
            reference=reference,
            image=part,
            region=region,
            settings={"device": preferences().device, "channels": self.part.chosen_channels},
            loaded=known if known is not None and known.reference == reference else None,
        )
        self._reading = reference
        place = Place(layer, part, region)
        self.bar.begin()
        self.queue.ask(
            RUN,
            inspect_jobs.look(request, self.choice.stage_name),
            lambda answer: self._on_looked(place, *answer),
        )
        self._enable()

    def _lay_out(self) -> None:
        form = plain_form()
        form.addRow("&Image", self.images)
        form.addRow(self.image_line)
        self.part = ImagePart(form)
        form.addRow("&Checkpoint", self.checkpoint)
        form.addRow(self.checkpoint.line)
        form.addRow("Re&gion", self.region)
        map_form = plain_form()
        self.choice = MapChoice(map_form, self._viewer)
        map_form.addRow(self.numbers)
        self.attention = AttentionSection(self)
        self.decisions = DecisionSection(self)
        self.comparison = ComparisonSection(self)
        self.export = ExportSection(self)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        for title, inner in (
            ("Feature map", map_form),
            ("Attention of a point", self.attention.form),
            ("Which pixels decided", self.decisions.form),
            ("Another checkpoint", self.comparison.form),
            ("Save", self.export.form),
        ):
            box = QGroupBox(title)
            box.setLayout(inner)
            layout.addWidget(box)
        layout.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        bar = self.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(content.minimumSizeHint().width() + bar + 8)

    def _connect(self) -> None:
        self.images.changed.connect(self._on_choice)
        self.images.listed.connect(self._on_choice)
        self.checkpoint.changed.connect(self._on_choice)
        self.part.changed.connect(self._on_part)
        self.region.combo.currentIndexChanged.connect(lambda _index: self._on_part())
        self.region.draw_clicked.connect(self._draw)
        self.choice.changed.connect(self.see)
        self.choice.rank_clicked.connect(self._rank)
        self.numbers.plot_clicked.connect(self._plot)
        self.bar.run_clicked.connect(self.run)
        self.bar.cancel_clicked.connect(self.queue.cancel)
        self.queue.progressed.connect(self._on_progressed)
        self.queue.failed.connect(self._on_failed)
        self.queue.stopped.connect(self._on_stopped)
        self.queue.idle.connect(self._on_idle)
        self.session.checkpoint_made.connect(self._on_checkpoint_made)
        # By then the parts of this widget are gone in Qt: only what is plain Python may be used.
        leave: list[Callable[[], object]] = [
            self.queue.abandon,
            self.images.leave,
            self.choice.masks.leave,
            self.attention.leave,
            lambda: self.session.checkpoint_made.disconnect(self._on_checkpoint_made),
        ]
        self.destroyed.connect(lambda: [step() for step in leave])

    # --- what is asked --------------------------------------------------------------------------

    def see(self) -> None:
        """Show the chosen map of the chosen stage."""
        view = self.view()
        if view is None or self.looked is None:
            return
        looked = self.looked
        self.queue.ask(
            VIEW,
            inspect_jobs.see(looked.inspection, view),
            lambda seen: self._on_seen(looked, view, seen),
        )

    def mask_part(self) -> inspect_jobs.MaskPart | None:
        """Return the chosen mask on what was inspected, if one is chosen.

        Raises
        ------
        InputError
            If it is the mask of another image.
        """
        layer = self.choice.masks.layer()
        if layer is None or self.looked is None:
            return None
        return self.looked.place.mask(layer)

    def still_there(self, looked: Looked) -> bool:
        """Return whether an answer about what was inspected can be shown."""
        return looked is self.looked and looked.place.image in self._viewer.layers

    def view(self) -> inspect_jobs.View | None:
        """Return which map is chosen; None if nothing was inspected."""
        looked = self.looked
        if looked is None or not self.still_there(looked):
            return None
        mask = None
        try:
            mask = self.mask_part()
            self.bar.say("")
        except InputError as error:
            self.bar.complain(error)
        choice = self.choice
        return inspect_jobs.View(choice.stage_name, choice.reduction, choice.channel_number, mask)

    def _plot(self) -> None:
        looked, view = self.looked, self.view()
        if looked is None or view is None:
            return
        self.bar.begin()
        self.queue.ask(
            PLOT,
            inspect_jobs.plot(looked.inspection, view, self.numbers.chosen_measure),
            self._on_plotted,
        )

    def _rank(self) -> None:
        looked, view = self.looked, self.view()
        if looked is None or view is None or view.mask is None:
            return
        self.queue.ask(RANK, inspect_jobs.rank(looked.inspection, view), self.choice.offer_ranking)

    # --- what is answered -----------------------------------------------------------------------

    def _on_looked(self, place: Place, loaded: Loaded, inspection: Inspection) -> None:
        self._learn(loaded)
        if place.image not in self._viewer.layers:
            self.bar.say("The image was closed in the meantime: its map was dropped.")
            return
        self.looked = Looked(place, inspection)
        self.seen, self.rows = None, []
        self.numbers.show_picture(b"")
        for section in (self.choice, self.attention, self.decisions, self.comparison):
            section.suit(inspection)
        self.see()

    def _on_seen(self, looked: Looked, view: inspect_jobs.View, seen: inspect_jobs.Seen) -> None:
        if not self.still_there(looked):
            return
        self.seen, self.rows = seen, list(seen.rows)
        self.choice.limit(seen.channels)
        name = looked.inspection.model.info.name
        layer = self.maps.show(
            FEATURES, looked.place, seen.map, f"{seen.map.stage}, {seen.map.kind}, of {name}"
        )
        self.numbers.show_rows(seen.rows, masked=view.mask is not None)
        cells = " × ".join(map(str, seen.map.cells.shape))
        if "color" not in self.bar.line.styleSheet():
            self.bar.say(
                f'"{layer.name}": {seen.map.stage}, {seen.map.kind}, {cells} cells from '
                f"{seen.channels} channels of {name}."
            )
        self._enable()

    def _on_plotted(self, plotted: inspect_jobs.Plotted) -> None:
        self.rows = plotted.rows
        self.numbers.show_picture(plotted.picture)
        if not plotted.picture:
            self.bar.say("The mask is empty here: there is nothing to plot.")
        else:
            self.bar.say("Saving the numbers now writes those of all stages.")

    def _learn(self, loaded: Loaded) -> None:
        self.session.loaded = loaded
        if loaded.reference not in shipped():
            remember_checkpoint(loaded.reference)
        self.checkpoint.learn(loaded.reference, loaded.model.info, loaded.model.describe())

    def _on_progressed(self, progress: Progress) -> None:
        if not self.bar.cancel.isEnabled():
            self.bar.begin()
        self.bar.show_progress(progress)

    def _on_failed(self, kind: str, error: Exception) -> None:
        if kind == LOAD or (kind == RUN and isinstance(error, CheckpointError)):
            self.checkpoint.refuse(self._reading)
        self.bar.end()
        self.bar.complain(error)

    def _on_stopped(self) -> None:
        self.bar.end()
        self.bar.say("Stopped; nothing was changed.")

    def _on_idle(self) -> None:
        self.bar.end()
        self._enable()
        self._read_if_unknown()

    def _on_choice(self) -> None:
        """Bring everything in line with the chosen image and checkpoint."""
        self.maps.forget_missing()
        if self.looked is not None and self.looked.place.image not in self._viewer.layers:
            self.looked = self.seen = None
            self.rows = []
            self.numbers.show_picture(b"")
            self.numbers.show_rows([], masked=False)
            for section in (self.choice, self.attention, self.decisions, self.comparison):
                section.suit(None)
        if self.images.layer() is None:
            self.image_line.setText(NO_IMAGE)
        self._on_part()
        self._read_if_unknown()
        self._enable()

    def _read_if_unknown(self) -> None:
        """Read a file whole that does not say in its header what it is."""
        if not self.checkpoint.unread or self.queue.busy:
            return
        reference = self._reading = self.checkpoint.reference
        self.bar.begin()
        self.queue.ask(LOAD, load(reference), self._on_loaded)

    def _on_checkpoint_made(self, reference: str) -> None:
        self.checkpoint.choose(reference)

    def _on_loaded(self, loaded: Loaded) -> None:
        self._learn(loaded)
        self.bar.say("")

    def _on_part(self) -> None:
        """Bring what can be chosen of an image in line with what is chosen already."""
        layer, info = self.images.layer(), self.checkpoint.info
        self.part.suit(layer, None if info is None else info.architecture.in_channels)
        image, axes = None, 3
        if layer is not None:
            try:
                image = self.part.image(layer, None if info is None else info.recipe)
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

    def _part(self, layer: Image) -> LayerImage:
        """Return the chosen level and axes of a layer.

        Raises
        ------
        InputError
            If the layer cannot be inspected, or its level depends on a rectangle that is missing.
        """
        info = self.checkpoint.info
        recipe = None if info is None else info.recipe
        return self.part.image_for(layer, recipe, self.region)

    def _draw(self) -> None:
        layer = self.images.layer()
        if layer is not None:
            self.region.start_drawing(layer)
            self.bar.say("Drag a rectangle over the image, then run.")

    def _enable(self) -> None:
        ready = self.images.layer() is not None and bool(self.checkpoint.reference)
        self.bar.run.setEnabled(ready and self.queue.kind not in (RUN, LOAD))
        self.bar.run.setToolTip(
            "Look into the network while it works on this image"
            if ready
            else "Choose an image and a checkpoint first"
        )
        if self.looked is None:
            why = "Run first"
        elif self.choice.masks.layer() is None:
            why = "Choose a mask first: stages are compared by how well they find it"
        else:
            why = ""
        self.numbers.allow(why)
        self.export.allow()


def _can_be_inspected(layer: Any) -> bool:
    return isinstance(layer, Image) and not is_result(layer)
