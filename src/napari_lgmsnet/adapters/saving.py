"""Layers to files: what is written of a layer, and where it lies."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import CompositeAffine
from numpy.typing import NDArray

from napari_lgmsnet.adapters.layers import shape_of, source_of
from napari_lgmsnet.adapters.results import METADATA
from napari_lgmsnet.core.axis_order import inverse, reorder
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.info import ClassInfo
from napari_lgmsnet.core.io import WRITABLE, write, write_labels
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.io.beside import beside
from napari_lgmsnet.core.io.labels import MadeBy
from napari_lgmsnet.core.types import Progress, Units, Volume

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

_TIME = {"t", "time"}
_CHANNELS = {"c", "channel", "channels"}


@dataclass(frozen=True)
class Savable:
    """A layer's content, ready to be written.

    Parameters
    ----------
    volume : Volume
        Lying where the layer lies now. Its source is that of the image that the layer was read
        from or made for, so that a NIfTI header or a DICOM series is used again.
    mask : bool
        Whether it holds labels.
    classes : tuple of ClassInfo, optional
        Names and colours of the labels.
    made_by : MadeBy, optional
        The checkpoint, if one made it.
    """

    volume: Volume
    mask: bool
    classes: tuple[ClassInfo, ...] | None = None
    made_by: MadeBy | None = None

    @property
    def source(self) -> Path | None:
        """Return the file that the layer was made for or read from, if it is known."""
        path = self.volume.source.get("path")
        return None if path is None else Path(path)

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write it, and compare what was written.

        Raises
        ------
        InputError, WriteError
            As :func:`~napari_lgmsnet.core.io.write_labels`, and if a mask would replace the image
            that it was made for.
        """
        source = self.source
        made_here = self.mask and self.made_by is not None
        if made_here and source is not None and path.exists() and path.samefile(source):
            raise InputError(
                f'"{path}" is the image itself, which the mask would replace: choose another name'
            )
        if self.mask:
            write_labels(
                path,
                self.volume,
                overwrite=overwrite,
                classes=self.classes,
                made_by=self.made_by,
            )
        else:
            write(path, self.volume, overwrite=overwrite)


def savable(data: Any, about: Mapping[str, Any], kind: str, *, edited: bool = True) -> Savable:
    """Return what is written of a layer.

    Parameters
    ----------
    data, about, kind
        As :meth:`napari.layers.Layer.as_layer_data_tuple` gives them, for "image" or "labels".
    edited : bool
        Whether a mask may have been edited since a network made it. Without knowing better it
        may, and DICOM then calls it semi-automatic.

    Raises
    ------
    InputError
        If the layer has axes that no format keeps.
    """
    array = np.asarray(data[0] if about.get("multiscale") else data)
    volume = _volume(array, about)
    if kind != "labels":
        return Savable(volume, mask=False)
    made = about.get("metadata", {}).get(METADATA, {})
    made_by = MadeBy(str(made["checkpoint"]), edited) if "checkpoint" in made else None
    return Savable(volume, True, _classes(about), made_by)


def snapshot(layer: Labels, others: Iterable[Layer], *, edited: bool = True) -> Savable:
    """Return a mask as it is now, in memory of its own.

    Parameters
    ----------
    layer : napari Labels layer
    others : iterable of napari layers
        If the mask does not know its image, as one that a person added by hand, it is taken to
        belong to the only one of these images that lies exactly under it.
    edited : bool
        As for :func:`savable`.
    """
    data, about, kind = layer.as_layer_data_tuple()
    if not source_of(layer):
        found = [source_of(one) for one in others if _lies_under(one, layer) and source_of(one)]
        if len(found) == 1:
            about = {**about, "metadata": {**about["metadata"], "source": found[0]}}
    content = savable(data, about, kind, edited=edited)
    return replace(content, volume=replace(content.volume, data=content.volume.data.copy()))


def target_of(layer: Labels, content: Savable) -> Path:
    """Return the file that a mask goes to when a person does not name one.

    A mask that was itself read from a file goes there again; any other beside its image.

    Raises
    ------
    InputError
        If it is not known which file its image came from.
    """
    source = content.source
    if source is None:
        raise InputError(
            f'it is not known from which file the image under "{layer.name}" was opened: save the '
            "mask by File > Save Selected Layer(s)…"
        )
    own = METADATA not in layer.metadata and bool(source_of(layer))
    again = ending(source) in WRITABLE or content.volume.source.get("format") == "dicom-seg"
    if own and again and source.is_file():
        return source
    return beside(source, content.volume)


def save(content: Savable, path: Path, *, overwrite: bool) -> Generator[Progress, None, Path]:
    """Write a layer's content in the background.

    There is one step, so that the file is written even if whoever asked for it goes away.
    """
    content.write(path, overwrite=overwrite)
    yield Progress(1, 1, "saved")
    return path


def _volume(data: NDArray[Any], about: Mapping[str, Any]) -> Volume:
    """Return a layer's data with its present place in the world."""
    name = str(about.get("name", "layer"))
    colours = bool(about.get("rgb"))
    count = data.ndim - colours
    named = [str(label).lower() for label in about.get("axis_labels", ())]
    labels = named if len(named) == count else [""] * count
    channel = next((i for i, label in enumerate(labels) if label in _CHANNELS), None)
    if channel is not None:
        data, colours = np.moveaxis(data, channel, -1), True
    axes = [i for i in range(count) if i != channel]
    timed = len(axes) == 4 or (len(axes) == 3 and labels[axes[0]] in _TIME)
    space = axes[timed:]
    if not 2 <= len(space) <= 3:
        raise InputError(
            f'"{name}" has {count} axes: time, z, y, x and one axis of channels can be saved. '
            "Split it into several layers"
        )
    affine = _whole_affine(about, count)
    rest = [i for i in range(count) if i not in space]
    if affine[np.ix_(space, rest)].any() or affine[np.ix_(rest, space)].any():
        raise GeometryError(
            f'"{name}" is rotated or sheared between space and another axis: remove that from its '
            "affine"
        )
    affine = affine[np.ix_([*space, count], [*space, count])]
    scale, units = _millimetres(about, space)
    affine[:-1] *= scale
    given = about.get("metadata", {}).get("source")
    source = dict(given) if isinstance(given, Mapping) else {}
    order = source.pop("layer_axes", tuple(range(len(space))))
    axes_named = "T" * timed + "ZYX"[-len(space) :] + "C" * colours
    volume = Volume(data, axes_named, affine, units, name, MappingProxyType(source))
    return reorder(volume, inverse(order)) if len(order) == len(space) else volume


def _whole_affine(about: Mapping[str, Any], count: int) -> NDArray[np.float64]:
    """Return the matrix from data to world; exact where the layer has nothing but an affine."""
    first = CompositeAffine(
        scale=about.get("scale", np.ones(count)),
        translate=about.get("translate", np.zeros(count)),
        rotate=about.get("rotate"),
        shear=about.get("shear"),
        ndim=count,
    )
    second = about.get("affine")
    whole = np.eye(count + 1) if second is None else np.array(second, dtype=np.float64)
    product: NDArray[np.float64] = whole @ first.affine_matrix
    return product


def _millimetres(about: Mapping[str, Any], space: list[int]) -> tuple[float, Units]:
    """Return how many mm one unit of the layer's spatial axes has."""
    units = about.get("units") or ()
    chosen = [units[i] for i in space] if len(units) > max(space) else []
    if not chosen or any(unit != chosen[0] for unit in chosen):
        return 1.0, "pixel"
    if not chosen[0].is_compatible_with("mm"):
        return 1.0, "pixel"
    return float((1 * chosen[0]).to("mm").magnitude), "mm"


def _classes(about: Mapping[str, Any]) -> tuple[ClassInfo, ...] | None:
    """Return names and colours from the table that a mask's layer carries, if it has one."""
    table, colormap = about.get("features"), about.get("colormap")
    if table is None or colormap is None or not {"index", "class"} <= set(table):
        return None
    names = {int(i): str(name) for i, name in zip(table["index"], table["class"], strict=True)}
    classes = []
    for label in range(max(names, default=0) + 1):
        red, green, blue = (round(255 * float(part)) for part in colormap.map(label)[:3])
        name = names.get(label, f"label {label}")
        classes.append(ClassInfo(name=name, colour=(red, green, blue)))
    return tuple(classes)


def _lies_under(image: Layer, mask: Labels) -> bool:
    """Tell whether an image has exactly a mask's voxels."""
    if not isinstance(image, Image) or shape_of(image) != tuple(mask.data.shape):
        return False
    ends = np.array([np.zeros(mask.ndim), np.array(mask.data.shape), *np.eye(mask.ndim)])
    here, there = ([one.data_to_world(end) for end in ends] for one in (image, mask))
    return np.allclose(here, there, rtol=1e-6, atol=1e-6)
