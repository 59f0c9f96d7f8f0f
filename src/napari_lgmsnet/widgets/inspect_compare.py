"""The same image as another checkpoint sees it: before and after fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel, QPushButton

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import DIFFERENCE, FEATURES, OTHER, Looked
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.number_table import NumberTable

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.compare import Comparison
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.widgets.inspect import InspectWidget

COMPARE = "compare"


class ComparisonSection(QObject):
    """Shows the chosen map of a second checkpoint, and the difference.

    Parameters
    ----------
    owner : InspectWidget
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self.answer: Comparison | None = None
        self._looked: Looked | None = None
        self.checkpoint = CheckpointBox()
        self.compare = QPushButton("Compare")
        self.shown = plain_combo("Which of the maps is on screen")
        refill(
            self.shown,
            [("Difference", DIFFERENCE), ("Other checkpoint", OTHER), ("This one", FEATURES)],
        )
        self.table = NumberTable()
        self.table.setMinimumHeight(90)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.form = plain_form()
        self.form.addRow("With", self.checkpoint)
        self.form.addRow(self.compare)
        self.form.addRow("On screen", self.shown)
        self.form.addRow(self.line)
        self.form.addRow(self.table)
        self.compare.clicked.connect(self._on_compare)
        self.shown.currentIndexChanged.connect(lambda _index: self._show())
        self.suit(None)

    def suit(self, inspection: Inspection | None) -> None:
        """Allow a comparison once something was inspected."""
        self.answer, self._looked = None, None
        self.table.hide()
        self.shown.setEnabled(False)
        self.compare.setEnabled(inspection is not None)
        self.compare.setToolTip(
            "Run the other checkpoint on the same image" if inspection is not None else "Run first"
        )
        self.line.setText("" if inspection is not None else "Run first.")

    def _on_compare(self) -> None:
        looked, view = self._owner.looked, self._owner.view()
        reference = self.checkpoint.reference
        if looked is None or view is None or not reference:
            self.line.setText("Choose another checkpoint first.")
            return
        if view.reduce == "components":
            error = InputError("colours of two networks cannot be compared: choose mean or norm")
            self.line.setText(str(error))
            return
        self.line.setText("")
        job = inspect_jobs.compare(looked.inspection, reference, view)
        self._owner.queue.ask(COMPARE, job, lambda answer: self._on_answer(looked, answer))

    def _on_answer(self, looked: Looked, answer: Comparison) -> None:
        if not self._owner.still_there(looked):
            return
        self.answer, self._looked = answer, looked
        self.shown.setEnabled(True)
        self.table.setVisible(bool(answer.rows))
        self.table.show_columns(
            {
                "checkpoint": [row.checkpoint for row in answer.rows],
                "class": [row.class_name for row in answer.rows],
                "energy": [row.energy for row in answer.rows],
                "AUC": [row.auc for row in answer.rows],
                "Dice": [row.dice for row in answer.rows],
            }
        )
        self.line.setText(
            f"{answer.second.stage}, {answer.second.kind}: both maps correlate by "
            f"{answer.correlation:.2f}; they differ by {answer.change:.3g} in the mean."
        )
        self._show()

    def _show(self) -> None:
        """Show one of the three maps, and hide the others."""
        answer, looked = self.answer, self._looked
        if answer is None or looked is None or not self._owner.still_there(looked):
            return
        maps = {FEATURES: answer.first, OTHER: answer.second, DIFFERENCE: answer.difference}
        role = str(self.shown.currentData())
        self._owner.maps.show(role, looked.place, maps[role], maps[role].name)
