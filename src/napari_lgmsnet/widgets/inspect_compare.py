"""The same image as another checkpoint sees it: before and after fine-tuning."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel, QPushButton

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import DIFFERENCE, FEATURES, OTHER, Looked
from napari_lgmsnet.widgets.checkpoint_box import CheckpointBox
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.inspect_section import fit_rows
from napari_lgmsnet.widgets.number_table import NumberTable
from napari_lgmsnet.widgets.reasons import allow

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
        self._view: inspect_jobs.View | None = None
        self._second: Inspection | None = None
        self.checkpoint = CheckpointBox()
        self.compare = QPushButton("Compare")
        self.shown = plain_combo("")
        refill(
            self.shown,
            [("Difference", DIFFERENCE), ("Other checkpoint", OTHER), ("This one", FEATURES)],
        )
        self.table = NumberTable()
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.form = plain_form()
        self.form.addRow("With", self.checkpoint)
        self.form.addRow(self.compare)
        self.form.addRow("On screen", self.shown)
        self.form.addRow(self.line)
        self.form.addRow(self.table)
        self.compare.clicked.connect(self._on_compare)
        self.checkpoint.changed.connect(self.allow)
        self.shown.currentIndexChanged.connect(lambda _index: self._show())

    def suit(self, _inspection: Inspection | None) -> None:
        """Forget what was compared with something else."""
        self.answer = self._looked = self._view = self._second = None
        self.table.hide()
        self.line.setText("")
        self.allow()

    def allow(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        why = self._owner.why_not()
        if not why and not self.checkpoint.reference:
            why = "Choose another checkpoint first"
        if not why and self._owner.choice.reduction == "components":
            why = "Choose another map first: colours of two networks cannot be compared"
        allow(self.compare, why, "Run the other checkpoint on the same image, and show both maps")
        none = "Compare first" if self.answer is None else ""
        allow(self.shown, none, "Which of the maps is on screen")
        if self.answer is None:
            self.line.setText(f"{why}." if why else "")

    def follow(self) -> None:
        """Score both maps anew: the mask is another. What is on screen stays."""
        looked, view = self._looked, self._view
        if looked is None or view is None or not self._owner.still_there(looked):
            return
        self._ask(looked, view, show=False)

    def _on_compare(self) -> None:
        looked = self._owner.looked
        if looked is None or not self._owner.still_there(looked):
            return
        self.line.setText("")
        self._second = None
        self._ask(looked, self._owner.features.view(), show=True)

    def _ask(self, looked: Looked, view: inspect_jobs.View, *, show: bool) -> None:
        owner = self._owner
        mask = None if owner.why_not(mask=True) else owner.mask_part()
        job = inspect_jobs.compare(
            looked.inspection,
            view,
            mask,
            self.checkpoint.reference,
            owner.source.options.recipe_name,
            self._second,
        )
        owner.queue.ask(COMPARE, job, partial(self._on_answer, looked, view, show))

    def _on_answer(
        self,
        looked: Looked,
        view: inspect_jobs.View,
        show: bool,
        both: tuple[Comparison, Inspection],
    ) -> None:
        if not self._owner.still_there(looked):
            return
        self._looked, self._view = looked, view
        self.answer, self._second = both
        answer = self.answer
        self.allow()
        self.table.setVisible(bool(answer.rows))
        self.table.show_columns(
            {
                "checkpoint": [row.checkpoint for row in answer.rows],
                "class": [row.class_name for row in answer.rows],
                "energy": [round(row.energy, 2) for row in answer.rows],
                "AUC": [round(row.auc, 2) for row in answer.rows],
                "Dice": [round(row.dice, 2) for row in answer.rows],
            }
        )
        fit_rows(self.table)
        self.line.setText(
            f"{answer.second.stage}, {answer.second.kind}: both maps correlate by "
            f"{answer.correlation:.2f}; they differ by {answer.change:.3g} in the mean."
        )
        if show:
            self._show()

    def _show(self) -> None:
        """Show one of the three maps, and hide the others."""
        answer, looked = self.answer, self._looked
        if answer is None or looked is None or not self._owner.still_there(looked):
            return
        maps = {FEATURES: answer.first, OTHER: answer.second, DIFFERENCE: answer.difference}
        role = str(self.shown.currentData())
        self._owner.maps.show(role, looked.place, maps[role], maps[role].name)
