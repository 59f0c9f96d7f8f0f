"""The feature map on screen, and its numbers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.adapters.inspect_layers import FEATURES, Looked
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.inspect_export import Export
from napari_lgmsnet.widgets.inspect_map import MapChoice
from napari_lgmsnet.widgets.inspect_numbers import Numbers

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.core.inspect.numbers import Row
    from napari_lgmsnet.widgets.inspect import InspectWidget

VIEW, SCORE, RANK = "view", "score", "rank"


class FeatureSection(QObject):
    """Chooses a map of a stage, shows it, and scores it against a mask.

    Parameters
    ----------
    owner : InspectWidget

    Attributes
    ----------
    seen : Seen or None
        The map on screen.
    rows : list of Row
        Its numbers, one row a class.
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self.seen: inspect_jobs.Seen | None = None
        self.rows: list[Row] = []
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.numbers = Numbers()
        self.form = plain_form()
        self.form.addRow(self.about)
        self.choice = MapChoice(self.form, owner.viewer)
        self.export = Export(owner, self)
        self.form.addRow(self.numbers)
        self.form.addRow(self.export.row)
        self.choice.changed.connect(self.see)
        self.choice.rank_clicked.connect(self._rank)

    def suit(self, inspection: Inspection | None) -> None:
        """Offer what a network has, and forget what was seen of something else."""
        self.seen, self.rows = None, []
        self.numbers.show_none()
        self.choice.suit(inspection)

    def allow(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        self.choice.allow_ranking(self._owner.why_not(mask=True))
        self.export.allow()
        self.about.setText(self._owner.about())

    def view(self) -> inspect_jobs.View:
        """Return which map is chosen."""
        choice = self.choice
        return inspect_jobs.View(choice.stage_name, choice.reduction, choice.channel_number)

    def see(self) -> None:
        """Show the chosen map of the chosen stage."""
        looked = self._owner.looked
        if looked is not None and self._owner.still_there(looked):
            job = inspect_jobs.see(looked.inspection, self.view())
            self._owner.queue.ask(VIEW, job, partial(self._on_seen, looked))

    def score(self) -> None:
        """Score the map on screen against the chosen mask."""
        looked, seen = self._owner.looked, self.seen
        if looked is None or seen is None:
            return
        try:
            mask = self._owner.mask_part()
        except InputError as error:
            self.rows = []
            chosen = self.choice.masks.layer() is not None
            self.numbers.show_none(*([f"{error}."] if chosen else []))
            self.allow()
            return
        job = inspect_jobs.score(looked.inspection, seen.view, mask)
        self._owner.queue.ask(SCORE, job, partial(self._on_scored, looked))

    def _rank(self) -> None:
        owner = self._owner
        if owner.looked is None or owner.why_not(mask=True):
            owner.allow()
            return
        job = inspect_jobs.rank(owner.looked.inspection, self.choice.stage_name, owner.mask_part())
        owner.begin(RANK, job, self.choice.offer_ranking)

    def _on_seen(self, looked: Looked, seen: inspect_jobs.Seen) -> None:
        owner = self._owner
        if not owner.still_there(looked):
            return
        before, self.seen = self.seen, seen
        self.choice.limit(seen.channels)
        name = looked.inspection.model.info.name
        layer = owner.maps.show(
            FEATURES, looked.place, seen.map, f"{seen.map.stage}, {seen.map.kind}, of {name}"
        )
        cells = " × ".join(map(str, seen.map.cells.shape))
        owner.bar.say(
            f'"{layer.name}": {seen.map.stage}, {seen.map.kind}, {cells} cells from '
            f"{seen.channels} channels of {name}."
        )
        self.score()
        owner.cases.show_table()
        if before is None or before.view.reduce != seen.view.reduce:
            owner.stages.follow()
        owner.allow()

    def _on_scored(self, looked: Looked, rows: list[Row]) -> None:
        if self._owner.still_there(looked):
            self.rows = rows
            self.numbers.show_rows(rows)
            self.allow()
