"""Saving the map that is shown, and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton

from napari_lgmsnet.adapters import inspect_saving
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.reasons import allow

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.jobs import Job
    from napari_lgmsnet.widgets.inspect import InspectWidget
    from napari_lgmsnet.widgets.inspect_features import FeatureSection

SAVE = "save"
FIGURES = {"Figure as PNG (*.png)": ".png", "Figure as SVG (*.svg)": ".svg"}
MAPS = {**FIGURES, "Map as NIfTI (*.nii.gz)": ".nii.gz", "Map as TIFF (*.tif)": ".tif"}
TABLES = {"Table (*.csv)": ".csv"}


class Export(QObject):
    """Two buttons that ask for a file, and what other parts need to ask for theirs.

    Parameters
    ----------
    owner : InspectWidget
    features : FeatureSection
        Has the numbers.
    """

    def __init__(self, owner: InspectWidget, features: FeatureSection) -> None:
        super().__init__(owner)
        self._owner = owner
        self._features = features
        self.map = QPushButton("Save map…")
        self.numbers = QPushButton("Save numbers…")
        self.row = QHBoxLayout()
        self.row.addWidget(self.map)
        self.row.addWidget(self.numbers)
        self.map.clicked.connect(self._on_map)
        self.numbers.clicked.connect(self._on_numbers)

    def allow(self) -> None:
        """Enable what can be saved, and say why the rest cannot."""
        owner = self._owner
        allow(
            self.map,
            "" if owner.maps.last is not None else "Run first",
            "The map shown last, of whatever kind: a figure with scale and colour bar (PNG, SVG), "
            "or its values on the image's grid (NIfTI, TIFF)",
        )
        none = (
            ""
            if self._features.rows
            else owner.why_not(mask=True) or "Choose a mask that is not empty"
        )
        allow(self.numbers, none, "The numbers of the feature map as CSV")

    def ask_figure(self, title: str, name: str) -> Path | None:
        """Let the person choose a file for a plot."""
        return self._ask(title, name, FIGURES)

    def ask_table(self, title: str, name: str) -> Path | None:
        """Let the person choose a file for a table."""
        return self._ask(title, name, TABLES)

    def write(self, job: Job) -> None:
        """Write a file in the background, and say so."""
        self._owner.queue.ask(SAVE, job, self._say)

    def _on_map(self) -> None:
        last = self._owner.maps.last
        if last is None:
            return
        place, coarse = last
        path = self._ask("Save the map", f"{place.image.name} {coarse.stage}", MAPS)
        if path is not None:
            mask = None if self._owner.why_not(mask=True) else self._owner.mask_part()
            plane = place.slice_on_screen(self._owner.viewer.dims)
            self.write(inspect_saving.save_map(path, coarse, mask, plane))

    def _on_numbers(self) -> None:
        path = self.ask_table("Save the numbers", f"{self._features.rows[0].case} numbers")
        if path is not None:
            self.write(inspect_saving.save_numbers(path, list(self._features.rows)))

    def _ask(self, title: str, name: str, kinds: dict[str, str]) -> Path | None:
        """Return the chosen file with an ending; a person asked there about one that exists."""
        file, kind = QFileDialog.getSaveFileName(self._owner, title, name, ";;".join(kinds))
        if not file:
            return None
        known = (*kinds.values(), ".nii", ".tiff") if kinds is MAPS else tuple(kinds.values())
        if file.lower().endswith(known):
            return Path(file)
        path = Path(file + kinds.get(kind, next(iter(kinds.values()))))
        if path.exists():
            self._owner.bar.complain(
                InputError(f'"{path.name}" exists: choose it by its whole name to replace it')
            )
            return None
        return path

    def _say(self, path: Path) -> None:
        self._owner.bar.say(f'Wrote "{path.name}".')
