"""The Inspect widget: what a network attends to, laid over the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import Looked, MapLayers, Place
from napari_lgmsnet.adapters.inspect_mask import MaskWatch
from napari_lgmsnet.adapters.jobs import Job, Loaded, load
from napari_lgmsnet.adapters.pairs import image_below, is_mask
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.adapters.session import session_of
from napari_lgmsnet.core.errors import CheckpointError, InputError
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.inspect_attention import AttentionSection
from napari_lgmsnet.widgets.inspect_cases import SURVEY, CaseSection
from napari_lgmsnet.widgets.inspect_compare import ComparisonSection
from napari_lgmsnet.widgets.inspect_decisions import DecisionSection
from napari_lgmsnet.widgets.inspect_features import FeatureSection
from napari_lgmsnet.widgets.inspect_section import Scroller, Section
from napari_lgmsnet.widgets.inspect_source import Source
from napari_lgmsnet.widgets.inspect_stages import StageSection
from napari_lgmsnet.widgets.reasons import allow
from napari_lgmsnet.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.inspect.inspection import Inspection

RUN, LOAD = "run", "load"
FOLLOW_MS = 300
"""Numbers follow the mask after its last edit has rested this long."""


class InspectWidget(QWidget):
    """See what a network attends to in the image on screen.

    Parameters
    ----------
    napari_viewer : napari Viewer

    Attributes
    ----------
    viewer : napari Viewer
    images, checkpoint : LayerCombo, CheckpointBox
        What is chosen to be looked at.
    looked : Looked or None
        What was run last.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.looked: Looked | None = None
        self._reading = self._step = ""
        self.queue = Queue()
        self.maps = MapLayers(napari_viewer)
        self.watch = MaskWatch(napari_viewer.dims)
        self.source = Source(napari_viewer)
        self.images, self.checkpoint = self.source.images, self.source.checkpoint
        self.bar = RunBar()
        self.bar.cancel.setToolTip("Stop after the current window")
        # Room for what it mostly says, so that nothing jumps.
        self.bar.line.setMinimumHeight(3 * self.bar.line.fontMetrics().lineSpacing())
        self.bar.line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(FOLLOW_MS)
        self._connect()
        self._forget()
        self._on_choice()
        self._on_mask()

    @property
    def busy(self) -> bool:
        """Return whether anything is computed, or will be in a moment."""
        return self.queue.busy or self._later.isActive() or self.attention.waiting

    def sizeHint(self) -> QSize:
        """Return a height that leaves the dock to the person."""
        return QSize(super().sizeHint().width(), 600)

    def run(self) -> None:
        """Run the chosen network over the chosen region of the chosen image."""
        if self._why_no_run():
            return
        try:
            place, request = self.source.request(self.session.loaded)
        except InputError as error:
            self.bar.complain(error)
            return
        self.queue.cancel()
        job = inspect_jobs.look(request, self.choice.stage_name)
        self.begin(RUN, job, lambda answer: self._on_looked(place, *answer))

    def _lay_out(self) -> None:
        self.features = FeatureSection(self)
        self.choice, self.export = self.features.choice, self.features.export
        self.stages = StageSection(self)
        self.attention = AttentionSection(self)
        self.decisions = DecisionSection(self)
        self.comparison = ComparisonSection(self)
        self.cases = CaseSection(self)
        inner = QVBoxLayout()
        inner.addLayout(self.source.form)
        for title, part in (
            ("Feature map", self.features.form),
            ("All stages", self.stages.layout_),
            ("Attention of a point", self.attention.form),
            ("Which pixels decided", self.decisions.form),
            ("Another checkpoint", self.comparison.form),
            ("Several images", self.cases.layout_),
        ):
            inner.addWidget(Section(title, part, opened=part is self.features.form))
        inner.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(Scroller(inner), 1)
        # Below what scrolls: from everywhere a person sees how far it has come, and can stop.
        layout.addWidget(self.bar)

    def _connect(self) -> None:
        self.source.changed.connect(self._on_choice)
        self.source.options.recipe.currentIndexChanged.connect(lambda _index: self.allow())
        self.source.region.draw_clicked.connect(self._draw)
        self.choice.mask_changed.connect(self._on_mask)
        self.bar.run_clicked.connect(self.run)
        self.bar.cancel_clicked.connect(self.queue.cancel)
        self._later.timeout.connect(self._follow)
        self.watch.edited.connect(self._on_edited)
        self.queue.progressed.connect(self._on_progressed)
        self.queue.failed.connect(self._on_failed)
        self.queue.stopped.connect(self._on_stopped)
        self.queue.idle.connect(self._on_idle)
        self.session.checkpoint_made.connect(self._on_checkpoint_made)
        # By then the parts of this widget are gone in Qt: only what is plain Python may be used.
        leave: list[Callable[[], object]] = [
            self.queue.abandon,
            self.watch.edited.disconnect,
            self.watch.leave,
            self.source.leave,
            self.choice.masks.leave,
            self.attention.leave,
            lambda: self.session.checkpoint_made.disconnect(self._on_checkpoint_made),
        ]
        self.destroyed.connect(lambda: [step() for step in leave])

    # --- what the parts ask ---------------------------------------------------------------------

    def begin(self, kind: str, job: Job, done: Callable[[Any], None]) -> None:
        """Ask something that takes a while, and show that it is under way."""
        self._reading = self.checkpoint.reference
        self.bar.begin()
        self.queue.ask(kind, job, done)
        self.allow()

    def still_there(self, looked: Looked) -> bool:
        """Return whether an answer about what was inspected can be shown."""
        return looked is self.looked and looked.place.image in self.viewer.layers

    def mask_part(self) -> inspect_jobs.MaskPart:
        """Return the chosen mask on what was inspected.

        Raises
        ------
        InputError
            If none is chosen, or it is the mask of another image.
        """
        layer = self.choice.masks.layer()
        if self.looked is None or layer is None:
            raise InputError("Choose a mask first")
        return self.looked.place.mask(layer)

    def why_not(self, *, mask: bool = False) -> str:
        """Return what has to be done before anything can be asked; empty if nothing.

        Parameters
        ----------
        mask : bool
            What is asked needs a mask.
        """
        if self.looked is None:
            return "Run first"
        if mask:
            try:
                self.mask_part()
            except InputError as error:
                return str(error)
        return ""

    def allow(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        allow(self.bar.run, self._why_no_run(), "Look into the network while it works on the image")
        for part in (self.features, self.stages, self.decisions, self.comparison, self.cases):
            part.allow()

    def about(self) -> str:
        """Return what everything below is about."""
        looked, source = self.looked, self.source
        if looked is None:
            return "Run first: then all of this answers."
        info = looked.inspection.model.info
        words = f'"{looked.place.image.name}" as "{info.title or info.name}" sees it.'
        chosen = (source.images.layer(), source.checkpoint.reference)
        recipe = source.options.recipe_for(source.checkpoint.info)
        if chosen != (looked.place.image, looked.reference) or recipe != info.recipe:
            words += " Something else is chosen above: run to see that."
        return words

    def learn(self, loaded: Loaded) -> None:
        """Keep a checkpoint that was read."""
        self.session.loaded = loaded
        self.source.learn(loaded)

    def _draw(self) -> None:
        layer = self.images.layer()
        if layer is not None:
            self.source.region.start_drawing(layer)
            self.bar.say("Drag a rectangle over the image, then run.")

    # --- what is answered -----------------------------------------------------------------------

    def _on_looked(self, place: Place, loaded: Loaded, inspection: Inspection) -> None:
        self.learn(loaded)
        if place.image not in self.viewer.layers:
            self.bar.say("The image was closed in the meantime: its map was dropped.")
            return
        other = self.looked is None or self.looked.place.image is not place.image
        self.looked = Looked(place, inspection, loaded.reference)
        if other and self.choice.masks.layer() is None:
            self._choose_mask(place)
        for part in self._asking:
            part.suit(inspection)
        self.features.see()

    def _choose_mask(self, place: Place) -> None:
        """Choose the mask that lies on an image, if there is one."""
        layers, results = self.viewer.layers, self.session.results
        mine = [
            layer
            for layer in layers
            if is_mask(layer) and image_below(layers, results, layer) is place.image
        ]
        if mine:
            self.choice.masks.choose(mine[-1])

    def _on_progressed(self, progress: Progress) -> None:
        if not self.bar.cancel.isEnabled():
            self.bar.begin()
        self.bar.show_progress(progress)
        self._step = self.bar.line.text()

    def _on_failed(self, kind: str, error: Exception) -> None:
        if kind == LOAD or (kind in (RUN, SURVEY) and isinstance(error, CheckpointError)):
            self.checkpoint.refuse(self._reading)
        self.bar.end()
        self.bar.complain(error)

    def _on_stopped(self) -> None:
        self.bar.end()
        self.bar.say("Stopped; nothing was changed.")

    def _on_idle(self) -> None:
        self.bar.end()
        if self.bar.line.text() == self._step:
            self.bar.say("")
        self.allow()
        self._read_if_unknown()

    # --- what is chosen -------------------------------------------------------------------------

    def _on_choice(self) -> None:
        """Bring everything in line with the chosen image and checkpoint."""
        self.maps.forget_missing()
        if self.looked is not None and self.looked.place.image not in self.viewer.layers:
            self._forget()
        self.cases.refresh()
        self._read_if_unknown()
        self.allow()

    def _forget(self) -> None:
        self.looked = None
        for part in self._asking:
            part.suit(None)

    def _on_mask(self) -> None:
        self.watch.follow(self.choice.masks.layer())
        self._follow()
        self.allow()

    def _on_edited(self) -> None:
        # Each edit puts it off: the window has time for the brush.
        self._later.start()

    def _follow(self) -> None:
        """Bring all numbers in line with the mask."""
        self.features.score()
        self.stages.follow()
        self.comparison.follow()

    def _read_if_unknown(self) -> None:
        """Read a file whole that does not say in its header what it is."""
        if self.checkpoint.unread and not self.queue.busy:
            self.begin(LOAD, load(self.checkpoint.reference), self._on_loaded)

    def _on_checkpoint_made(self, reference: str) -> None:
        self.checkpoint.choose(reference)

    def _on_loaded(self, loaded: Loaded) -> None:
        self.learn(loaded)
        self.bar.say("")

    @property
    def _asking(self) -> tuple[Any, ...]:
        """Return the parts that ask about what was inspected."""
        return (self.features, self.stages, self.attention, self.decisions, self.comparison)

    def _why_no_run(self) -> str:
        if self.queue.kind in (RUN, LOAD, SURVEY):
            return "Wait for the end first, or cancel"
        return self.source.why_not
