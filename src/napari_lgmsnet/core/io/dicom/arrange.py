"""Frames put in order: by their place in space, then in time, and never by names of files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.dicom.frames import Frame
from napari_lgmsnet.core.io.dicom.grid import affine_of_planes
from napari_lgmsnet.core.types import Units, affine_from_spacing

_SAME = 1e-4
"""Difference of direction cosines, and of pixel sizes in mm, that rounding explains."""
_SAME_PLACE = 1e-3  # mm

Stack = list[Frame]


@dataclass(frozen=True)
class Arrangement:
    """Frames in the order of a volume.

    Parameters
    ----------
    frames : tuple of Frame
        The planes along z, for one time point after the other.
    axes : str
        As for :class:`~napari_lgmsnet.core.types.Volume`.
    affine : float64 array
        As for Volume.
    units : "mm" or "pixel"
    times : int
        Number of time points.
    """

    frames: tuple[Frame, ...]
    axes: str
    affine: NDArray[np.float64]
    units: Units
    times: int = 1


def arrange(frames: Sequence[Frame]) -> Arrangement:
    """Put the frames of one series in order.

    Parameters
    ----------
    frames : sequence of Frame
        In any order, at least one.

    Returns
    -------
    Arrangement
        ``ZYX`` in mm for frames with a place in space, also if it is only one. Without one: ``YX``
        for one frame, ``TYX`` for frames that follow each other in time, and otherwise a stack
        of pages, ``ZYX`` in pixels. ``T`` first where several time points (or echoes, or
        weightings) lie at the same places; ``C`` last for colours.

    Raises
    ------
    FileFormatError
        If the frames are of different sizes or orientations, if some are missing, unevenly
        spaced or at the same place, or only some have a place.
    """
    _check_alike(frames, "sizes", lambda frame: f"{frame.shape[1]} x {frame.shape[0]} pixels")
    _check_alike(frames, "kinds", lambda frame: "colour" if frame.encoding.colour else "grey")
    _check_alike(
        frames, "kinds", lambda frame: "with" + "out" * (not frame.position) + " a place in space"
    )
    colour = "C" if frames[0].encoding.colour else ""
    if frames[0].position is None:
        return _pages(frames, colour)
    _check_close(frames, "orientations", lambda frame: frame.orientation)
    _check_close(frames, "pixel sizes", lambda frame: frame.spacing)
    return _volume(frames, colour)


def _pages(frames: Sequence[Frame], colour: str) -> Arrangement:
    ordered = tuple(sorted(frames, key=lambda frame: (frame.order, frame.path, frame.number)))
    first = ordered[0]
    in_time = first.moving and all(frame.path == first.path for frame in ordered)
    if len(ordered) > 1 and not in_time:
        # Nothing says how far the pages are apart, so no axis is in mm.
        return Arrangement(ordered, f"ZYX{colour}", np.eye(4), "pixel")
    affine = affine_from_spacing(first.spacing or (1.0, 1.0))
    units: Units = "mm" if first.spacing else "pixel"
    axes = ("T" if len(ordered) > 1 else "") + "YX" + colour
    return Arrangement(ordered, axes, affine, units, len(ordered))


def _volume(frames: Sequence[Frame], colour: str) -> Arrangement:
    first = frames[0]
    assert first.orientation is not None
    if first.spacing is None:
        raise FileFormatError(
            f'"{first.path}" says where it lies but not how large its pixels are: its header is '
            "incomplete. Export it again"
        )
    times = _times(_places(frames, np.cross(first.orientation[:3], first.orientation[3:])))
    affine = affine_of_planes(
        np.array([frame.position for frame in times[0]]),
        first.orientation,
        first.spacing,
        first.thickness or 1.0,
        [frame.path for frame in times[0]],
    )
    ordered = tuple(frame for stack in times for frame in stack)
    axes = ("T" if len(times) > 1 else "") + "ZYX" + colour
    return Arrangement(ordered, axes, affine, "mm", len(times))


def _places(frames: Sequence[Frame], normal: NDArray[np.float64]) -> list[Stack]:
    """Return the frames at each place, with the places in order along the normal."""
    positions = np.array([frame.position for frame in frames])
    places: list[Stack] = []
    last = np.full(3, np.inf)
    for index in np.argsort(positions @ normal, kind="stable"):
        if np.abs(positions[index] - last).max() > _SAME_PLACE:
            places.append([])
            last = positions[index]
        places[-1].append(frames[index])
    return places


def _times(places: list[Stack]) -> list[Stack]:
    """Return one complete stack for each time point, echo or weighting."""
    depth = max(len(place) for place in places)
    if depth == 1:
        return [[place[0] for place in places]]
    everywhere = list(range(len(places)))
    incomplete = ""
    for name in dict.fromkeys(name for place in places for frame in place for name in frame.keys):
        stacks: dict[Any, Stack] = defaultdict(list)
        where: dict[Any, list[int]] = defaultdict(list)
        for number, place in enumerate(places):
            for frame in place:
                stacks[frame.keys.get(name)].append(frame)
                where[frame.keys.get(name)].append(number)
        if all(numbers == everywhere for numbers in where.values()):
            return [stacks[value] for value in sorted(stacks, key=_missing_first)]
        if not incomplete and len(stacks) == depth:
            short = min(stacks, key=lambda value: len(stacks[value]))
            incomplete = (
                f"{name} {short} has {len(stacks[short])} images, {len(places)} are expected as "
                "the places of the others show. Copy or export the series again, completely"
            )
    raise FileFormatError(incomplete or _same_place(places))


def _missing_first(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def _same_place(places: list[Stack]) -> str:
    one, other = next(place for place in places if len(place) > 1)[:2]
    count = sum(len(place) > 1 for place in places)
    return (
        f'"{one.path}" and "{other.path}" lie at the same place, as images do at {count} of '
        f"{len(places)} places, and neither time point, b-value nor echo time sorts them into "
        "complete volumes: move the files of each volume to a folder of its own"
    )


def _check_alike(frames: Sequence[Frame], what: str, words: Callable[[Frame], str]) -> None:
    """Refuse a series whose images differ in something that can be counted."""
    groups: dict[str, Stack] = defaultdict(list)
    for frame in frames:
        groups[words(frame)].append(frame)
    if len(groups) > 1:
        raise _mixed(what, groups)


def _check_close(
    frames: Sequence[Frame], what: str, numbers: Callable[[Frame], tuple[float, ...] | None]
) -> None:
    """Refuse a series whose images differ in numbers by more than rounding explains."""
    groups: dict[str, Stack] = {}
    for frame in frames:
        own = numbers(frame) or ()
        for members in groups.values():
            other = numbers(members[0]) or ()
            if own == other or (
                len(own) == len(other) and np.allclose(own, other, rtol=0, atol=_SAME)
            ):
                members.append(frame)
                break
        else:
            groups["(" + ", ".join(f"{number:.6g}" for number in own) + ")"] = [frame]
    if len(groups) > 1:
        raise _mixed(what, groups)


def _mixed(what: str, groups: dict[str, Stack]) -> FileFormatError:
    parts = [
        f'{len(members)} of {words}, the first "{members[0].path.name}"'
        for words, members in sorted(groups.items(), key=lambda item: -len(item[1]))[:4]
    ]
    folder = next(iter(groups.values()))[0].path.parent
    return FileFormatError(
        f'the series in "{folder}" has images of different {what}: {"; ".join(parts)}. Move the '
        "files of each kind to a folder of their own, or open one of them by itself"
    )
