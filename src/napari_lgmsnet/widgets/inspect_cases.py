"""Several images with their masks: how much of each map is foreground, in one table and plot."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
)

from napari_lgmsnet.adapters import inspect_cases, inspect_plots, inspect_saving
from napari_lgmsnet.adapters.inspect_cases import ALONE, OTHER, UNTRAINED
from napari_lgmsnet.adapters.jobs import Loaded
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.inspect_section import Picture, fit_rows
from napari_lgmsnet.widgets.inspect_stages import MEASURES
from napari_lgmsnet.widgets.number_table import NumberTable
from napari_lgmsnet.widgets.reasons import allow

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.numbers import Row
    from napari_lgmsnet.core.inspect.survey import Survey
    from napari_lgmsnet.widgets.inspect import InspectWidget

SURVEY, DRAW = "survey", "draw"
NO_CASES = "Open images and their masks first: each mask is listed with the image that it lies on."
BESIDE = [
    ("nothing else", ALONE),
    ("the same with random weights", UNTRAINED),
    ("the checkpoint under Another checkpoint", OTHER),
]
FIRST = "encoder5"
"""The stage of the table until another one is chosen: the one after the fourth downsampling."""
_ROWS = 6  # of the list, before it scrolls


class CaseSection(QObject):
    """A list of images with masks to tick, and their numbers.

    Parameters
    ----------
    owner : InspectWidget

    Attributes
    ----------
    rows : list of Row
        Of every image, checkpoint, stage and class that was scored.
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self.rows: list[Row] = []
        self.list = QListWidget()
        self.list.setToolTip("Images that have a mask; tick those to be scored")
        self.beside = plain_combo("What the chosen checkpoint is compared with")
        refill(self.beside, list(BESIDE))
        self.score = QPushButton("Score the images")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.measure = plain_combo("What is plotted: how it spreads over the images, per stage")
        refill(self.measure, list(MEASURES))
        self.classes = plain_combo("Which class of the masks")
        self.picture = Picture()
        self.table = NumberTable()
        self.save_plot = QPushButton("Plot…")
        self.save_numbers = QPushButton("Numbers…")
        self.save_summary = QPushButton("Summary…")
        form = plain_form()
        form.addRow("Beside it", self.beside)
        choice, saving = QHBoxLayout(), QHBoxLayout()
        saving.addWidget(QLabel("Save"))
        choice.addWidget(self.measure, 2)
        choice.addWidget(self.classes, 1)
        for button in (self.save_plot, self.save_numbers, self.save_summary):
            saving.addWidget(button)
        self.layout_ = QVBoxLayout()
        self.layout_.addWidget(self.list)
        self.layout_.addLayout(form)
        self.layout_.addWidget(self.score)
        self.layout_.addWidget(self.line)
        self.layout_.addLayout(choice)
        self.layout_.addWidget(self.picture)
        self.layout_.addWidget(self.table)
        self.layout_.addLayout(saving)
        self.score.clicked.connect(self._on_score)
        self.list.itemChanged.connect(lambda _item: self.allow())
        self.beside.currentIndexChanged.connect(lambda _index: self.allow())
        for combo in (self.measure, self.classes):
            combo.currentIndexChanged.connect(lambda _index: self.show_rows())
        self.save_plot.clicked.connect(self._on_save_plot)
        self.save_numbers.clicked.connect(lambda: self._on_save(summary=False))
        self.save_summary.clicked.connect(lambda: self._on_save(summary=True))
        self.table.hide()

    def refresh(self) -> None:
        """List the images that have a mask, and keep the ticks."""
        owner = self._owner
        before = {item.data(Qt.ItemDataRole.UserRole): item.checkState() for item in self._items()}
        with QSignalBlocker(self.list):
            self.list.clear()
            for image, mask in inspect_cases.pairs_in(owner.viewer.layers, owner.session.results):
                item = QListWidgetItem(f"{image.name} with {mask.name}")
                item.setToolTip(item.text())
                key = (image.unique_id, mask.unique_id)
                item.setData(Qt.ItemDataRole.UserRole, key)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(before.get(key, Qt.CheckState.Checked))
                self.list.addItem(item)
        row = self.list.sizeHintForRow(0) if self.list.count() else 0
        self.list.setFixedHeight(row * min(_ROWS, self.list.count()) + 6)
        self.list.setVisible(self.list.count() > 0)
        self.allow()

    def allow(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        why = self._why_not()
        allow(self.score, why, "Run the network on every ticked image, and score all stages")
        if why or not self.rows:
            self.line.setText(f"{why}." if why else "")
        self.line.setVisible(bool(self.line.text()))
        none = "" if self.rows else "Score first"
        for control, tooltip in (
            (self.measure, "What is plotted: how it spreads over the images, per stage"),
            (self.classes, "Which class of the masks"),
            (self.save_plot, "The plot as PNG or SVG"),
            (self.save_numbers, "A row for each image, checkpoint, stage and class, as CSV"),
            (self.save_summary, "Mean, median and quartiles over the images, as CSV"),
        ):
            allow(control, none, tooltip)

    def show_rows(self) -> None:
        """Show the table, and draw the plot anew."""
        self.show_table()
        if self.rows:
            ink = inspect_plots.ink_of(self._owner.viewer)
            job = inspect_plots.share_picture(self.rows, self._measure, self._class_name, ink)
            self._owner.queue.ask(DRAW, job, self.picture.show_png)

    def show_table(self) -> None:
        """Show the numbers at the stage that is chosen for the feature map."""
        stage = self._owner.choice.stage_name or FIRST
        shown = [
            row for row in self.rows if (row.class_name, row.stage) == (self._class_name, stage)
        ]
        self.table.setVisible(bool(shown))
        checkpoints = list(dict.fromkeys(row.checkpoint for row in self.rows))
        columns: dict[str, list[Any]] = {
            "image": [row.case for row in shown],
            "by": [_rest(row.checkpoint, checkpoints[0]) for row in shown],
            "× even": [round(row.energy / row.foreground, 2) for row in shown],
            "AUC": [round(row.auc, 2) for row in shown],
            "Dice": [round(row.dice, 2) for row in shown],
            "energy": [round(row.energy, 2) for row in shown],
            "peak": [round(row.pointing, 2) for row in shown],
        }
        self.table.show_columns(columns, skip=("by",) if len(checkpoints) == 1 else ())
        fit_rows(self.table)

    @property
    def _measure(self) -> str:
        return str(self.measure.currentData())

    @property
    def _class_name(self) -> str:
        return str(self.classes.currentData() or "")

    def _items(self) -> list[Any]:
        return [self.list.item(row) for row in range(self.list.count())]

    def _ticked(self) -> list[tuple[Image, Labels]]:
        """Return the pairs that are to be scored."""
        layers = {layer.unique_id: layer for layer in self._owner.viewer.layers}
        keys = [
            item.data(Qt.ItemDataRole.UserRole)
            for item in self._items()
            if item.checkState() == Qt.CheckState.Checked
        ]
        return [(layers[a], layers[b]) for a, b in keys if a in layers and b in layers]

    def _why_not(self) -> str:
        source, other = self._owner.source, self._owner.comparison.checkpoint
        if not self.list.count():
            return NO_CASES.removesuffix(".")
        if not self._ticked():
            return "Tick an image first"
        if not source.checkpoint.reference:
            return "Choose a checkpoint first"
        if self.beside.currentData() == OTHER and not other.reference:
            return "Choose another checkpoint first, under Another checkpoint"
        return ""

    def _on_score(self) -> None:
        owner, pairs = self._owner, self._ticked()
        images = [image for image, _mask in pairs]
        cases, failures = [], {}
        for image, mask in pairs:
            twice = images.count(image) > 1
            name = f"{image.name} with {mask.name}" if twice else str(image.name)
            try:
                cases.append(
                    inspect_cases.case_of(
                        image, mask, name, owner.viewer.dims, owner.session.results
                    )
                )
            except InputError as error:
                failures[name] = str(error)
        view = owner.choice.reduction
        request = inspect_cases.SurveyRequest(
            reference=owner.source.checkpoint.reference,
            cases=cases,
            # A number of a channel means nothing across stages, and colours have none.
            reduce=view if view in ("mean", "maximum", "norm") else "mean",
            beside=str(self.beside.currentData()),
            other=owner.comparison.checkpoint.reference,
            recipe=owner.source.options.recipe_name,
            settings=owner.source.settings(),
            loaded=owner.source.suiting(owner.session.loaded),
        )
        owner.begin(
            SURVEY, inspect_cases.survey_images(request), partial(self._on_answer, failures)
        )

    def _on_answer(self, failures: dict[str, str], answer: tuple[Loaded, Survey]) -> None:
        loaded, survey = answer
        self._owner.learn(loaded)
        self.rows = [row for row in survey.rows if math.isfinite(row.energy)]
        refill(self.classes, [(n, n) for n in dict.fromkeys(row.class_name for row in self.rows)])
        count = len({row.case for row in self.rows})
        self.allow()
        words = [f"{count} images scored." if count != 1 else "1 image scored."]
        words += [f"{name}: {why}." for name, why in (failures | survey.failures).items()]
        self.line.setText("\n".join(words))
        self.line.show()
        self.picture.show_png(b"")
        self.show_rows()

    def _on_save_plot(self) -> None:
        path = self._owner.export.ask_figure("Save the plot", "foreground attention")
        if path is not None:
            draw = partial(inspect_plots.share_plot, self.rows, self._measure, self._class_name)
            self._owner.export.write(inspect_saving.save_plot(path, draw))

    def _on_save(self, *, summary: bool) -> None:
        name = "summary" if summary else "numbers"
        path = self._owner.export.ask_table(f"Save the {name}", f"foreground attention {name}")
        if path is not None:
            job = inspect_saving.save_numbers(path, self.rows, summary=summary)
            self._owner.export.write(job)


def _rest(name: str, first: str) -> str:
    """Return what tells a name from the first one."""
    return name.removeprefix(f"{first}, ")
