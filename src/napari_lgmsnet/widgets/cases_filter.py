"""Which cases are listed, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

from napari_lgmsnet.adapters.case_choice import Choice
from napari_lgmsnet.widgets.combos import plain_combo

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import State

TO_DO: tuple[State, ...] = ("new", "predicted", "in correction")


class CaseFilter(QWidget):
    """A line of choices.

    Attributes
    ----------
    changed : Qt signal
        The person chose something else.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.states = plain_combo("Which cases are listed; Next and Previous go through these")
        items: list[tuple[str, Any]] = [("All cases", None), ("To do", TO_DO)]
        items += [("New", ("new",)), ("Predicted", ("predicted",))]
        items += [("In correction", ("in correction",)), ("Accepted", ("accepted",))]
        items += [("Rejected", ("rejected",))]
        for text, value in items:
            self.states.addItem(text, value)
        self.order = plain_combo("The order of the list, which Next and Previous follow")
        self.order.addItem("As added", "position")
        self.order.addItem("Doubtful first", "doubt")
        self.doubt = QDoubleSpinBox()
        self.doubt.setRange(0.0, 1.0)
        self.doubt.setSingleStep(0.05)
        self.doubt.setPrefix("≥ ")
        self.doubt.setSpecialValueText("any")
        self.doubt.setToolTip("List only cases of which the network was at least this unsure")
        for combo in (self.states, self.order):
            combo.setMinimumContentsLength(5)
        self.doubt.setMinimumWidth(70)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.states, 3)
        row.addWidget(self.order, 3)
        row.addWidget(QLabel("Doubt"))
        row.addWidget(self.doubt, 2)
        self.states.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.order.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.doubt.valueChanged.connect(lambda _value: self.changed.emit())

    @property
    def choice(self) -> Choice:
        """Return what is chosen."""
        states = self.states.currentData()
        return Choice(
            None if states is None else tuple(states),
            self.doubt.value() or None,
            self.order.currentData(),
        )
