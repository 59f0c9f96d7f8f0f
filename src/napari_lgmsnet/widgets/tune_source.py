"""What is learnt from: masks in the window, or the accepted cases of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QWidget,
)

from napari_lgmsnet.adapters.pairs import Pair, is_mask, pair_of
from napari_lgmsnet.adapters.session import Session
from napari_lgmsnet.widgets.combos import plain_combo

if TYPE_CHECKING:
    from napari import Viewer

LAYERS, PROJECT = "layers", "project"
WHOLE, SCRIBBLES = "whole", "scribbles"


class TuneSource(QObject):
    """A list of masks to learn from, and what their unpainted voxels mean.

    Parameters
    ----------
    viewer : napari Viewer
    session : Session
    form : QFormLayout
        Gets the rows.

    Attributes
    ----------
    colour : bool
        Whether one of the masks lies on a colour image.
    listed : Qt signal
        The masks to choose from are others.
    """

    listed = Signal()

    def __init__(self, viewer: Viewer, session: Session, form: QFormLayout) -> None:
        super().__init__()
        self._viewer = viewer
        self._session = session
        self.colour = False
        self.kind = plain_combo("What to learn from")
        self.kind.addItem("Masks in this window", LAYERS)
        self.kind.addItem("Accepted cases of the project", PROJECT)
        self.list = QListWidget()
        self.list.setMaximumHeight(96)
        self.list.setToolTip("Tick the masks that you have corrected")
        self.rest = plain_combo("What voxels mean that are not painted")
        self.rest.addItem("Unpainted is background", WHOLE)
        self.rest.addItem("Unpainted does not count (scribbles)", SCRIBBLES)
        self.background = QSpinBox()
        self.background.setRange(1, 255)
        self.background.setValue(255)
        self.background.setToolTip("The label that you paint background with")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self._strokes = QWidget()
        row = QHBoxLayout(self._strokes)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Background strokes have the label"))
        row.addWidget(self.background)
        form.addRow("Learn from", self.kind)
        form.addRow(self.list)
        form.addRow("", self.rest)
        form.addRow("", self._strokes)
        form.addRow(self.line)
        self.kind.currentIndexChanged.connect(lambda _index: self.refresh())
        self.rest.currentIndexChanged.connect(lambda _index: self._show())
        events = viewer.layers.events
        self._events = (events.inserted, events.removed, events.renamed)
        for event in self._events:
            event.connect(self.refresh)
        session.project_changed.connect(self._on_project)
        self.refresh()

    @property
    def from_project(self) -> bool:
        """Return whether cases of a project are learnt from."""
        return bool(self.kind.currentData() == PROJECT)

    @property
    def scribbles(self) -> int | None:
        """Return the label of painted background, if unpainted voxels don't count."""
        marked = self.rest.currentData() == SCRIBBLES
        return self.background.value() if marked else None

    def pairs(self) -> list[Pair]:
        """Return the masks that are ticked, with their images."""
        found = []
        for mask in self._ticked():
            pair = pair_of(self._viewer.layers, self._session.results, mask)
            if pair is not None:
                found.append(pair)
        return found

    def leave(self) -> None:
        """Stop following the viewer. May be called when Qt has deleted this already."""
        for event in self._events:
            event.disconnect(self.refresh)
        self._session.project_changed.disconnect(self._on_project)

    def refresh(self, _event: Any = None) -> None:
        """List the masks there are; new ones are ticked if they show something."""
        before = {item.data(Qt.ItemDataRole.UserRole): item.checkState() for item in self._items()}
        self.list.clear()
        self.colour = False
        for mask in reversed(self._viewer.layers):
            if not is_mask(mask):
                continue
            pair = pair_of(self._viewer.layers, self._session.results, mask)
            if pair is None:
                continue
            self.colour |= pair.image.colours
            item = QListWidgetItem(str(mask.name))
            item.setData(Qt.ItemDataRole.UserRole, mask.unique_id)
            ticked = Qt.CheckState.Checked if mask.data.any() else Qt.CheckState.Unchecked
            item.setCheckState(before.get(mask.unique_id, ticked))
            self.list.addItem(item)
        self._show()
        self.listed.emit()

    def _on_project(self) -> None:
        if self._session.project is not None:
            self.kind.setCurrentIndex(self.kind.findData(PROJECT))
        self._show()

    def _show(self) -> None:
        for part in (self.list, self.rest):
            part.setVisible(not self.from_project)
        self._strokes.setVisible(not self.from_project and self.scribbles is not None)
        project = self._session.project
        words = ""
        if self.from_project:
            if project is None:
                words = "Open a project in Cases first."
            else:
                count = project.cases.count()["accepted"]
                words = f"{count} accepted case{'s' * (count != 1)} in {project.folder.name}."
        elif not self.list.count():
            words = "Open images and correct their masks first: one is enough to start."
        self.line.setText(words)
        self.line.setVisible(bool(words))

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def _ticked(self) -> list[Any]:
        wanted = {
            item.data(Qt.ItemDataRole.UserRole)
            for item in self._items()
            if item.checkState() == Qt.CheckState.Checked
        }
        return [layer for layer in self._viewer.layers if layer.unique_id in wanted]
