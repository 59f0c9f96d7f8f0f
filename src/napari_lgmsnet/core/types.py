"""Frozen value objects that carry data together with its geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import GeometryError

SPATIAL_AXES = ("X", "YX", "ZYX")
Units = Literal["mm", "pixel"]


def affine_from_spacing(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the affine of an axis-aligned grid that starts at the origin."""
    return np.diag([*spacing, 1.0])


def spacing_from_affine(affine: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the length of one step along each grid axis, in world units."""
    return tuple(float(step) for step in np.linalg.norm(affine[:-1, :-1], axis=0))


@dataclass(frozen=True)
class Volume:
    """An image or a volume with everything that says where it lies.

    Parameters
    ----------
    data : array of shape ``axes``
        Intensities or labels. Never modified by this package. A dask array where a file was
        opened lazily: its parts are read when they are computed; see :meth:`loaded`.
    axes : str
        One letter per axis of ``data``: optionally ``T`` (time) first, then the spatial axes
        ``YX`` or ``ZYX``, then optionally ``C`` (channels or colours) last.
    affine : float64 array of shape (d + 1, d + 1)
        Takes an index along the d spatial axes, **in the order of ``axes``**, to world coordinates
        in the order z, y, x. The world is LPS+ (x to the left, y to the back, z to the head, as
        in DICOM), so that a viewer which draws y downwards shows axial slices as radiologists
        expect them.
    units : "mm" or "pixel"
        Unit of the world coordinates; "pixel" where the file gives no physical size.
    name : str
        What a person calls it, usually the file's name without its ending.
    source : mapping
        What a writer needs to give the geometry back exactly (format, header, path). Opaque here.

    Raises
    ------
    GeometryError
        If axes, shape and affine contradict each other.
    """

    data: NDArray[Any]
    axes: str
    affine: NDArray[np.float64]
    units: Units = "pixel"
    name: str = "image"
    source: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if len(self.axes) != self.data.ndim:
            raise GeometryError(
                f'"{self.name}" has {self.data.ndim} axes, "{self.axes}" names {len(self.axes)}: '
                "name one letter for each axis"
            )
        if self.spatial_axes not in SPATIAL_AXES[1:]:
            raise GeometryError(
                f'axes "{self.axes}" of "{self.name}" are not [T](YX or ZYX)[C]: reorder the array'
            )
        size = self.ndim_spatial + 1
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (size, size) or not np.isfinite(affine).all():
            raise GeometryError(
                f'affine of "{self.name}" must be a finite {size} x {size} matrix, '
                f"got shape {affine.shape}"
            )
        steps = np.linalg.norm(affine[:-1, :-1], axis=0)
        if abs(np.linalg.det(affine[:-1, :-1])) <= 1e-6 * steps.prod():
            raise GeometryError(
                f'affine of "{self.name}" maps the volume onto a plane: check its spacing'
            )
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_array(
        cls,
        data: NDArray[Any],
        axes: str,
        spacing: tuple[float, ...] | None = None,
        name: str = "image",
    ) -> Volume:
        """Wrap an array whose grid is aligned with the world.

        Parameters
        ----------
        data : array
            The intensities.
        axes : str
            As for :class:`Volume`.
        spacing : tuple of float, optional
            Voxel size in mm along the spatial axes, in the order of ``axes``. Without it the
            world is counted in pixels.
        name : str
            What a person calls it.
        """
        spatial = sum(letter in "ZYX" for letter in axes)
        if spacing is not None and (
            len(spacing) != spatial or not all(np.isfinite(s) and s > 0 for s in spacing)
        ):
            raise GeometryError(
                f'spacing {spacing} does not fit "{name}": give {spatial} positive numbers in mm'
            )
        steps = spacing if spacing is not None else (1.0,) * spatial
        return cls(
            data, axes, affine_from_spacing(steps), "pixel" if spacing is None else "mm", name
        )

    @property
    def spatial_axes(self) -> str:
        """Return the letters of the spatial axes, in order."""
        return self.axes.removeprefix("T").removesuffix("C")

    @property
    def ndim_spatial(self) -> int:
        """Return the number of spatial axes."""
        return len(self.spatial_axes)

    @property
    def has_channels(self) -> bool:
        """Return whether the last axis holds channels."""
        return self.axes.endswith("C")

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Return the number of voxels along each spatial axis."""
        start = int(self.axes.startswith("T"))
        return tuple(int(n) for n in self.data.shape[start : start + self.ndim_spatial])

    @property
    def spacing(self) -> tuple[float, ...]:
        """Return the voxel size along the spatial axes, in ``units``."""
        return spacing_from_affine(self.affine)

    @property
    def is_lazy(self) -> bool:
        """Return whether the data are still in their file, in whole or in part."""
        return not isinstance(self.data, np.ndarray)

    def loaded(self) -> Volume:
        """Return the same volume with its data in memory."""
        return replace(self, data=np.asarray(self.data)) if self.is_lazy else self

    def frame(self, index: int) -> Volume:
        """Return one time point of a series.

        Parameters
        ----------
        index : int
            From 0.

        Raises
        ------
        GeometryError
            If there is no time axis, or no such frame.
        """
        if not self.axes.startswith("T"):
            raise GeometryError(f'"{self.name}" is no time series: leave out the frame')
        count = self.data.shape[0]
        if not 0 <= index < count:
            raise GeometryError(
                f'there is no frame {index + 1}: "{self.name}" has {count}. Choose another'
            )
        source = MappingProxyType({**self.source, "time_point": index})
        axes = self.axes.removeprefix("T")
        return replace(self, data=self.data[index], axes=axes, source=source)

    def with_data(self, data: NDArray[Any], axes: str, name: str | None = None) -> Volume:
        """Return other data on exactly this grid.

        Raises
        ------
        GeometryError
            If the spatial shape differs.
        """
        other = replace(self, data=data, axes=axes, name=name or self.name)
        if other.spatial_shape != self.spatial_shape or other.spatial_axes != self.spatial_axes:
            raise GeometryError(
                f'data of shape {data.shape} does not lie on the grid of "{self.name}" '
                f"{self.spatial_shape}"
            )
        return other


@dataclass(frozen=True)
class Progress:
    """One step of a long job.

    Parameters
    ----------
    step, total : int
        ``step`` of ``total`` units are done. ``total`` is 0 where it is not known yet.
    message : str
        What is happening, in a person's words.
    """

    step: int
    total: int
    message: str = ""
