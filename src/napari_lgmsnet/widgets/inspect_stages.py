"""All stages of the network in one plot: foreground attention, and channel redundancy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_lgmsnet.adapters import inspect_plots, inspect_saving
from napari_lgmsnet.adapters.inspect_plots import REDUNDANCY, Plotted
from napari_lgmsnet.widgets.combos import plain_combo
from napari_lgmsnet.widgets.inspect_section import Picture
from napari_lgmsnet.widgets.reasons import allow

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.inspect_layers import Looked
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.widgets.inspect import InspectWidget

PLOT = "plot"
MEASURES = [
    ("Energy on the mask", "energy"),
    ("AUC", "auc"),
    ("Peak on the mask", "pointing"),
    ("Best Dice", "dice"),
    ("Best IoU", "iou"),
]
EMPTY = "The mask is empty here: there is nothing to plot."


class StageSection(QObject):
    """A plot over the stages, made on request and kept in line with the mask.

    Parameters
    ----------
    owner : InspectWidget
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self.plotted: Plotted | None = None
        self.measure = plain_combo("What is plotted for every stage")
        for title, name in (*MEASURES, ("Channel redundancy", REDUNDANCY)):
            self.measure.addItem(title, name)
        self.plot = QPushButton("&Plot all stages")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.picture = Picture()
        self.save_plot = QPushButton("Save plot…")
        self.save_numbers = QPushButton("Save numbers…")
        first, last = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.measure, 1)
        first.addWidget(self.plot)
        last.addWidget(self.save_plot)
        last.addWidget(self.save_numbers)
        self.layout_ = QVBoxLayout()
        self.layout_.addLayout(first)
        self.layout_.addWidget(self.line)
        self.layout_.addWidget(self.picture)
        self.layout_.addLayout(last)
        self.plot.clicked.connect(lambda: self.ask())
        self.measure.currentIndexChanged.connect(lambda _index: self._on_measure())
        self.save_plot.clicked.connect(self._on_save_plot)
        self.save_numbers.clicked.connect(self._on_save_numbers)

    @property
    def chosen(self) -> str:
        """Return a measure, or REDUNDANCY."""
        return str(self.measure.currentData())

    def suit(self, _inspection: Inspection | None) -> None:
        """Forget what was plotted of something else."""
        self.plotted = None
        self.picture.show_png(b"")

    def allow(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        redundant = self.chosen == REDUNDANCY
        why = self._owner.why_not(mask=not redundant)
        allow(self.plot, why, "Run the network for all stages and draw a number of each")
        allow(self.measure, self._owner.why_not(), "What is plotted for every stage")
        none = "" if self.plotted is not None and self.plotted.picture else "Plot first"
        allow(self.save_plot, none, "The plot as PNG or SVG")
        allow(self.save_numbers, none, "The numbers of all stages, or the singular values, as CSV")
        if why:
            self.line.setText(f"{why}.")
        elif self.plotted is None:
            self.line.setText("")
        self.line.setVisible(bool(self.line.text()))

    def ask(self) -> None:
        """Make the chosen plot."""
        owner, looked = self._owner, self._owner.looked
        if looked is None or owner.why_not(mask=self.chosen != REDUNDANCY):
            self.allow()
            return
        known = self.plotted.spectra if self.plotted is not None else {}
        mask = owner.mask_part() if not owner.why_not(mask=True) else None
        job = inspect_plots.plot(
            looked.inspection,
            self.chosen,
            mask,
            owner.choice.reduction,
            inspect_plots.ink_of(owner.viewer),
            known,
        )
        owner.queue.ask(PLOT, job, partial(self._on_plotted, looked))

    def follow(self) -> None:
        """Draw anew what is drawn: the mask, or what is plotted, is another."""
        if self.plotted is None:
            return
        if self.chosen != REDUNDANCY and self._owner.why_not(mask=True):
            self.picture.show_png(b"")
        else:
            self.ask()

    def _on_measure(self) -> None:
        self.allow()
        self.follow()

    def _on_plotted(self, looked: Looked, plotted: Plotted) -> None:
        if not self._owner.still_there(looked):
            return
        self.plotted = plotted
        self.picture.show_png(plotted.picture)
        self.line.setText("" if plotted.picture else EMPTY)
        self.allow()

    def _on_save_plot(self) -> None:
        path = self._owner.export.ask_figure("Save the plot", self._name())
        if path is not None and self.plotted is not None:
            one = self.plotted
            draw = partial(inspect_plots.stage_plot, one.what, one.rows, one.spectra)
            self._owner.export.write(inspect_saving.save_plot(path, draw))

    def _on_save_numbers(self) -> None:
        path = self._owner.export.ask_table("Save the numbers", self._name())
        if path is None or self.plotted is None:
            return
        if self.plotted.what == REDUNDANCY:
            case = self.plotted.rows[0].case
            job = inspect_saving.save_spectra(path, case, self.plotted.spectra)
        else:
            job = inspect_saving.save_numbers(path, self.plotted.rows)
        self._owner.export.write(job)

    def _name(self) -> str:
        image = self._owner.looked.place.image.name if self._owner.looked is not None else ""
        return f"{image} {self.measure.currentText().lower()}"
