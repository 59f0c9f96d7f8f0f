"""Checkpoints as a tree: where each came from, and what can be done with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_lgmsnet.adapters import lineage_jobs
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.core.catalogue import SUFFIX
from napari_lgmsnet.widgets.number_table import NumberTable

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Checkpoint

BEFORE, AFTER = "held out, mean Dice before", "held out, mean Dice after"
STATES = {"candidate": "not decided", "accepted": "accepted", "rejected": "rejected"}
PLACES = {"trash": "in the trash", "gone": "deleted for good"}


class LineageView(QWidget):
    """All checkpoints of a project, or of the person where there is no project.

    Attributes
    ----------
    used, failed : Qt signals
        With a file, or the name of a checkpoint that ships, which is to be used from now on; with
        the error of an action.
    """

    used = Signal(str)
    failed = Signal(Exception)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf: lineage_jobs.Shelf | None = None
        self._queue = Queue()
        self._changes = 0
        self._family = lineage_jobs.Family()
        self._known: dict[str, Checkpoint] = {}
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Checkpoint", "Held-out Dice", "State"])
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setMinimumHeight(120)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.use = _button("Use", "Go on with this checkpoint", self._on_use)
        self.name = _button("Rename", "Call it something else", self._on_rename)
        self.export = _button("Export…", "Copy its file to where you like", self._on_export)
        self.delete = _button("Delete", "Move its file to the trash", self._on_delete)
        self.figures = NumberTable()
        self.line = QLabel()
        self.line.setWordWrap(True)
        row = QHBoxLayout()
        for button in (self.use, self.name, self.export, self.delete):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree)
        layout.addLayout(row)
        layout.addWidget(self.line)
        layout.addWidget(self.figures)
        self.tree.itemSelectionChanged.connect(self._on_selected)
        self.tree.itemChanged.connect(self._on_edited)
        self._queue.failed.connect(self._on_failed)
        self.leave = self._queue.abandon
        self._on_selected()

    @property
    def busy(self) -> bool:
        """Return whether checkpoints are being read or changed."""
        return self._queue.busy

    def show_shelf(self, shelf: lineage_jobs.Shelf) -> None:
        """Show the checkpoints that are kept somewhere."""
        self._shelf = shelf
        self._ask("look", None)

    def do(self, action: lineage_jobs.Action) -> None:
        """Change something, and show what there is then."""
        self._changes += 1
        self._ask(f"change {self._changes}", action)

    def show_family(self, family: lineage_jobs.Family) -> None:
        """Show checkpoints; what was selected stays so."""
        chosen = {one.sha256 for one in self.selected()}
        self._family = family
        self._known = {one.sha256: one for _, one in family.rows}
        with QSignalBlocker(self.tree):
            self.tree.clear()
            line: list[QTreeWidgetItem] = []
            for depth, one in family.rows:
                del line[depth:]
                item = self._item(one)
                if line:
                    line[-1].addChild(item)
                else:
                    self.tree.addTopLevelItem(item)
                line.append(item)
                item.setSelected(one.sha256 in chosen)
            self.tree.expandAll()
        self._on_selected()

    def selected(self) -> list[Checkpoint]:
        """Return the checkpoints that are selected."""
        role = Qt.ItemDataRole.UserRole
        found = (self._known.get(str(item.data(0, role))) for item in self.tree.selectedItems())
        return [one for one in found if one is not None]

    def _item(self, one: Checkpoint) -> QTreeWidgetItem:
        before, after = one.metrics.get(BEFORE), one.metrics.get(AFTER)
        dice = "" if before is None or after is None else f"{before:.3f} → {after:.3f}"
        state = PLACES.get(one.kept) or (STATES[one.status] if one.parent else "")
        item = QTreeWidgetItem([one.name, dice, state])
        item.setData(0, Qt.ItemDataRole.UserRole, one.sha256)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        item.setToolTip(0, f"since {one.created[:16].replace('T', ' ')} UTC; {one.sha256[:12]}…")
        if one.sha256 == self._family.current:
            font = item.font(0)
            font.setBold(True)
            item.setFont(0, font)
            item.setText(2, "in use")
        return item

    # --- what a person does ---------------------------------------------------------------------

    def _on_selected(self) -> None:
        chosen = self.selected()
        one = chosen[0] if len(chosen) == 1 else None
        here = one is not None and one.kept == "here"
        self.use.setEnabled(one is not None and one.kept in ("here", "elsewhere"))
        self.name.setEnabled(one is not None)
        self.export.setEnabled(here)
        trashed = one is not None and one.kept == "trash"
        self.delete.setEnabled(here or trashed)
        self.delete.setText("Restore" if trashed else "Delete")
        if not self._known:
            self.line.setText("Checkpoints that you accept are listed here, each below its parent.")
        else:
            self.line.setText("" if chosen else "Select two to compare their figures.")
        self.line.setVisible(bool(self.line.text()))
        self.figures.show_columns(_figures(chosen))
        self.figures.setVisible(any(one.metrics for one in chosen))

    def _on_use(self) -> None:
        self._ask_about(lambda one: lineage_jobs.use(one.sha256))

    def _on_rename(self) -> None:
        self.tree.editItem(self.tree.selectedItems()[0], 0)

    def _on_edited(self, item: QTreeWidgetItem, column: int) -> None:
        one = self._known.get(str(item.data(0, Qt.ItemDataRole.UserRole)))
        if one is None or column != 0 or item.text(0) == one.name:
            return
        sha256, name = one.sha256, item.text(0)
        self.do(lambda checkpoints: _none(checkpoints.rename(sha256, name)))

    def _on_export(self) -> None:
        start = f"{self.selected()[0].name.replace(':', '').replace('/', '-')}{SUFFIX}"
        file, _ = QFileDialog.getSaveFileName(self, "Export", start, f"Checkpoint (*{SUFFIX})")
        if not file:
            return
        path = Path(file)
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        # The dialog has asked before it named a file that exists; not the one with our ending.
        asked = str(path) == file
        self._ask_about(lambda one: lambda kept: kept.export(one.sha256, path, overwrite=asked))

    def _on_delete(self) -> None:
        if self.selected()[0].kept == "trash":
            self._ask_about(lambda one: lambda kept: _none(kept.restore(one.sha256)))
        else:
            self._ask_about(lambda one: lambda kept: _none(kept.delete(one.sha256)))

    # --- the work -------------------------------------------------------------------------------

    def _ask_about(self, action: Callable[[Checkpoint], lineage_jobs.Action]) -> None:
        chosen = self.selected()
        if len(chosen) == 1:
            self.do(action(chosen[0]))

    def _ask(self, kind: str, action: lineage_jobs.Action | None) -> None:
        if self._shelf is not None:
            self._queue.ask(kind, lineage_jobs.look(self._shelf, action), self._on_done)

    def _on_done(self, done: lineage_jobs.Done) -> None:
        self.show_family(done.family)
        if done.reference:
            self.used.emit(done.reference)

    def _on_failed(self, _kind: str, error: Exception) -> None:
        # A name that was refused is taken out of the tree again.
        self.show_family(self._family)
        self.line.setText(str(error))
        self.line.show()
        self.failed.emit(error)


def _button(text: str, tooltip: str, clicked: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.clicked.connect(lambda: clicked())
    return button


def _none(_outcome: object) -> None:
    """Return nothing, after something that returns more than an action should."""


def _figures(chosen: list[Checkpoint]) -> dict[str, list[Any]]:
    """Return the figures of checkpoints side by side; NaN where one has none."""
    names = dict.fromkeys(name for one in chosen for name in one.metrics)
    columns: dict[str, list[Any]] = {"Figure": list(names)}
    for one in chosen:
        header = one.name if one.name not in columns else f"{one.name} ({one.sha256[:6]})"
        columns[header] = [float(one.metrics.get(name, math.nan)) for name in names]
    return columns
