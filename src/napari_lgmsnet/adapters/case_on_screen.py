"""The case that a person works on: its layers, every edit handed over, the view kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_lgmsnet.adapters.case_jobs import OpenedCase, Predicted, Wanted
from napari_lgmsnet.adapters.case_view import (
    close_case,
    give_tools,
    look_at,
    look_of,
    show_case,
    tools_of,
)
from napari_lgmsnet.adapters.gradual import AT_ONCE
from napari_lgmsnet.adapters.gradual_work import Laying
from napari_lgmsnet.adapters.history import chunks, whole_box
from napari_lgmsnet.adapters.recorder import Recorder
from napari_lgmsnet.adapters.results import LARGE, checkpoint_of
from napari_lgmsnet.core.errors import InputError, LGMSNetError

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.adapters.session import Session
    from napari_lgmsnet.core.info import ClassInfo
    from napari_lgmsnet.core.project import Autosaver, Case, Edit, State

LOOK_DELAY = 250
"""Milliseconds from a change of the view to its being handed over."""
_MASK_EVENTS = ("mode", "selected_label", "brush_size", "opacity", "contour", "n_edit_dimensions")


class CaseOnScreen:
    """A case in a viewer. Without a saver it can be looked at only.

    Parameters
    ----------
    viewer : napari Viewer
    session : Session
    opened : OpenedCase
    classes : tuple of ClassInfo
        For a mask that brings none.
    saver : Autosaver or None
    more : mapping
        Kept together with the view.
    failed : callable
        Gets errors, **from any thread**.

    Attributes
    ----------
    case_id : int
    view : CaseView
    """

    def __init__(
        self,
        viewer: Viewer,
        session: Session,
        opened: OpenedCase,
        classes: tuple[ClassInfo, ...],
        saver: Autosaver | None,
        more: Callable[[], Mapping[str, Any]],
        failed: Callable[[Exception], object],
    ) -> None:
        self._viewer = viewer
        self._saver = saver
        self._session = session
        self._more = more
        self._failed = failed
        self._touched = bool(opened.mask.touched.any() or opened.mask.vouched.any())
        self._since: list[Edit] | None = None
        self._closed = False
        self.case_id = opened.case.id
        self.view = show_case(viewer, opened, classes, editable=saver is not None)
        self._recorder: Recorder | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(LOOK_DELAY)
        self._timer.timeout.connect(self.keep_look)
        self._watched: list[Any] = []
        session.network_of = self._network_of
        if saver is not None:
            self._recorder = Recorder(
                self.view.mask, self._on_edit, lambda: session.means, self._on_other_shape
            )
            self._watch()

    @property
    def there(self) -> bool:
        """Return whether the mask is still in the viewer."""
        return self.view.mask in self._viewer.layers

    @property
    def settled(self) -> bool:
        """Return whether everything was handed over."""
        busy = self._recorder is not None and self._recorder.busy
        busy = busy or self._session.writer.busy
        return not (busy or self._timer.isActive())

    @property
    def tools(self) -> dict[str, Any]:
        """Return with what the person paints."""
        return tools_of(self.view.mask)

    def finish(self) -> None:
        """Hand over every edit now."""
        self._session.writer.finish()
        if self._recorder is not None:
            self._recorder.finish()

    def decide(self, case: Case, state: State, *, partial: bool = False) -> None:
        """Save every edit, then give the case another state.

        Raises
        ------
        ProjectError
            If the edits cannot be saved.
        InputError
            If this state may not follow the present one.
        """
        assert self._saver is not None
        self.finish()
        if state == "accepted" and case.state == "new":
            # Nothing to be found is an answer, too: the mask is accepted as it is, empty.
            self._saver.set_state(case.id, "in correction")
        self._saver.set_state(case.id, state, partial=partial)

    def look_like(self, tools: Mapping[str, Any], look: Mapping[str, Any]) -> None:
        """Let the person paint on with the same tools; look where the last look at it was."""
        give_tools(self.view.mask, tools)
        if look.get("case") == self.case_id:
            look_at(self._viewer, self.view, look)
        self.keep_look()

    def keep_look(self) -> None:
        """Hand over where the viewer looks."""
        if self._saver is not None and self.there and not self._closed:
            try:
                self._saver.keep_view({**look_of(self._viewer, self.view), **self._more()})
                self._saver.active(self.case_id)
            except LGMSNetError as error:
                self._failed(error)

    def close(self, *, layers: bool = True) -> None:
        """Hand over every edit, let go of the layers, and remove them if that is wanted."""
        for event in self._watched:
            event.disconnect(self._on_look)
        self._watched = []
        self._closed = True
        if self._session.network_of == self._network_of:
            self._session.network_of = lambda _mask: None
        self._session.writer.finish()
        if self._recorder is not None:
            self._recorder.stop()
        if layers:
            close_case(self._viewer, self.view)

    def remember_edits(self) -> None:
        """Remember edits from now on, since the mask is being read and may not know them."""
        if self._since is None:
            self._since = []

    def bring_up_to_date(self, labels: NDArray[Any]) -> None:
        """Carry out the edits since :meth:`remember_edits` on labels that were read after it.

        Whichever of them the labels know already: the last of each voxel counts here as there.
        """
        self.finish()
        for edit in self._since or ():
            if edit.layer == "labels":
                labels[edit.where] = edit.new
        self._since = None

    def adopt(self, answer: Predicted) -> None:
        """Show a prediction that was stored, below all that the person did."""
        labels = answer.mask.labels
        self.view.name_classes(answer.classes)
        self.view.describe(answer.mask)
        recorder = self._recorder
        if recorder is None:
            return
        on_screen = self.view.on_screen(labels)

        def prepare() -> bool:
            # Not before, since a stroke may be on its way, which is waited for.
            self.bring_up_to_date(labels)
            return self._touched

        def lay(box: Any, undoable: bool) -> None:
            recorder.adopt(box, on_screen[box], undoable=undoable)

        large = labels.size > LARGE
        boxes = chunks(whole_box(on_screen.shape), AT_ONCE if large else labels.size)
        around = partial(self._session.changing_by, "network")
        work = Laying(self.view.mask, list(boxes), prepare, lay, around, lambda _done: None)
        self._session.writer.start(work, gradual=large)

    def vouch(self, where: tuple[Any, ...]) -> None:
        """Note that the person vouches for some voxels, background included.

        Parameters
        ----------
        where : tuple of integer arrays, or of slices
            In the mask's layer.
        """
        if self._saver is None:
            return
        from napari_lgmsnet.core.project import Edit

        self._touched = True
        edit = self.view.on_grid(Edit(where, 1, layer="vouched"))
        try:
            self._saver.edit(self.case_id, edit)
        except LGMSNetError as error:
            self._failed(error)

    def _network_of(self, mask: Any) -> Wanted | None:
        """Return with what this mask was predicted, as far as is known."""
        reference = self._more().get("checkpoint")
        if mask != self.view.mask or not reference or not checkpoint_of(mask):
            return None
        return Wanted.preferred(reference).with_loaded(self._session.loaded)

    def _on_edit(self, edit: Edit) -> None:
        """Take an edit to the project; from any thread."""
        assert self._saver is not None
        self._touched = self._touched or edit.author != "network"
        edit = self.view.on_grid(edit)
        if self._since is not None:
            self._since.append(edit)
        try:
            self._saver.edit(self.case_id, edit)
        except LGMSNetError as error:
            self._failed(error)

    def _on_other_shape(self) -> None:
        shape = " × ".join(map(str, np.shape(self.view.mask.data)))
        self._failed(
            InputError(
                f'"{self.view.mask.name}" was given data of another size ({shape}), which cannot '
                "be saved as the mask of this case: undo that, or open the case again"
            )
        )

    def _watch(self) -> None:
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        self._watched = [dims.point, dims.order, dims.ndisplay]
        self._watched += [camera.center, camera.zoom, camera.angles]
        self._watched += [getattr(self.view.mask.events, name) for name in _MASK_EVENTS]
        self._watched += [image.events.contrast_limits for image in self.view.images]
        for event in self._watched:
            event.connect(self._on_look)

    def _on_look(self, _event: Any = None) -> None:
        # Not started anew each time: who scrolls for long wants to find the place, too.
        if not self._timer.isActive():
            self._timer.start()
