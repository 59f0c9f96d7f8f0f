"""A table of measures: of classes and their objects, with units in its headers."""

from __future__ import annotations

from dataclasses import dataclass

from napari_lgmsnet.core.components import Window
from napari_lgmsnet.core.tables import Cell


@dataclass(frozen=True)
class Measure:
    """One class, or one of its objects (voxels that touch, by a corner at least).

    Parameters
    ----------
    label : int
    name : str
        Of the class.
    part : int
        0 for the whole class, otherwise the object's number, the largest first.
    objects : int
        How many objects there are.
    voxels : int
    size : float
        Area of an image, volume of a volume, in world units (mm² or mm³).
    longest_diameter : float
        In world units; of a class, that of its longest object. See
        :func:`~napari_lgmsnet.core.diameter.longest_diameter`.
    box : tuple of slice
        The smallest box of voxels around it; without extent for a class that is not there.
    centroid : tuple of float
        In world coordinates: (y, x) or (z, y, x).
    mean, sd, minimum, maximum : float
        Of the intensities (sd of all voxels, not of a sample; colours by their luminance; without
        NaN and infinity). NaN where there are none.
    """

    label: int
    name: str
    part: int
    objects: int
    voxels: int
    size: float
    longest_diameter: float
    box: Window
    centroid: tuple[float, ...]
    mean: float
    sd: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Measures:
    """What was measured, as a table.

    Parameters
    ----------
    rows : tuple of Measure
        By label; each class is followed by its objects.
    unit : str
        Of lengths: "mm", or "px" where the image has no physical size.
    dimensions : 2 or 3
    """

    rows: tuple[Measure, ...]
    unit: str
    dimensions: int

    @property
    def classes(self) -> tuple[Measure, ...]:
        """Return the rows of whole classes."""
        return tuple(row for row in self.rows if row.part == 0)

    @property
    def size_header(self) -> str:
        """Return the name of the column with sizes, with its unit."""
        return f"area ({self.unit}²)" if self.dimensions == 2 else f"volume ({self.unit}³)"

    def columns(self) -> dict[str, list[Cell]]:
        """Return all rows as columns with units in their headers, for a table or a file."""
        rows = self.rows
        axes = "zyx"[-self.dimensions :]
        table: dict[str, list[Cell]] = {
            "label": [row.label for row in rows],
            "class": [row.name for row in rows],
            "object": ["all" if row.part == 0 else str(row.part) for row in rows],
            **self._sizes(rows),
        }
        for axis, letter in enumerate(axes):
            table[f"centroid {letter} ({self.unit})"] = [row.centroid[axis] for row in rows]
        for axis, letter in enumerate(axes):
            table[f"first voxel {letter}"] = [row.box[axis].start for row in rows]
            table[f"last voxel {letter}"] = [row.box[axis].stop - 1 for row in rows]
        return table | self._intensities(rows)

    def features(self) -> dict[str, list[Cell]]:
        """Return the classes as columns that suit a napari Labels layer's ``features``."""
        rows = self.classes
        return {
            "index": [row.label for row in rows],
            "class": [row.name for row in rows],
            **self._sizes(rows),
            **self._intensities(rows),
        }

    def _sizes(self, rows: tuple[Measure, ...]) -> dict[str, list[Cell]]:
        sizes: dict[str, list[Cell]] = {
            "objects": [row.objects for row in rows],
            "voxels" if self.dimensions == 3 else "pixels": [row.voxels for row in rows],
            self.size_header: [row.size for row in rows],
        }
        if self.unit == "mm" and self.dimensions == 3:
            sizes["volume (ml)"] = [row.size / 1000 for row in rows]
        diameters: list[Cell] = [row.longest_diameter for row in rows]
        return sizes | {f"longest diameter ({self.unit})": diameters}

    def _intensities(self, rows: tuple[Measure, ...]) -> dict[str, list[Cell]]:
        return {
            "mean intensity": [row.mean for row in rows],
            "sd of intensity": [row.sd for row in rows],
            "lowest intensity": [row.minimum for row in rows],
            "highest intensity": [row.maximum for row in rows],
        }
