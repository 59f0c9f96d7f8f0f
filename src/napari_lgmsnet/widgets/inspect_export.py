"""Saving the map that is shown, and the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QPushButton

from napari_lgmsnet.adapters import inspect_jobs
from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from napari_lgmsnet.widgets.inspect import InspectWidget

SAVE = "save"
MAPS = {
    "Figure as PNG (*.png)": ".png",
    "Figure as SVG (*.svg)": ".svg",
    "Map as NIfTI (*.nii.gz)": ".nii.gz",
    "Map as TIFF (*.tif)": ".tif",
}
TABLES = {"Table (*.csv)": ".csv"}


class ExportSection(QObject):
    """Two buttons that ask for a file.

    Parameters
    ----------
    owner : InspectWidget
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self.map = QPushButton("Map…")
        self.numbers = QPushButton("Numbers…")
        row = QHBoxLayout()
        row.addWidget(self.map)
        row.addWidget(self.numbers)
        self.form = QFormLayout()
        self.form.addRow(row)
        self.map.clicked.connect(self._on_map)
        self.numbers.clicked.connect(self._on_numbers)

    def allow(self) -> None:
        """Enable what can be saved, and say why the rest cannot."""
        mapped, numbered = self._owner.maps.last is not None, bool(self._owner.rows)
        self.map.setEnabled(mapped)
        self.map.setToolTip(
            "The map shown last: a figure with scale and colour bar (PNG, SVG), or its values on "
            "the image's grid (NIfTI, TIFF)"
            if mapped
            else "Run first"
        )
        self.numbers.setEnabled(numbered)
        self.numbers.setToolTip(
            "The numbers of the map, or of all stages after they were plotted, as CSV"
            if numbered
            else "Choose a mask first: without one there are no numbers"
        )

    def _on_map(self) -> None:
        last = self._owner.maps.last
        if last is None:
            return
        place, coarse = last
        path = self._ask("Save the map", f"{place.image.name} {coarse.stage}", MAPS)
        if path is None:
            return
        mask = None
        try:
            mask = self._owner.mask_part()
        except InputError as error:
            self._owner.bar.complain(error)
        plane = place.slice_on_screen(self._owner._viewer.dims)
        self._owner.queue.ask(SAVE, inspect_jobs.save_map(path, coarse, mask, plane), self._say)

    def _on_numbers(self) -> None:
        path = self._ask("Save the numbers", "numbers", TABLES)
        if path is not None:
            job = inspect_jobs.save_numbers(path, list(self._owner.rows))
            self._owner.queue.ask(SAVE, job, self._say)

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
