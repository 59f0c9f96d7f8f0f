"""What the Correct widget asks in the background. Torch is loaded there, when first needed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.adapters.jobs import Loaded, load
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.case_jobs import Wanted
    from napari_lgmsnet.core.agreement import Comparison
    from napari_lgmsnet.core.edit import Change
    from napari_lgmsnet.core.geometry import Box
    from napari_lgmsnet.core.measures import Measures
    from napari_lgmsnet.core.prediction import Prediction
    from napari_lgmsnet.core.refine.refiner import Correction, Refiner
    from napari_lgmsnet.core.uncertainty import Uncertainty

Tool = Callable[..., Generator[Progress, None, "Change"]]


@dataclass(frozen=True)
class Clicked:
    """What a click wants changed.

    Parameters
    ----------
    refiner : Refiner
        To be used for the next click.
    correction : Correction
    change : Change
        As far as locks permit.
    share : float
        How far it reached, compared with what is read off the mask.
    part : float
        Voxels that change, as a part of the class as it was; 0 if there was nothing of it.
    """

    refiner: Refiner
    correction: Correction
    change: Change
    share: float
    part: float


@dataclass(frozen=True)
class Where:
    """Where a tool may change a mask; see :class:`napari_lgmsnet.core.edit.Scope`.

    Parameters
    ----------
    region : tuple of int or slice, optional
    axis : int, optional
    touching : tuple of int, optional
        Only the object at this voxel may change.
    locked : frozenset of int
        Labels that must not change.
    kept : uint8 array of the frame's shape, optional
        Voxels that are not 0 must not change.
    """

    region: Box | None = None
    axis: int | None = None
    touching: tuple[int, ...] | None = None
    locked: frozenset[int] = frozenset()
    kept: NDArray[np.uint8] | None = None


def edit(
    target: Target, tool: str, where: Where, options: Mapping[str, Any]
) -> Generator[Progress, None, Change]:
    """Work out what a tool of :mod:`napari_lgmsnet.core.edit` changes.

    Parameters
    ----------
    target : Target
    tool : str
        Its name.
    where : Where
    options : mapping
        As the tool takes them.

    Raises
    ------
    InputError
        If the tool cannot work there, or there is no object at the voxel.
    """
    from napari_lgmsnet.core import edit as tools

    yield Progress(0, 0, "reading the mask")
    # The person may paint meanwhile: what is looked at must not move.
    labels = target.labels.copy()
    selection = None if where.touching is None else _object(labels, where.touching, where.axis)
    scope = tools.Scope(where.region, selection, where.axis, where.locked, _locked(where.kept))
    work: Tool = getattr(tools, tool)
    change: Change = yield from work(labels, target.spacing, scope, **options)
    return change


def find_region(
    target: Target, where: Where
) -> Generator[Progress, None, tuple[Box, NDArray[np.bool_]]]:
    """Find the voxels that a person means.

    Returns
    -------
    tuple of slice
        The smallest box around them, in the frame.
    bool array of the box's shape

    Raises
    ------
    InputError
        If there is no object at the voxel.
    """
    from napari_lgmsnet.core.components import window_of
    from napari_lgmsnet.core.edit import Scope

    yield Progress(0, 0, "reading the mask")
    if where.touching is None:
        box = Scope(where.region).window(target.labels.shape) or ()
        return box, np.ones([part.stop - part.start for part in box], dtype=bool)
    selection = _object(target.labels.copy(), where.touching, where.axis)
    window = window_of(selection)
    assert window is not None
    return window, selection[window]


def get_ready() -> Generator[Progress, None, None]:
    """Load what the first click would have to wait for."""
    yield Progress(0, 0, "getting ready for clicks")
    import napari_lgmsnet.core.edit.scope
    import napari_lgmsnet.core.refine.refiner  # noqa: F401


def click(
    target: Target,
    refiner: Refiner | None,
    probability: NDArray[np.floating] | None,
    label: int,
    index: tuple[int, ...],
    *,
    positive: bool,
    share: float = 1.0,
    locked: frozenset[int] = frozenset(),
    kept: NDArray[np.uint8] | None = None,
) -> Generator[Progress, None, Clicked]:
    """Work out what a click changes.

    Parameters
    ----------
    target : Target
    refiner : Refiner, optional
        With the earlier clicks on this frame and class.
    probability : float array, optional
        What the network says of the class, on this frame.
    label : int
        The class.
    index : tuple of int
        The voxel.
    positive : bool
        Whether it belongs to the class.
    share : float
        How far the click reaches, compared with what is read off the mask.
    locked : frozenset of int
        Labels that must not change.
    kept : uint8 array of the frame's shape, optional
        Voxels that are not 0 must not change.
    """
    from napari_lgmsnet.core.edit.scope import Draft, Scope
    from napari_lgmsnet.core.refine.refiner import Click, Refiner

    yield Progress(0, 0, "looking around the click")
    labels = target.labels.copy()
    if refiner is None:
        pixels = target.pixels()
        data = labels if pixels is None else np.asarray(pixels.loaded().data)
        refiner = Refiner(data, probability, target.spacing)
    before = int(np.count_nonzero(labels == label))
    correction = refiner.click(labels == label, Click(index, positive), share)
    draft = Draft(labels, Scope(locked_labels=locked, locked=_locked(kept)))
    draft.write(correction.box, correction.changed, label if positive else 0)
    change = draft.finish()
    return Clicked(refiner, correction, change, share, change.voxels / before if before else 0.0)


def ask_network(
    target: Target, wanted: Wanted, sha256: str
) -> Generator[Progress, None, tuple[Loaded, Prediction | None]]:
    """Ask a network about a frame.

    Parameters
    ----------
    target : Target
    wanted : Wanted
    sha256 : str
        Of the checkpoint that made the mask.

    Returns
    -------
    Loaded
    Prediction or None
        None where the checkpoint is another one now, or the mask has no image.
    """
    loaded = wanted.loaded
    if loaded is None or loaded.reference != wanted.reference or not loaded.fresh:
        loaded = yield from load(wanted.reference)
    image = target.pixels()
    if image is None or loaded.model.sha256 != sha256:
        return loaded, None
    from napari_lgmsnet.core import device, inference
    from napari_lgmsnet.core.prediction import make_settings

    device.set_thread_budget(spare=1)
    yield Progress(0, 0, "asking the network about this image")
    settings = make_settings(**wanted.settings)
    return loaded, (yield from inference.iterate(loaded.model, image, settings))


def doubt(
    image: Volume, reference: str, loaded: Loaded | None, settings: Mapping[str, Any]
) -> Generator[Progress, None, tuple[Loaded, Uncertainty]]:
    """Ask the network for several views of an image, and how much its answers differ."""
    if loaded is None or loaded.reference != reference or not loaded.fresh:
        loaded = yield from load(reference)
    from napari_lgmsnet.core import device, uncertainty
    from napari_lgmsnet.core.prediction import make_settings

    device.set_thread_budget(spare=1)
    found = yield from uncertainty.estimate(loaded.model, image, make_settings(**settings))
    return loaded, found


def look_for_doubt(
    entropy: NDArray[np.floating], spacing: tuple[float, ...], done: NDArray[np.bool_]
) -> Generator[Progress, None, list[Any]]:
    """Return the regions to look at, the most doubtful first."""
    from napari_lgmsnet.core.doubt import doubtful_regions

    yield Progress(0, 0, "looking for doubtful regions")
    regions: list[Any] = doubtful_regions(entropy, spacing, done=done.copy())
    return regions


def measure(target: Target, names: Mapping[int, str]) -> Generator[Progress, None, Measures]:
    """Measure all classes and objects of a mask."""
    from napari_lgmsnet.core.measure import measure as work

    yield Progress(0, 0, "measuring")
    pixels = target.pixels()
    return (yield from work(target.volume(), None if pixels is None else pixels.loaded(), names))


def compare(
    target: Target, reference: Target, names: Mapping[int, str]
) -> Generator[Progress, None, Comparison]:
    """Compare a mask with a reference."""
    from napari_lgmsnet.core.agreement import compare as work

    yield Progress(0, 0, "comparing")
    return (yield from work(target.volume(), reference.volume(), names))


def _object(labels: NDArray[Any], index: tuple[int, ...], axis: int | None) -> NDArray[np.bool_]:
    """Return the object at a voxel, of the whole mask's shape."""
    from napari_lgmsnet.core.edit import object_at

    if labels[index] == 0:
        raise InputError(
            "there is no object where the pointer was last: hover over one, or choose another part"
        )
    return object_at(labels, index, axis)


def _locked(kept: NDArray[np.uint8] | None) -> NDArray[np.bool_] | None:
    return None if kept is None else kept != 0
