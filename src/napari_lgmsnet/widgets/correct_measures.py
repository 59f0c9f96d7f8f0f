"""Measures of the mask, live, and how it compares with a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_lgmsnet.adapters import correct_jobs
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.differences import show_difference
from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.adapters.queue import Queue
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.layer_combo import LayerCombo
from napari_lgmsnet.widgets.number_table import NumberTable

if TYPE_CHECKING:
    from napari_lgmsnet.core.agreement import Comparison
    from napari_lgmsnet.core.measures import Measures

MEASURE, COMPARE = "measure", "compare"
PAUSE_MS = 700
"""The table follows after the last edit has rested this long."""
LIVE = 30_000_000
"""Voxels; larger masks are measured when asked."""


class MeasureSection(QObject):
    """A table that follows the mask, and figures against a reference.

    Parameters
    ----------
    bench : Bench
    parent : QWidget
    """

    def __init__(self, bench: Bench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        # Its own, so that no click waits for a table.
        self.queue = Queue()
        self.columns: dict[str, list[Any]] = {}
        self._shown: Labels | None = None
        self.table = NumberTable()
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.hide()
        self.refresh = QPushButton("Measure")
        self.save = QPushButton("Save as CSV…")
        self.reference = LayerCombo(bench.viewer, self._may_refer, none="choose a reference mask")
        self.compare = QPushButton("Compare")
        self.compare.setToolTip("Dice and distances against the reference, and where they differ")
        row = QHBoxLayout()
        row.addWidget(self.refresh)
        row.addWidget(self.save)
        form = plain_form()
        both = QHBoxLayout()
        both.addWidget(self.reference, 1)
        both.addWidget(self.compare)
        form.addRow("Reference", both)
        self.layout_ = QVBoxLayout()
        self.layout_.addWidget(self.table)
        self.layout_.addWidget(self.line)
        self.layout_.addLayout(row)
        self.layout_.addLayout(form)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(lambda: self.measure(live=True))
        self.refresh.clicked.connect(lambda: self.measure())
        self.save.clicked.connect(self._on_save)
        self.compare.clicked.connect(self.ask_to_compare)
        self.reference.changed.connect(self._enable)
        self.queue.failed.connect(lambda _kind, error: bench.failed.emit(error))
        bench.edited.connect(self._on_edited)
        bench.chosen.connect(self._on_chosen)
        self._on_chosen()
        self._enable()

    def measure(self, *, live: bool = False) -> None:
        """Measure the mask.

        Parameters
        ----------
        live : bool
            Leave it if that takes long, and say nothing if it cannot be done.
        """
        try:
            target = self._bench.target()
        except InputError as error:
            if not live:
                self._bench.failed.emit(error)
            return
        if live and target.labels.size > LIVE:
            self._tell_why_not(target.labels.size)
            return
        self.line.hide()
        job = correct_jobs.measure(target, self._bench.names)
        self.queue.ask(MEASURE, job, lambda found: self._on_measured(target, found))

    def ask_to_compare(self) -> None:
        """Compare the mask with the reference."""
        other, bench = self.reference.layer(), self._bench
        if other is None:
            return
        try:
            target = bench.target()
            reference = bench.target_of(other)
        except InputError as error:
            bench.failed.emit(error)
            return
        # What waits to be measured would take the comparison's place.
        self._timer.stop()
        job = correct_jobs.compare(target, reference, bench.names)
        self.queue.ask(COMPARE, job, lambda found: self._on_compared(target, found))

    def leave(self) -> None:
        """Stop what is under way. May be called when Qt has deleted this already."""
        self.queue.abandon()
        self.reference.leave()

    def _tell_why_not(self, voxels: int) -> None:
        older = "The table is older than your last edits. " if self.table.rowCount() else ""
        self.line.setText(
            f"{older}This mask has {voxels / 1e6:.0f} million voxels: measuring it after every "
            f"stroke would slow the window down (it is done up to {LIVE / 1e6:.0f} million). "
            "Choose Measure when you want the figures."
        )
        self.line.show()

    def _on_edited(self) -> None:
        self._timer.start()

    def _on_measured(self, target: Target, found: Measures) -> None:
        if target.mask != self._bench.mask:
            return  # another one was chosen meanwhile
        self.columns = found.columns()
        self.table.show_columns(found.features(), skip=("index",))
        # The names stay, which everything else goes by.
        target.mask.features = found.features()
        self._enable()

    def _on_compared(self, target: Target, found: Comparison) -> None:
        self.columns = found.columns()
        self.table.show_columns(self.columns, skip=("label",))
        show_difference(self._bench.viewer, target, found.difference)
        self._enable()

    def _may_refer(self, layer: Any) -> bool:
        return isinstance(layer, Labels) and layer != self._bench.mask

    def _on_chosen(self) -> None:
        if self._bench.mask == self._shown:
            self._enable()
            return  # a comparison stays until the mask is edited
        self._shown = self._bench.mask
        self.line.hide()
        self.table.setRowCount(0)
        self.columns = {}
        if self._shown is not None:
            self._timer.start()
        self._enable()

    def _enable(self) -> None:
        there = self._bench.mask is not None
        self.refresh.setEnabled(there)
        self.save.setEnabled(bool(self.columns))
        self.compare.setEnabled(there and self.reference.layer() is not None)

    def _on_save(self) -> None:
        from napari_lgmsnet.core.tables import write_csv

        name = f"{self._bench.mask.name if self._bench.mask is not None else 'mask'} measures.csv"
        file, _ = QFileDialog.getSaveFileName(self.table, "Save the table", name, "Table (*.csv)")
        if not file:
            return
        path = Path(file) if Path(file).suffix else Path(file).with_suffix(".csv")
        try:
            # The dialog has asked whether an existing file may be replaced.
            write_csv(path, self.columns, overwrite=True)
        except InputError as error:
            self._bench.failed.emit(error)
            return
        self._bench.said.emit(f'The table is in "{path}".')
