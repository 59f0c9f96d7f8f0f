"""Tools that clean up the mask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_lgmsnet.adapters import correct_jobs
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.correct_jobs import Where
from napari_lgmsnet.adapters.drawn import drawn_box, start_drawing
from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.correct_locks import LockSection
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.region import RECTANGLE, SLICE, WHOLE

TOOL = "tool"
EACH_SLICE, OBJECT = "each slice", "object"


class ToolSection(QObject):
    """Buttons for the clean-up tools, and where they work.

    Parameters
    ----------
    bench : Bench
    parent : QWidget
    """

    def __init__(self, bench: Bench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.part = plain_combo("Where the tools may change the mask")
        self.draw = QPushButton("&Draw")
        self.draw.setToolTip("Drag a rectangle over the image; the last or selected one counts")
        self.every = QCheckBox("All classes at once")
        self.every.setToolTip("Otherwise the class that is chosen above")
        self.locks = LockSection(bench, self.where, self)
        self.size = _amount("Objects smaller than this are removed")
        self.width = _amount("How wide the smoothing reaches")
        self.margin = _amount("How far the border moves")
        self.other = QComboBox()
        self.other.setToolTip("What the class becomes")
        self.buttons: dict[str, QPushButton] = {}
        self.layout_ = QVBoxLayout()
        self._lay_out()
        self._spacing: tuple[float, ...] = ()
        bench.chosen.connect(self.suit)
        self.suit()

    def use(self, tool: str) -> None:
        """Let a tool work.

        Parameters
        ----------
        tool : str
            One of ``buttons``.
        """
        try:
            target = self._bench.target()
            where, options = self.where(target), self._options(tool, target)
        except InputError as error:
            self._bench.failed.emit(error)
            return
        name = "copy_slice" if tool.startswith("copy") else tool
        title = self.buttons[tool].text().rstrip("…")
        job = correct_jobs.edit(target, name, where, options)
        self._bench.queue.ask(TOOL, job, lambda change: self._on_done(target, title, change))

    def use_if_possible(self, tool: str) -> None:
        """Let a tool work, if its button could be pressed."""
        if self.buttons[tool].isEnabled():
            self.use(tool)

    def suit(self) -> None:
        """Bring what can be chosen in line with the mask."""
        bench = self._bench
        try:
            target: Target | None = bench.target()
        except InputError:
            target = None
        solid = target is not None and target.plane is not None
        items = [("Whole volume" if solid else "Whole image", WHOLE)]
        if solid:
            items += [("Whole volume, slice by slice", EACH_SLICE), ("This slice", SLICE)]
        items += [("Object under the pointer", OBJECT), ("Rectangle", RECTANGLE)]
        refill(self.part, items)
        for tool, button in self.buttons.items():
            through = tool == "interpolate" or tool.startswith("copy")
            button.setEnabled(target is not None and (solid or not through))
        refill(self.other, [("background", 0), *self._classes(but=bench.label)])
        self._show_draw()
        self.locks.suit()
        if target is not None:
            self._scale(target)

    def _lay_out(self) -> None:
        form = plain_form()
        where = QHBoxLayout()
        where.addWidget(self.part, 1)
        where.addWidget(self.draw)
        form.addRow("Where", where)
        self.draw.clicked.connect(self._on_draw)
        self.part.currentIndexChanged.connect(lambda _index: self._show_draw())
        row = QGridLayout()
        row.addWidget(self.every, 0, 0)
        row.addWidget(self.locks.classes, 0, 1, Qt.AlignmentFlag.AlignRight)
        row.addWidget(self.locks.lock, 1, 0)
        row.addWidget(self.locks.unlock, 1, 1)
        form.addRow(row)
        grid = QGridLayout()
        self._add(grid, 0, 0, "keep_largest", "Keep largest", "Keep the largest object only")
        self._add(grid, 0, 1, "fill_holes", "Fill holes", "Fill background that is enclosed")
        self._add(grid, 1, 0, "remove_islands", "Remove islands", "Remove small objects")
        grid.addWidget(self.size, 1, 1)
        self._add(grid, 2, 0, "smooth", "Smooth", "Smooth the borders")
        grid.addWidget(self.width, 2, 1)
        margin = QGridLayout()
        margin.setContentsMargins(0, 0, 0, 0)
        self._add(margin, 0, 0, "grow", "Grow", "Move the border outwards")
        self._add(margin, 0, 1, "shrink", "Shrink", "Move the border inwards")
        grid.addLayout(margin, 3, 0)
        grid.addWidget(self.margin, 3, 1)
        self._add(grid, 4, 0, "split", "Split touching", "Cut objects where they are narrow")
        self._add(
            grid, 4, 1, "interpolate", "Interpolate", "Paint the slices between painted slices"
        )
        self._add(
            grid, 5, 0, "copy_back", "Copy to previous", "Copy this slice to the one before it"
        )
        self._add(grid, 5, 1, "copy_on", "Copy to next", "Copy this slice to the one after it")
        self._add(grid, 6, 0, "replace", "Replace by", "Give the class's voxels another label")
        grid.addWidget(self.other, 6, 1)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        self.layout_.addLayout(form)
        self.layout_.addLayout(grid)

    def _add(
        self, grid: QGridLayout, row: int, column: int, tool: str, title: str, tip: str
    ) -> None:
        button = self.buttons[tool] = QPushButton(title)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: self.use(tool))
        grid.addWidget(button, row, column)

    def _classes(self, *, but: int = 0) -> list[tuple[str, int]]:
        names = self._bench.names
        return [(name, label) for label, name in names.items() if label != but]

    def where(self, target: Target) -> Where:
        """Return where the tools may work, as it is chosen.

        Raises
        ------
        InputError
            If no rectangle is drawn, or the pointer was not over the mask.
        """
        chosen, plane = self.part.currentData(), target.plane
        locks = self._bench.lock
        where = Where(
            locked=self._bench.locked, kept=None if locks is None else locks.kept(target.box)
        )
        if chosen == SLICE and plane is not None:
            axis, index = plane
            region: list[int | slice] = [slice(0, n) for n in target.labels.shape]
            region[axis] = index
            return replace(where, region=tuple(region), axis=axis)
        if chosen == EACH_SLICE and plane is not None:
            return replace(where, axis=plane[0])
        if chosen == OBJECT:
            position = self._bench.viewer.cursor.position
            voxel = target.index_of(position)
            if voxel is None:
                raise InputError("the pointer was not over the mask: hover over an object first")
            return replace(where, touching=voxel)
        if chosen == RECTANGLE:
            box = drawn_box(self._bench.viewer, target.part, all_slices=False)
            axis_of_plane = None if plane is None else plane[0]
            return replace(where, region=box[target.part.leading :], axis=axis_of_plane)
        return where

    def _options(self, tool: str, target: Target) -> dict[str, Any]:
        label = self._bench.label
        options: dict[str, Any] = {"label": None if self.every.isChecked() else label}
        if tool in ("split", "replace") and not label:
            raise InputError("choose a class first: background is none")
        if tool == "remove_islands":
            options["smaller_than"] = self.size.value()
        elif tool == "smooth":
            options["width"] = self.width.value()
        elif tool in ("grow", "shrink"):
            options["distance"] = self.margin.value()
        elif tool == "split":
            options["label"] = label
        elif tool == "replace":
            options |= {"label": label, "by": int(self.other.currentData() or 0)}
        elif tool == "interpolate":
            assert target.plane is not None
            options["axis"] = target.plane[0]
        elif tool.startswith("copy"):
            assert target.plane is not None
            axis, index = target.plane
            step = 1 if tool == "copy_on" else -1
            options |= {"source": index, "target": index + step, "axis": axis}
        return options

    def _on_done(self, target: Target, title: str, change: Any) -> None:
        if change.empty:
            self._bench.said.emit(f"{title}: there was nothing to change.")
            return
        count = f"{change.voxels:,}".replace(",", " ")

        def say(written: bool) -> None:
            if written:
                self._bench.said.emit(f"{title}: {count} voxels changed. Ctrl+Z takes it back.")

        self._bench.write(target, change, "tool", say)

    def _scale(self, target: Target) -> None:
        """Begin with amounts that suit the voxels, and count in their unit."""
        unit = "mm" if target.units == "mm" else "px"
        power = "²" if target.plane is None else "³"
        for box, suffix in (
            (self.size, f" {unit}{power}"),
            (self.width, f" {unit}"),
            (self.margin, f" {unit}"),
        ):
            box.setSuffix(suffix)
        if target.spacing == self._spacing:
            return
        self._spacing = target.spacing
        step = min(target.spacing)
        voxel = 1.0
        for one in target.spacing:
            voxel *= one
        self.size.setValue(30 * voxel)
        self.width.setValue(2 * step)
        self.margin.setValue(step)
        for box in (self.width, self.margin):
            box.setSingleStep(step)

    def _show_draw(self) -> None:
        self.draw.setVisible(self.part.currentData() == RECTANGLE)

    def _on_draw(self) -> None:
        if self._bench.mask is not None:
            start_drawing(self._bench.viewer, self._bench.mask)
            self._bench.said.emit("Drag a rectangle over the image, then choose a tool.")


def _amount(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.0, 1e9)
    box.setDecimals(2)
    box.setToolTip(tip)
    return box
