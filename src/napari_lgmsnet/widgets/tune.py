"""The Fine-tune widget: teach the network your corrections, and see whether it got better."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_lgmsnet.adapters import lineage_jobs, tune_jobs
from napari_lgmsnet.adapters.changes import show_change
from napari_lgmsnet.adapters.session import session_of
from napari_lgmsnet.adapters.settings import preferences, remember_checkpoint
from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.core.errors import Cancelled
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.closing import Closing
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.lineage import LineageView
from napari_lgmsnet.widgets.run_bar import RunBar
from napari_lgmsnet.widgets.text import duration
from napari_lgmsnet.widgets.tune_curve import TuneCurve
from napari_lgmsnet.widgets.tune_options import TuneOptions
from napari_lgmsnet.widgets.tune_source import TuneSource
from napari_lgmsnet.widgets.tune_verdict import TuneVerdict

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.finetune import Control, TuneProgress


class TuneWidget(QScrollArea):
    """Fine-tune a checkpoint on corrected masks.

    Parameters
    ----------
    napari_viewer : napari Viewer
    folder : Path, optional
        Where accepted checkpoints are kept that belong to no project; by default the person's
        data folder.
    """

    def __init__(self, napari_viewer: Viewer, folder: Path | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.folder = folder or _data_folder()
        self.tuned: tune_jobs.Tuned | None = None
        self._control: Control | None = None
        self._steps: deque[TuneProgress] = deque()
        self._job = Background()
        self.checkpoint = CheckpointBox()
        self.bar = RunBar()
        self.bar.run.setText("&Start")
        self.bar.cancel.setToolTip("Stop and forget what was learnt")
        self.pause = QPushButton("Pause")
        self.pause.setCheckable(True)
        self.stop = QPushButton("Stop, keep the best")
        self.stop.setToolTip("End training now, and compare the best state so far")
        self.curve = TuneCurve()
        self.verdict = TuneVerdict()
        self.lineage = LineageView()
        self._lay_out()
        self._connect()
        self._on_project()
        wanted = preferences().checkpoint
        if wanted:
            self.checkpoint.choose(wanted)
        self._suit()
        self._enable()

    @property
    def busy(self) -> bool:
        """Return whether a training, or its saving, is under way."""
        return self._job.running or self.lineage.busy

    def start(self) -> None:
        """Learn from what is chosen."""
        if self._job.running or not self.checkpoint.reference:
            return
        project = self.session.project if self.source.from_project else None
        pairs = [] if self.source.from_project else self.source.pairs()
        if project is None and not pairs:
            self.bar.say(
                "There is nothing to learn from yet: tick a corrected mask, or open a project."
            )
            return
        from napari_lgmsnet.core.finetune.control import Control

        self._control = Control()
        reference, known = self.checkpoint.reference, self.session.loaded
        wish = tune_jobs.Wish(
            reference=reference,
            loaded=known if known is not None and known.reference == reference else None,
            settings={**self.options.settings(), "device": preferences().device},
            pairs=pairs,
            scribbles=self.source.scribbles,
            references=self.options.references.folder,
            project=project,
        )
        self.tuned = None
        self.verdict.clear()
        self.curve.clear()
        self.bar.begin()
        self._steps.clear()
        self._job.start(tune_jobs.noting(tune_jobs.tune(wish, self._control), self._steps))
        self._enable()

    def _lay_out(self) -> None:
        form = plain_form()
        self.source = TuneSource(self._viewer, self.session, form)
        form.addRow("Chec&kpoint", self.checkpoint)
        form.addRow(self.checkpoint.line)
        self.options = TuneOptions(form)
        row = QHBoxLayout()
        row.addWidget(self.pause)
        row.addWidget(self.stop)
        content = self._content = QWidget()
        layout = QVBoxLayout(content)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        layout.addLayout(row)
        layout.addWidget(self.curve)
        layout.addWidget(self.verdict)
        self.family = QCollapsible("Checkpoints, and where they came from")
        self.family.addWidget(self.lineage)
        layout.addWidget(self.family)
        layout.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(360)

    def _connect(self) -> None:
        self.checkpoint.changed.connect(self._enable)
        self.source.listed.connect(self._suit)
        self.bar.run_clicked.connect(self.start)
        self.bar.cancel_clicked.connect(self._on_cancel)
        self.pause.toggled.connect(self._on_pause)
        self.stop.clicked.connect(self._on_stop)
        self.verdict.accepted.connect(self._on_accept)
        self.verdict.discarded.connect(self._on_discard)
        self.verdict.back.connect(self._on_back)
        self.verdict.show_change.connect(self._on_show_change)
        self._job.progressed.connect(self._on_progressed)
        self._job.returned.connect(self._on_tuned)
        self._job.failed.connect(self._on_failed)
        self._job.stopped.connect(self._on_stopped)
        self.lineage.used.connect(self._on_used)
        self.lineage.failed.connect(self.bar.complain)
        self.session.project_changed.connect(self._on_project)
        self.session.checkpoint_made.connect(self._on_checkpoint_made)
        self._closing = Closing(self, self._may_close)
        # By then the parts of this widget are gone in Qt: only what is plain Python may be used.
        leave: list[Callable[[], object]] = [
            self._job.abandon,
            self.lineage.leave,
            lambda: self.session.project_changed.disconnect(self._on_project),
            self.source.leave,
            lambda: self.session.checkpoint_made.disconnect(self._on_checkpoint_made),
        ]
        self.destroyed.connect(lambda: [step() for step in leave])

    def _suit(self) -> None:
        self.checkpoint.suit(colour=self.source.colour)

    # --- while it learns ------------------------------------------------------------------------

    def _on_progressed(self, progress: Progress) -> None:
        phase = getattr(progress, "phase", "")
        if phase != "train":
            self.bar.show_progress(progress)
            return
        step: TuneProgress = progress  # type: ignore[assignment]  # only training has this phase
        self._draw_curve()
        self.bar.bar.setRange(0, step.total)
        self.bar.bar.setValue(step.step)
        if self._control is not None and self._control.paused:
            self.bar.say("Paused: nothing is learnt, and the time stands still.")
            return
        words = [f"Learning, step {step.trained}"]
        if step.images_per_second is not None:
            words.append(f"{step.images_per_second:.1f} images a second")
        if step.seconds_left is not None:
            words.append(f"{duration(step.seconds_left)} left")
        self.bar.say(", ".join(words) + ". You can go on correcting meanwhile.")

    def _draw_curve(self) -> None:
        self.curve.add([self._steps.popleft() for _ in range(len(self._steps))])

    def _on_pause(self, on: bool) -> None:
        if self._control is not None:
            (self._control.pause if on else self._control.resume)()
        self.pause.setText("Go on" if on else "Pause")

    def _on_stop(self) -> None:
        if self._control is not None:
            self._control.stop()
        self.pause.setChecked(False)
        self.stop.setEnabled(False)

    def _on_cancel(self) -> None:
        if self._control is not None:
            self._control.cancel()
        self._job.cancel()

    # --- afterwards -----------------------------------------------------------------------------

    def _on_tuned(self, tuned: tune_jobs.Tuned) -> None:
        self._end()
        self.tuned = tuned
        self.session.loaded = tuned.loaded
        info = tuned.loaded.model.info
        self.checkpoint.learn(tuned.loaded.reference, info, tuned.loaded.model.describe())
        self.verdict.show_result(tuned.result)
        if tuned.checkpoint is not None:
            self._on_project()
        self.bar.say("Done. What came of it stands below.")
        self._enable()

    def _on_accept(self) -> None:
        if self.tuned is not None and self.tuned.result.verdict.better:
            self.lineage.do(tune_jobs.accept(self.tuned, self.folder))

    def _on_discard(self) -> None:
        if self.tuned is not None:
            self.lineage.do(tune_jobs.reject(self.tuned))
        self.tuned = None
        self.verdict.clear()
        self.bar.say("Discarded: the checkpoint is as it was.")

    def _on_back(self) -> None:
        if self.tuned is not None:
            self.lineage.do(tune_jobs.back(self.tuned))

    def _on_used(self, reference: str) -> None:
        """Use a checkpoint everywhere: one just accepted, or one out of the tree."""
        if Path(reference).is_file():
            remember_checkpoint(reference)
        self.session.checkpoint_made.emit(reference)
        name = self.checkpoint.combo.currentText()
        self.bar.say(f"In use from now on: {name}.")
        if self.tuned is not None:
            self.verdict.show_used(reference, self.tuned.loaded)

    def _on_project(self) -> None:
        self.lineage.show_shelf(lineage_jobs.Shelf(self.folder, self.session.project))

    def _on_show_change(self, place: int) -> None:
        if self.tuned is not None:
            show_change(self._viewer, self.tuned.result.changes[place])

    def _on_checkpoint_made(self, reference: str) -> None:
        self.checkpoint.choose(reference)

    def _on_failed(self, error: Exception) -> None:
        self._end()
        if isinstance(error, Cancelled):
            self.bar.say("Cancelled: nothing was changed.")
        else:
            self.bar.complain(error)
        self._enable()

    def _on_stopped(self) -> None:
        self._end()
        self.bar.say("Cancelled: nothing was changed.")
        self._enable()

    def _end(self) -> None:
        self._draw_curve()
        self._control = None
        self.pause.setChecked(False)
        self.bar.end()

    def _enable(self) -> None:
        running = self._job.running
        self.bar.run.setEnabled(not running and bool(self.checkpoint.reference))
        self.pause.setEnabled(running)
        self.stop.setEnabled(running)

    def _may_close(self, stays: bool) -> bool:
        """Ask before a training is lost; return whether the window may close.

        Where the window stays, this widget was taken out of it: nothing is left to ask about.
        """
        if not self._job.running:
            return True
        if stays:
            self._on_cancel()
            return True
        answer = QMessageBox.question(
            self,
            "Training",
            "A training is under way. Stop it and forget what was learnt?",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,
        )
        if answer != QMessageBox.StandardButton.Yes:
            return False
        self._on_cancel()
        return True


def _data_folder() -> Path:
    path: Any = platformdirs.user_data_path("napari-lgmsnet", appauthor=False)
    return Path(path) / "checkpoints"
