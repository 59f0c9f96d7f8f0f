"""A project at work: which case is on screen, what is done with it, what is predicted beside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_lgmsnet.adapters import case_jobs
from napari_lgmsnet.adapters.case_ahead import Predictor
from napari_lgmsnet.adapters.case_choice import Choice
from napari_lgmsnet.adapters.case_jobs import ImageMissing, OpenedCase, Predicted, Wanted
from napari_lgmsnet.adapters.case_on_screen import CaseOnScreen
from napari_lgmsnet.adapters.case_signals import DeskSignals, Relay
from napari_lgmsnet.adapters.jobs import Job
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.adapters.session import session_of
from napari_lgmsnet.core.errors import LGMSNetError, ProjectError
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.info import ClassInfo
    from napari_lgmsnet.core.project import Autosaver, Case, Project, SaveState, State

OPEN, CASE = "open", "case"

_UNSAVED: set[Autosaver] = set()
"""Savers whose last edits could not be written and whose window is gone: they go on trying."""


class Desk(DeskSignals):
    """A project, and the case of it that is on screen in one viewer.

    Parameters
    ----------
    viewer : napari Viewer

    Attributes
    ----------
    session : Session
    project : Project or None
    saver : Autosaver or None
        None where nothing can be written.
    screen : CaseOnScreen or None
    predictor : Predictor or None
    choice : Choice
    classes : tuple of ClassInfo
        For masks of cases without a prediction.
    reference : str
        The checkpoint that this project was predicted with last.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.session = session_of(viewer)
        self.project: Project | None = None
        self.saver: Autosaver | None = None
        self.screen: CaseOnScreen | None = None
        self.predictor: Predictor | None = None
        self.choice = Choice()
        self.classes: tuple[ClassInfo, ...] = ()
        self.reference = ""
        self._opening: int | None = None
        self._stale = self._moving = False
        self._look: Mapping[str, Any] = {}
        self._tools: Mapping[str, Any] = {}
        self._state = ""
        self._relay = Relay()
        self._relay.saved.connect(self._on_saved)
        self._relay.failed.connect(lambda error: self.failed.emit(error))
        self._numbers = count()
        self._work = Queue()
        self._work.progressed.connect(lambda progress: self.progressed.emit(progress))
        self._work.failed.connect(self._on_failed)
        self._work.stopped.connect(self._on_stopped)
        self._work.idle.connect(lambda: self.idle.emit())
        self._removed = viewer.layers.events.removed
        self._removed.connect(self._on_removed)
        self.session.vouched.connect(self._on_vouched)

    @property
    def busy(self) -> bool:
        """Return whether something is under way that a person waits for."""
        asked = self.predictor is not None and (self.predictor.asked or self.predictor.everything)
        return self._work.busy or asked

    @property
    def settled(self) -> bool:
        """Return whether nothing at all is under way."""
        ahead = self.predictor is not None and self.predictor.busy
        screen = self.screen is None or self.screen.settled
        return screen and not (self._work.busy or ahead)

    @property
    def case(self) -> Case | None:
        """Return the case on screen, as it stands now."""
        if self.project is None or self.screen is None:
            return None
        return self.project.cases.get(self.screen.case_id)

    # --- the project -----------------------------------------------------------------------------

    def open_project(self, folder: Path, *, create: bool = False) -> None:
        """Close the project that is open, and open another one.

        Raises
        ------
        ProjectError
            If edits in the present one cannot be saved; it stays open.
        """
        self.close()
        self._work.ask(OPEN, case_jobs.open_project(folder, create=create), self._on_project)

    def close(self, *, layers: bool = True) -> None:
        """Save everything and close the project. Does nothing if none is open.

        Parameters
        ----------
        layers : bool
            Whether the case's layers are removed from the viewer.

        Raises
        ------
        ProjectError
            If edits cannot be saved: everything stays open. Try again, or :meth:`discard`.
        """
        if self.screen is not None:
            self.screen.finish()
            self.screen.keep_look()
        if self.saver is not None:
            self.saver.close()
        self._let_go(layers=layers)

    def discard(self, *, layers: bool = True) -> None:
        """Close the project; edits that could not be saved are lost."""
        if self.saver is not None:
            self.saver.discard()
        self._let_go(layers=layers)

    def leave(self) -> None:
        """Close the project as well as possible; nobody listens any more."""
        self.forget_listeners()
        saver = self.saver
        try:
            self.close(layers=False)
        except ProjectError as error:
            logging.getLogger(__name__).warning("edits are not saved yet: %s", error)
            assert saver is not None
            _UNSAVED.add(saver)
        self._work.abandon()
        self._removed.disconnect(self._on_removed)
        self.session.vouched.disconnect(self._on_vouched)

    def add(self, images: Iterable[Path]) -> None:
        """Add images, or folders of them, to the project."""
        if self.project is not None:
            self.ask(case_jobs.add_images(self.project, [*images]), self._on_added)

    def ask(self, job: Job, done: Callable[[Any], None] | None = None) -> None:
        """Do something with the project in the background.

        Parameters
        ----------
        job : generator of Progress
        done : callable, optional
            Gets the result; without it, the signal of this name does.
        """
        # Each is a kind of its own: none may take the place of one that waits.
        self._work.ask(f"job {next(self._numbers)}", job, done or self.done.emit)

    def find(self, case_id: int, folder: Path) -> None:
        """Look in a folder for a case's image and for others that are missing; open the case."""
        if self.project is not None:
            job = case_jobs.relocate(self.project, case_id, folder)
            self.ask(job, lambda count: self._on_found(case_id, count))

    def cancel(self) -> None:
        """Stop everything that is under way."""
        self._work.cancel()
        if self.predictor is not None:
            self.predictor.stop()
        self.said.emit("Stopped.")

    # --- cases -----------------------------------------------------------------------------------

    def cases(self) -> list[Case]:
        """Return the cases that a person goes through."""
        return [] if self.project is None else self.choice.cases(self.project)

    def open_case(self, case_id: int) -> None:
        """Show a case instead of the one on screen."""
        if self.project is not None:
            self._opening, self._stale = case_id, False
            if self.screen is not None and self.screen.case_id == case_id:
                self.screen.remember_edits()
            job = case_jobs.read_case(self.project, self.saver, case_id)
            self._work.ask(CASE, job, self._on_opened)

    def step(self, step: Literal[1, -1]) -> None:
        """Go to the next or the previous case."""
        if self.project is None:
            return
        on_screen = None if self.screen is None else self.screen.case_id
        here = on_screen if self._opening is None else self._opening
        case = self.choice.step(self.project, here, step)
        if case is None:
            self.said.emit(f"This is the {'last' if step == 1 else 'first'} case of the list.")
        else:
            self.open_case(case.id)

    def set_state(self, state: State, *, partial: bool = False) -> bool:
        """Save every edit, then give the case on screen a state; return whether that was done."""
        case = self.case
        if case is None or self.screen is None or self.saver is None:
            return False
        try:
            self.screen.decide(case, state, partial=partial)
        except LGMSNetError as error:
            self.failed.emit(error)
            return False
        self._state = state
        self.cases_changed.emit()
        return True

    def set_note(self, case_id: int, note: str) -> None:
        """Replace the note to a case."""
        if self.project is not None:
            try:
                self.project.cases.set_note(case_id, note)
            except LGMSNetError as error:
                self.failed.emit(error)
            self.cases_changed.emit()

    def predict(self, wanted: Wanted) -> None:
        """Predict the case on screen, and from then on the next one ahead of time."""
        if self.predictor is not None and self.screen is not None:
            self.screen.remember_edits()
            self.reference = wanted.reference
            self.predictor.predict(self.screen.case_id, wanted.with_loaded(self.session.loaded))
            self.screen.keep_look()

    def predict_ahead(self, wanted: Wanted, *, everything: bool = False) -> None:
        """Predict the next case ahead of time from now on, or all new ones."""
        if self.predictor is not None:
            self.reference = wanted.reference
            self.predictor.go_on(wanted.with_loaded(self.session.loaded), everything=everything)

    # --- what comes back -------------------------------------------------------------------------

    def _on_project(self, project: Project) -> None:
        from napari_lgmsnet.core.project import Autosaver

        self.project = project
        self.session.use_project(project)
        if not project.read_only:
            self.saver = Autosaver(project, self._relay.saved.emit)
            self.predictor = Predictor(project, self.saver, self._upcoming)
            self.predictor.predicted.connect(self._on_predicted)
            self.predictor.failed.connect(lambda error: self.failed.emit(error))
            self.predictor.progressed.connect(self._on_progressed)
            self.predictor.changed.connect(self._on_predicting)
        self._look = project.view()
        self._tools = self._look.get("tools", {})
        self.reference = str(self._look.get("checkpoint", ""))
        self.project_changed.emit()
        cases = project.cases.all()
        if cases:
            last = [case.id for case in cases if case.id == self._look.get("case")]
            fresh = [case.id for case in cases if case.state not in ("accepted", "rejected")]
            self.open_case([*last, *fresh, cases[0].id][0])

    def _on_added(self, added: Any) -> None:
        self.cases_changed.emit()
        self.done.emit(added)
        if self.screen is None and added.cases:
            self.open_case(added.cases[0].id)
        elif self.predictor is not None:
            self.predictor.look_ahead()

    def _on_found(self, case_id: int, count: int) -> None:
        self.open_case(case_id)
        self.said.emit("The image was found." if count == 1 else f"{count} images were found.")

    def _on_opened(self, opened: OpenedCase) -> None:
        self._opening = None
        if self._stale:  # it was predicted while its old mask was read
            self.open_case(opened.case.id)
            return
        if self.screen is not None:
            self.screen.finish()
            self._tools = self.screen.tools
            if self.screen.case_id == opened.case.id:
                self.screen.bring_up_to_date(opened.mask.labels)
        self._put_away()
        self.screen = screen = CaseOnScreen(
            self._viewer,
            self.session,
            opened,
            self.classes,
            self.saver,
            lambda: {"checkpoint": self.reference},
            self._relay.failed.emit,
        )
        screen.look_like(self._tools, self._look)
        self._look = {}
        self._state = opened.case.state
        for note in opened.mask.damage:
            self.failed.emit(ProjectError(note))
        if self.predictor is not None:
            if self.predictor.case_id == opened.case.id:
                screen.remember_edits()
            elif self.predictor.wanted and opened.case.state == "new":
                self.predict(self.predictor.wanted)
            if not opened.case.sha256:
                self.predictor.hash(opened.case.id)
            self.predictor.look_ahead()
        self.session.mask_chosen.emit(screen.view.mask, screen.view.images[0])
        self.case_changed.emit()

    def _on_predicted(self, answer: Predicted) -> None:
        self.session.loaded = answer.loaded
        if answer.case_id == self._opening:
            self._stale = True
        if self.screen is not None and answer.case_id == self.screen.case_id:
            self.screen.adopt(answer)
            self._state = ""
            self.done.emit(answer)
        self.cases_changed.emit()

    def _on_progressed(self, asked: bool, progress: Progress) -> None:
        if asked and not self._work.busy:
            self.progressed.emit(progress)

    def _on_predicting(self) -> None:
        self.cases_changed.emit()
        if self.predictor is not None and not self.predictor.busy:
            self.idle.emit()

    def _on_failed(self, kind: str, error: Exception) -> None:
        self._opening = None
        if self.project is None and kind != OPEN:
            return  # it was closed under way
        (self.missing if isinstance(error, ImageMissing) else self.failed).emit(error)

    def _on_stopped(self) -> None:
        self._opening = None

    def _on_saved(self, state: SaveState) -> None:
        self.saved.emit(state)
        case = self.case
        if case is not None and case.state != self._state:
            self._state = case.state
            self.cases_changed.emit()

    def _on_removed(self, event: Any) -> None:
        if self.screen is None or self._moving or event.value is not self.screen.view.mask:
            return
        name = event.value.name
        self._put_away()
        self.said.emit(f'"{name}" was closed; it is saved. Choose a case to go on.')
        self.case_changed.emit()

    def _on_vouched(self, mask: Any, where: tuple[Any, ...]) -> None:
        if self.screen is not None and mask is self.screen.view.mask:
            self.screen.vouch(where)

    # --- parts -----------------------------------------------------------------------------------

    def _upcoming(self, everything: bool) -> list[Case]:
        here = None if self.screen is None else self.screen.case_id
        assert self.project is not None
        return self.choice.new_cases(self.project, here, everything=everything)

    def _put_away(self, *, layers: bool = True) -> None:
        screen, self.screen = self.screen, None
        if screen is not None:
            self._moving = True
            try:
                screen.close(layers=layers)
            finally:
                self._moving = False

    def _let_go(self, *, layers: bool) -> None:
        self._work.cancel()
        if self.predictor is not None:
            self.predictor.leave()
        self._put_away(layers=layers)
        project, self.project, self.saver, self.predictor = self.project, None, None, None
        if project is not None:
            self.session.use_project(None)
            project.close()
            self.project_changed.emit()
            self.case_changed.emit()
