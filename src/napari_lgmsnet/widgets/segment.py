"""The Segment widget: from a checkpoint and an image to a mask that can be painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_lgmsnet.adapters import jobs
from napari_lgmsnet.adapters.layer_image import LayerImage
from napari_lgmsnet.adapters.results import Mask, Result, is_result
from napari_lgmsnet.adapters.session import session_of
from napari_lgmsnet.adapters.settings import preferences, remember_checkpoint
from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.engines.names import AUTO, BFLOAT16
from napari_lgmsnet.core.errors import CheckpointError, InputError
from napari_lgmsnet.core.geometry import Box
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.image_part import ImagePart
from napari_lgmsnet.widgets.layer_combo import LayerCombo
from napari_lgmsnet.widgets.questions import Edits, ask_about_edits
from napari_lgmsnet.widgets.region import RECTANGLE
from napari_lgmsnet.widgets.run_bar import RunBar
from napari_lgmsnet.widgets.run_options import is_for_volumes
from napari_lgmsnet.widgets.save_bar import SaveBar
from napari_lgmsnet.widgets.segment_options import SegmentOptions
from napari_lgmsnet.widgets.spacing_offer import SpacingOffer
from napari_lgmsnet.widgets.text import duration, mixed_units, size_of
from napari_lgmsnet.widgets.threshold import ThresholdSlider

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.prediction import Prediction

NO_IMAGE = "Open an image first: File > Open File(s)…, or File > Open Sample > LGMSNet."


@dataclass(frozen=True)
class _Run:
    """What was asked for, until its result is there."""

    image: Image
    part: LayerImage
    region: Box
    """Where in the mask the result will lie."""
    accepted: Mask | None
    """That part of the mask, with edits that the person agreed to lose."""
    keep: bool
    """Whether the edits there were go to a layer of their own."""


class SegmentWidget(QWidget):
    """Run a network over the image on screen.

    Parameters
    ----------
    napari_viewer : napari Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.results = self.session.results
        self._run: _Run | None = None
        self._reading = ""
        self._axes = 3
        self._job = Background()
        self.checkpoint = CheckpointBox()
        self.images = LayerCombo(napari_viewer, _can_be_segmented)
        self.image_line = QLabel()
        self.image_line.setWordWrap(True)
        self.spacing = SpacingOffer(napari_viewer)
        self.threshold = ThresholdSlider(self.session, self._result)
        self.bar = RunBar()
        self.save = SaveBar(napari_viewer, self._mask, self._was_edited)
        self._lay_out()
        self._connect()
        wanted = preferences().checkpoint
        if wanted:
            self.checkpoint.choose(wanted)
        self._on_choice()

    @property
    def busy(self) -> bool:
        """Return whether a checkpoint is being read, a network runs, or a mask is written."""
        return self._job.running or self.session.writer.busy

    def run(self) -> None:
        """Segment the chosen region of the chosen image."""
        layer = self.images.layer()
        if layer is None or not self.checkpoint.reference or self._job.running:
            return
        try:
            image = self._image(layer)
            region = self.options.region.box(image, frames=self.part.each_frame)
        except InputError as error:
            self.bar.complain(error)
            return
        accepted, keep = None, False
        box, info = image.mask_box(region), self.checkpoint.info
        # Other classes, and another level, go to layers of their own in any case.
        result = self.results.suits(layer, image, None if info is None else info.classes)
        if result is not None and result.edited(box):
            answer = ask_about_edits(self, str(result.mask.name))
            if answer is Edits.CANCEL:
                return
            accepted, keep = result.mask.data[box].copy(), answer is Edits.KEEP
        self._run = _Run(layer, image, box, accepted, keep)
        reference, known = self.checkpoint.reference, self.session.loaded
        request = jobs.Request(
            reference=reference,
            image=image,
            region=region,
            recipe=self.options.recipe_name,
            settings={
                **self.options.settings(),
                "threshold": self.threshold.value(),
                "channels": self.part.chosen_channels,
            },
            loaded=known if known is not None and known.reference == reference else None,
        )
        self._start(jobs.segment(request))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.addRow("&Image", self.images)
        form.addRow(self.image_line)
        form.addRow(self.spacing)
        self.part = ImagePart(form)
        form.addRow("&Checkpoint", self.checkpoint)
        form.addRow(self.checkpoint.line)
        self.options = SegmentOptions(form, self._viewer)
        form.addRow("&Threshold", self.threshold)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        layout.addWidget(self.save)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.images.changed.connect(self._on_choice)
        self.spacing.failed.connect(self.bar.complain)
        self.images.listed.connect(self._on_choice)
        self.checkpoint.changed.connect(self._on_choice)
        self.part.changed.connect(self._on_part)
        for combo in (self.options.recipe, self.options.region.combo):
            combo.currentIndexChanged.connect(lambda _index: self._on_part())
        self.options.native.toggled.connect(lambda _checked: self._on_part())
        self.options.region.draw_clicked.connect(self._draw)
        self.bar.run_clicked.connect(self.run)
        self.bar.cancel_clicked.connect(self._job.cancel)
        self.threshold.cut.connect(self._on_cut)
        self.threshold.failed.connect(self.bar.complain)
        self._job.progressed.connect(self.bar.show_progress)
        self._job.returned.connect(self._on_returned)
        self._job.failed.connect(self._on_failed)
        self._job.stopped.connect(self._on_stopped)
        self.session.checkpoint_made.connect(self._on_checkpoint_made)
        # By then the parts of this widget are gone in Qt: only what is plain Python may be used.
        leave: list[Callable[[], object]] = [
            self._job.abandon,
            self.threshold.job.abandon,
            self.images.leave,
            self.save.leave,
            self.spacing.leave,
            lambda: self.session.checkpoint_made.disconnect(self._on_checkpoint_made),
        ]
        self.destroyed.connect(lambda: [step() for step in leave])

    def _on_checkpoint_made(self, reference: str) -> None:
        self.checkpoint.choose(reference)

    def _result(self) -> Result | None:
        layer = self.images.layer()
        return None if layer is None else self.results.of(layer)

    def _mask(self) -> Labels | None:
        """Return what would be saved: the mask that is selected, or that of the chosen image."""
        active = self._viewer.layers.selection.active
        if isinstance(active, Labels):
            return active
        result = self._result()
        return None if result is None else result.mask

    def _was_edited(self, mask: Labels) -> bool:
        """Return whether a mask may be more than what the network said."""
        result = self._result()
        if result is None or result.mask != mask:
            return True
        return result.edited((slice(None),) * mask.ndim)

    def _draw(self) -> None:
        layer = self.images.layer()
        if layer is None:
            return
        self.options.region.start_drawing(layer)
        self.bar.say("Drag a rectangle over the image, then run.")

    def _on_choice(self) -> None:
        """Bring everything in line with the chosen image and checkpoint."""
        self.results.forget_missing()
        layer = self.images.layer()
        if layer is None:
            self.image_line.setText(NO_IMAGE)
        else:
            self.checkpoint.suit(colour=layer.rgb)
        info = self.checkpoint.info
        self.spacing.suit(layer)
        # Recipes come with the checkpoint, and levels are chosen by the recipe.
        self.options.suit(info, self._axes)
        self._on_part()
        self.threshold.show_result(self._result())
        self.save.refresh()
        if self.checkpoint.unread and not self._job.running:
            # The authors' files say nothing in their header: reading them whole tells.
            self._start(jobs.load(self.checkpoint.reference))
        self._enable()

    def _on_part(self) -> None:
        """Bring what can be chosen of an image in line with what is chosen already."""
        layer, info = self.images.layer(), self.checkpoint.info
        self.part.suit(layer, None if info is None else info.architecture.in_channels)
        image = None
        if layer is not None:
            recipe, native = self.options.recipe_for(info), self.options.full_size
            try:
                image = self.part.image(layer, recipe, native=native)
                self.image_line.setText(
                    size_of(replace(image, level=0)) + mixed_units(self._viewer.layers)
                )
                self._axes = len(image.spatial_shape)
            except InputError as error:
                self.image_line.setText(str(error))
        self.options.region.suit(self._axes, volumes=is_for_volumes(info))
        drawn = self.options.region.scope == RECTANGLE
        self.part.show_level(image, "by the size of the rectangle" if drawn else "")

    def _image(self, layer: Image) -> LayerImage:
        """Return the chosen level and axes of a layer.

        Raises
        ------
        InputError
            If the layer cannot be segmented, or its level depends on a rectangle that is missing.
        """
        recipe = self.options.recipe_for(self.checkpoint.info)
        native = self.options.full_size
        return self.part.image_for(layer, recipe, self.options.region, native=native)

    def _enable(self) -> None:
        ready = self.images.layer() is not None and bool(self.checkpoint.reference)
        self.bar.run.setEnabled(ready and not self._job.running)
        self.bar.run.setToolTip(
            "Make a mask" if ready else "Choose an image and a checkpoint first"
        )

    def _start(self, job: jobs.Job) -> None:
        self._reading = self.checkpoint.reference
        self.bar.begin()
        self._job.start(job)
        self._enable()

    def _on_returned(self, answer: Any) -> None:
        run, self._run = self._run, None
        self.bar.end()
        if run is None:
            self._learn(answer)
            self.bar.say("")
            self._on_choice()
            return
        loaded, prediction = answer
        # It may have been moved while the network ran.
        threshold = self.threshold.value()
        self._learn(loaded)
        self._show(run, prediction)
        self._on_choice()
        if self.images.layer() == run.image:
            self.threshold.setValue(threshold)

    def _learn(self, loaded: jobs.Loaded) -> None:
        self.session.loaded = loaded
        if loaded.reference not in shipped():
            remember_checkpoint(loaded.reference)
        self.options.offer_devices(loaded.devices)
        self.checkpoint.learn(loaded.reference, loaded.model.info, loaded.model.describe())

    def _show(self, run: _Run, prediction: Prediction) -> None:
        if run.image not in self._viewer.layers:
            self.bar.say("The image was closed in the meantime: its mask was dropped.")
            return
        result = self.results.suits(run.image, run.part, prediction.info.classes)
        keep = run.keep
        if result is not None and result.edited(run.region, run.accepted):
            # Painted while the network ran.
            answer = ask_about_edits(self, str(result.mask.name))
            if answer is Edits.CANCEL:
                self.bar.say("Your mask was left as it is.")
                return
            keep = answer is Edits.KEEP
        if result is not None and keep:
            self.results.set_aside(result)
        with self.session.changing_by("network"):
            result = self.results.show(run.image, run.part, run.region, prediction)
        self.session.predicted.emit(result)
        if prediction.settings.engine == AUTO:
            self.options.show_engine(prediction.engine)
        where = prediction.device
        if prediction.engine == BFLOAT16:
            where += ", in reduced precision"
        self.bar.say(
            f'"{result.mask.name}" made with {prediction.info.name} in '
            f"{duration(prediction.seconds)} on {where}. Paint in it to correct.",
            detail=prediction.describe(),
        )
        for note in prediction.notes:
            self.bar.say(f"{self.bar.line.text()} Note: {note}.", detail=prediction.describe())

    def _on_cut(self, result: Result) -> None:
        threshold = result.prediction.settings.threshold
        self.bar.say(
            f'"{result.mask.name}" cut at {threshold:.2f}.', detail=result.prediction.describe()
        )

    def _on_failed(self, error: Exception) -> None:
        loading, self._run = self._run is None, None
        self.bar.end()
        if loading or isinstance(error, CheckpointError):
            self.checkpoint.refuse(self._reading)
        self.bar.complain(error)
        # Another checkpoint, chosen in the meantime, may wait to be read.
        self._on_choice()

    def _on_stopped(self) -> None:
        self._run = None
        self.bar.end()
        self._enable()
        self.bar.say("Stopped; nothing was changed.")


def _can_be_segmented(layer: Any) -> bool:
    return isinstance(layer, Image) and not is_result(layer)
