"""Edits: what changed in a case's arrays, and how that is written down."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.project.times import utc_now

Layer = Literal["labels", "prediction", "touched", "vouched"]
Author = Literal["person", "undo", "network"]
Where = tuple[NDArray[np.integer], ...] | tuple[slice, ...]

_FAST = 1


@dataclass(frozen=True, eq=False)
class Edit:
    """New values at some voxels of a case.

    Arrays are handed over, not copied: don't change them afterwards.

    Parameters
    ----------
    where : tuple of integer arrays, or tuple of slices
        One array an axis, as ``numpy.nonzero`` and napari give them, the same voxel any number of
        times (the last value counts); or a box, one slice an axis, for large edits.
    new : array or int
        Values of the voxels, in this order; of the box, in its shape; or one value for all.
    old : array or int, optional
        Values before, to count how many changed. Without them all voxels count.
    layer : "labels", "prediction", "touched" or "vouched"
        What is changed. The last two hold 0 and 1.
    author : "person", "undo" or "network"
        Labels that a person changes are touched from then on. An undo takes that back where the
        network's answer is restored. What the network writes is not touched.
    strokes, clicks : int
        How often the person pressed the mouse for this edit.
    """

    where: Where
    new: NDArray[Any] | int
    old: NDArray[Any] | int | None = None
    layer: Layer = "labels"
    author: Author = "person"
    strokes: int = 0
    clicks: int = 0

    @property
    def box(self) -> tuple[slice, ...] | None:
        """Return the box that is changed, or None for single voxels."""
        parts = tuple(part for part in self.where if isinstance(part, slice))
        return parts if len(parts) == len(self.where) else None

    def check(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Refuse what does not fit a case.

        Parameters
        ----------
        shape : tuple of int
            Of the case.
        dtype : numpy dtype
            Of its labels.

        Raises
        ------
        InputError
            If places lie outside, or values do not fit.
        """
        if len(self.where) != len(shape):
            raise InputError(f"an edit along {len(self.where)} axes does not fit shape {shape}")
        if self.box is None:
            for index, size in zip(self.where, shape, strict=True):
                places = np.asarray(index)
                if places.size and (places.min() < 0 or places.max() >= size):
                    raise InputError(f"an edit lies outside of the mask of shape {shape}")
        limit = 1 if self.layer in ("touched", "vouched") else np.iinfo(dtype).max
        values = np.asarray(self.new)
        if values.dtype.kind not in "biu":
            raise InputError(f"an edit holds {values.dtype}: labels are whole numbers")
        if values.size and (values.min() < 0 or values.max() > limit):
            raise InputError(
                f'an edit of "{self.layer}" holds {int(values.max())}, {limit} is the largest '
                "here: store the mask again with a wider type first"
            )


@dataclass(frozen=True)
class Activity:
    """What a person did besides, or without, changing voxels.

    Parameters
    ----------
    strokes, clicks : int
    seconds : float
    voxels : int
        Values that changed, each change counted.
    """

    strokes: int = 0
    clicks: int = 0
    seconds: float = 0.0
    voxels: int = 0

    def __add__(self, other: Activity) -> Activity:
        return Activity(
            self.strokes + other.strokes,
            self.clicks + other.clicks,
            self.seconds + other.seconds,
            self.voxels + other.voxels,
        )


def pack(edit: Edit, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the record of an edit: a description in JSON, then compressed arrays."""
    kind = np.dtype(np.uint8) if edit.layer in ("touched", "vouched") else dtype
    head: dict[str, Any] = {"layer": edit.layer, "author": edit.author}
    if edit.box is not None:
        box = [part.indices(size)[:2] for part, size in zip(edit.box, shape, strict=True)]
        extent = tuple(max(0, stop - start) for start, stop in box)
        new = np.broadcast_to(np.asarray(edit.new), extent)
        head["box"] = box
        arrays = [_bytes(new, kind)]
        voxels = _count(new, None if edit.old is None else np.broadcast_to(edit.old, extent))
    else:
        flat, new, old = _sorted(edit, shape)
        starts, lengths = _runs(flat)
        head["runs"] = len(starts)
        arrays = [_bytes(np.diff(starts, prepend=0), "<i8"), _bytes(lengths, "<i8")]
        arrays.append(_bytes(new, kind))
        voxels = _count(new, old)
    head |= {
        "dtype": kind.newbyteorder("<").str,
        "voxels": voxels if edit.layer == "labels" and edit.author != "network" else 0,
        "strokes": edit.strokes,
        "clicks": edit.clicks,
        "at": utc_now(),
    }
    return _join(head, zlib.compress(b"".join(arrays), _FAST))


def pack_activity(activity: Activity) -> bytes:
    """Return a record that changes no voxel."""
    head = {
        "layer": None,
        "voxels": activity.voxels,
        "strokes": activity.strokes,
        "clicks": activity.clicks,
        "seconds": round(activity.seconds, 3),
        "at": utc_now(),
    }
    return _join(head, b"")


def pack_head(head: dict[str, Any]) -> bytes:
    """Return a record that only describes."""
    return _join(head, b"")


def head_of(record: bytes) -> dict[str, Any]:
    """Return a record's description, without unpacking its arrays."""
    (length,) = struct.unpack_from("<I", record)
    head: dict[str, Any] = json.loads(record[4 : 4 + length])
    return head


def activity_of(head: dict[str, Any]) -> Activity:
    """Return what a record counts."""
    return Activity(head["strokes"], head["clicks"], head.get("seconds", 0.0), head["voxels"])


def unpack(record: bytes) -> tuple[dict[str, Any], NDArray[np.int64] | None, NDArray[Any]]:
    """Return a record's description, the flat places in C order (None for a box), and values."""
    head = head_of(record)
    (length,) = struct.unpack_from("<I", record)
    data = zlib.decompress(record[4 + length :])
    if "box" in head:
        extent = [max(0, stop - start) for start, stop in head["box"]]
        return head, None, np.frombuffer(data, head["dtype"]).reshape(extent)
    count = head["runs"]
    starts = np.cumsum(np.frombuffer(data, "<i8", count))
    lengths = np.frombuffer(data, "<i8", count, 8 * count)
    new = np.frombuffer(data, head["dtype"], offset=16 * count)
    before = np.cumsum(lengths) - lengths
    flat = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
    return head, flat, new


def _sorted(
    edit: Edit, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any] | None]:
    """Return each voxel once, in order, with its last new and its first old value."""
    places = tuple(np.asarray(index).ravel() for index in edit.where)
    flat = np.asarray(np.ravel_multi_index(places, shape), dtype=np.int64)
    order = np.argsort(flat, kind="stable")
    flat = flat[order]
    first = np.ones(len(flat), dtype=bool)
    first[1:] = flat[1:] != flat[:-1]
    last = np.roll(first, -1)
    new = np.broadcast_to(np.asarray(edit.new).ravel(), flat.shape)[order][last]
    if edit.old is None:
        return flat[first], new, None
    return flat[first], new, np.broadcast_to(np.asarray(edit.old).ravel(), flat.shape)[order][first]


def _runs(flat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where runs of neighbouring places start, and how long they are."""
    begins = np.flatnonzero(np.diff(flat, prepend=-2) != 1)
    return flat[begins], np.diff(begins, append=len(flat))


def _count(new: NDArray[Any], old: NDArray[Any] | None) -> int:
    return int(new.size if old is None else np.count_nonzero(new != old))


def _bytes(array: NDArray[Any], kind: str | np.dtype[Any]) -> bytes:
    return np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<")).tobytes()


def _join(head: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    return struct.pack("<I", len(text)) + text + data
