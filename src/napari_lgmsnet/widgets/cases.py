"""The Cases widget: a project's images one after the other, and every edit kept."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_lgmsnet.adapters import case_jobs
from napari_lgmsnet.adapters.case_desk import Desk
from napari_lgmsnet.adapters.case_jobs import ImageMissing, Predicted, Wanted
from napari_lgmsnet.adapters.settings import preferences, remember_checkpoint, remember_project
from napari_lgmsnet.core.catalogue import shipped
from napari_lgmsnet.core.errors import ProjectError
from napari_lgmsnet.widgets.cases_bar import CaseBar
from napari_lgmsnet.widgets.cases_filter import CaseFilter
from napari_lgmsnet.widgets.cases_menu import ProjectMenu
from napari_lgmsnet.widgets.cases_progress import CaseProgress
from napari_lgmsnet.widgets.cases_questions import Unsaved, ask_about_unsaved
from napari_lgmsnet.widgets.cases_start import NoCases, Notice, StartPanel
from napari_lgmsnet.widgets.cases_table import CaseTable
from napari_lgmsnet.widgets.cases_words import (
    count_words,
    read_only_words,
    result_words,
    save_words,
    why_not_predict,
)
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.closing import Closing

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.project import Case, SaveState

IMAGES = (
    "Images (*.nii *.nii.gz *.tif *.tiff *.png *.jpg *.jpeg *.nrrd *.nhdr *.mha *.mhd *.dcm);;"
    "All files (*)"
)
PREDICT = "Segment this case, and from then on the next one ahead of time"
_ERROR = "color: #ff8a73;"


class CasesWidget(QWidget):
    """Go through the cases of a project, predict them, correct them, accept them.

    Parameters
    ----------
    napari_viewer : napari Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.desk = Desk(napari_viewer)
        self._missing: Case | None = None
        self.notice = Notice()
        self.start = StartPanel()
        self.no_cases = NoCases()
        self.title = QLabel()
        self.menu = ProjectMenu(self)
        self.filter = CaseFilter()
        self.table = CaseTable(self.desk.set_note)
        self.bar = CaseBar()
        self.save_line = QLabel()
        self.checkpoint = CheckpointBox()
        self.progress = CaseProgress()
        self._lay_out()
        self._connect()
        self._closing = Closing(self, lambda stays: self.close_project(layers=stays))
        wanted = preferences().checkpoint
        if wanted:
            self.checkpoint.choose(wanted)
        self._on_checkpoint()
        self._on_project()

    # --- what a person does ----------------------------------------------------------------------

    def new_project(self) -> None:
        """Ask for a folder and make a project in it."""
        folder = self._ask_folder("Choose an empty folder for the project, or make one")
        if folder:
            self.open_project(folder, create=True)

    def choose_project(self) -> None:
        """Ask for a project's folder and open it."""
        folder = self._ask_folder("Choose the folder of a project")
        if folder:
            self.open_project(folder)

    def open_project(self, folder: str | Path, *, create: bool = False) -> None:
        """Open a project, or make a new one in a folder."""
        if self.close_project():
            self.desk.open_project(Path(folder), create=create)
            self._begin()

    def close_project(self, *, layers: bool = True) -> bool:
        """Save everything and close the project, and the case's layers if that is wanted.

        If it fails, ask. Return whether the project is closed.
        """
        while True:
            try:
                self.desk.close(layers=layers)
            except ProjectError as error:
                answer = ask_about_unsaved(self, str(error))
                if answer is Unsaved.STAY:
                    return False
                if answer is Unsaved.LOSE:
                    self.desk.discard(layers=layers)
                    return True
            else:
                return True

    def add_images(self) -> None:
        """Ask for image files and add them."""
        files, _ = QFileDialog.getOpenFileNames(self, "Add images", self._beside_project, IMAGES)
        if files:
            self.add([Path(file) for file in files])

    def add_folder(self) -> None:
        """Ask for a folder and add all images in it."""
        folder = self._ask_folder("Add all images in a folder, and in the folders inside")
        if folder:
            self.add([Path(folder)])

    def add(self, images: list[Path]) -> None:
        """Add images, or folders of them."""
        self.desk.add(images)
        self._begin()

    def next_case(self) -> None:
        """Go to the next case of the list."""
        self.desk.step(1)
        self._begin()

    def previous_case(self) -> None:
        """Go to the previous case of the list."""
        self.desk.step(-1)
        self._begin()

    def open_case(self, case_id: int) -> None:
        """Show a case."""
        self.desk.open_case(case_id)
        self._begin()

    def accept(self) -> None:
        """Accept the mask on screen: it is right everywhere."""
        self._decide("accepted", "Accepted")

    def accept_touched(self) -> None:
        """Accept what the person changed or vouched for; the rest is unlabelled."""
        if self.desk.set_state("accepted", partial=True):
            self.progress.tell("Accepted where you touched it; the rest counts as unlabelled.")

    def reject(self) -> None:
        """Leave the case on screen out."""
        self._decide("rejected", "Rejected")

    def back_to_correction(self) -> None:
        """Take back that the case on screen was accepted or rejected."""
        self._decide("in correction", "Back in correction")

    def predict(self) -> None:
        """Segment the case on screen; the next ones follow ahead of time."""
        if self.desk.case is not None and self.checkpoint.reference:
            self.desk.predict(self._wanted())
            self._begin()

    def predict_all(self) -> None:
        """Segment all new cases in the background."""
        if self.checkpoint.reference:
            self.desk.predict_ahead(self._wanted(), everything=True)
            self._begin()

    def export(self) -> None:
        """Ask for a folder and write the accepted cases as training reads them."""
        project = self.desk.project
        folder = self._ask_folder("Choose an empty folder for the accepted images and masks")
        if folder and project is not None:
            self.desk.ask(case_jobs.export(project, self.desk.saver, Path(folder)))
            self._begin()

    def check(self) -> None:
        """Check every row and file of the project."""
        if self.desk.project is not None:
            self.desk.ask(case_jobs.check(self.desk.project, self.desk.saver))
            self._begin()

    def find_image(self) -> None:
        """Ask where a missing image is now, and look there."""
        case = self._missing
        folder = self._ask_folder("Choose the folder where the images are now")
        if case is not None and folder:
            self.notice.hide()
            self.desk.find(case.id, Path(folder))
            self._begin()

    # --- how it looks ----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.save_line.setWordWrap(True)
        self.save_line.setTextFormat(Qt.TextFormat.PlainText)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.menu)
        self.work = QWidget()
        work = QVBoxLayout(self.work)
        work.setContentsMargins(0, 0, 0, 0)
        work.addLayout(head)
        for part in (self.no_cases, self.filter, self.table, self.bar, self.save_line):
            work.addWidget(part, 100 if part is self.table else 0)
        work.addWidget(self.checkpoint)
        work.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.notice)
        layout.addWidget(self.start)
        layout.addWidget(self.work, 1)
        layout.addWidget(self.progress)

    def _connect(self) -> None:
        desk = self.desk
        self.start.new_clicked.connect(self.new_project)
        self.start.open_clicked.connect(self.choose_project)
        self.start.recent_clicked.connect(self.open_project)
        self.no_cases.images.clicked.connect(lambda: self.add_images())
        self.no_cases.folder.clicked.connect(lambda: self.add_folder())
        self.notice.answer.clicked.connect(lambda: self.find_image())
        self.filter.changed.connect(self._on_filter)
        self.table.opened.connect(self.open_case)
        self.bar.previous_clicked.connect(self.previous_case)
        self.bar.next_clicked.connect(self.next_case)
        self.bar.accept_clicked.connect(self.accept)
        self.bar.partial_clicked.connect(self.accept_touched)
        self.bar.reject_clicked.connect(self.reject)
        self.bar.back_clicked.connect(self.back_to_correction)
        self.checkpoint.changed.connect(self._on_checkpoint)
        self.progress.run_clicked.connect(self.predict)
        self.progress.cancel_clicked.connect(desk.cancel)
        desk.project_changed.connect(self._on_project)
        desk.case_changed.connect(self._on_case)
        desk.cases_changed.connect(self._refresh)
        desk.saved.connect(self._on_saved)
        desk.said.connect(self.progress.tell)
        desk.failed.connect(self._on_failed)
        desk.done.connect(self._on_done)
        desk.missing.connect(self._on_missing)
        desk.progressed.connect(self.progress.step)
        desk.idle.connect(self._on_idle)
        offers = {
            "next_case": self.next_case,
            "previous_case": self.previous_case,
            "accept_case": self.accept,
            "reject_case": self.reject,
        }
        session = desk.session
        for name, action in offers.items():
            session.offer(name, action)

        def leave() -> None:
            # By then the parts of this widget are gone in Qt: only plain Python may be used.
            for name, action in offers.items():
                session.withdraw(name, action)
            desk.leave()

        self.destroyed.connect(lambda: leave())

    def _refresh(self) -> None:
        """Show the project as it is now."""
        desk, case = self.desk, self.desk.case
        writable = desk.saver is not None
        why = why_not_predict(case, self.checkpoint.reference, writable=writable)
        self.progress.run.setEnabled(not why)
        self.progress.run.setToolTip(why or PREDICT)
        if desk.project is None:
            self._suit_progress()
            return
        counts, cases = desk.project.cases.count(), desk.cases()
        predicting = None if desk.predictor is None else desk.predictor.case_id
        self.title.setText(f"<b>{html.escape(desk.project.folder.name)}</b>, {count_words(counts)}")
        self.title.setToolTip(str(desk.project.folder))
        current = None if case is None else case.id
        self.table.show_cases(cases, current, predicting, read_only=not writable)
        some = any(counts.values())
        self.no_cases.setVisible(not some)
        for part in (self.filter, self.table, self.bar, self.save_line, self.checkpoint):
            part.setVisible(some)
        self._suit_progress()
        self.no_cases.setEnabled(writable)
        self.menu.suit(writable=writable)
        self.bar.suit(case, writable=writable, listed=len(cases))

    def _begin(self) -> None:
        if self.desk.busy:
            self.progress.start()
            self._suit_progress()

    # --- what comes back -------------------------------------------------------------------------

    def _on_project(self) -> None:
        project = self.desk.project
        self.start.setVisible(project is None)
        self.work.setVisible(project is not None)
        self._notice_read_only()
        self.save_line.clear()
        self.start.refresh()
        if project is None:
            self._refresh()
            return
        remember_project(str(project.folder))
        self.start.refresh()
        if not project.read_only:
            self.save_line.setText("All saved")
        if self.desk.reference:
            self._use_checkpoint_of_project()
        self.desk.choice = self.filter.choice
        self.progress.tell("")
        self._refresh()

    def _use_checkpoint_of_project(self) -> None:
        """Go on predicting ahead with what this project was predicted with last."""
        reference = self.desk.reference
        if reference in shipped() or Path(reference).is_file():
            self.checkpoint.choose(reference)
            self.desk.predict_ahead(self._wanted())

    def _on_case(self) -> None:
        if self.desk.case is not None and self._missing is not None:
            self._missing = None
            self._notice_read_only()
        self._refresh()

    def _notice_read_only(self) -> None:
        project = self.desk.project
        self.notice.hide()
        if project is not None and project.read_only:
            self.notice.say(read_only_words(project))

    def _on_saved(self, state: SaveState) -> None:
        self.save_line.setText(save_words(state))
        self.save_line.setStyleSheet(_ERROR if state.status == "failed" else "")

    def _on_failed(self, error: Exception) -> None:
        self.progress.fail(error)
        self._suit_progress()

    def _on_done(self, result: Any) -> None:
        if isinstance(result, Predicted):
            reference = result.loaded.reference
            if reference not in shipped():
                remember_checkpoint(reference)
            model = result.loaded.model
            self.checkpoint.learn(reference, model.info, model.describe())
        self.progress.tell(*result_words(result))

    def _on_missing(self, error: ImageMissing) -> None:
        self._on_idle()
        self._missing = error.case
        self.notice.say(str(error), "" if self.desk.saver is None else "Look in a folder…")

    def _on_idle(self) -> None:
        if not self.desk.busy:
            self.progress.finish()
            self._suit_progress()

    def _suit_progress(self) -> None:
        some = self.desk.project is not None and not self.table.isHidden()
        self.progress.suit(cases=some, busy=self.desk.busy)

    def _on_filter(self) -> None:
        self.desk.choice = self.filter.choice
        self._refresh()

    def _on_checkpoint(self) -> None:
        info = self.checkpoint.info
        self.desk.classes = () if info is None else info.classes
        if self.desk.predictor is not None:
            self.desk.predictor.keep_to(self.checkpoint.reference)
        self._refresh()

    def _decide(self, state: Any, word: str) -> None:
        case = self.desk.case
        if case is not None and self.desk.set_state(state):
            self.progress.tell(f'{word}: "{case.name}".')

    def _wanted(self) -> Wanted:
        return Wanted.preferred(self.checkpoint.reference)

    def _ask_folder(self, title: str) -> str:
        return str(QFileDialog.getExistingDirectory(self, title, self._beside_project))

    @property
    def _beside_project(self) -> str:
        project = self.desk.project
        return "" if project is None else str(project.folder.parent)
