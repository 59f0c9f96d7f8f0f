"""What is learnt from: an image, a mask, and which voxels of it count."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError, TrainingError
from napari_lgmsnet.core.hashing import file_sha256
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.training.data import files_by_name, read_mask
from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Project


@dataclass(frozen=True, eq=False)
class Example:
    """One image with its mask.

    Parameters
    ----------
    name : str
    image : Volume
        ``YX`` or ``ZYX``, with or without ``T`` and ``C``.
    labels : integer array
        Class numbers on the image's grid, with its time axis and without its channels.
    known : bool array of the same shape, optional
        Voxels that count; the others are unlabelled. Without it all count.
    sha256 : str
        Of the image; computed from its numbers if it is not given.

    Raises
    ------
    InputError
        If labels or ``known`` do not lie on the image's grid.
    """

    name: str
    image: Volume
    labels: NDArray[Any]
    known: NDArray[np.bool_] | None = None
    sha256: str = ""

    def __post_init__(self) -> None:
        shape = tuple(self.image.data.shape)
        shape = shape[:-1] if self.image.has_channels else shape
        for what, array in (("mask", self.labels), ("part that counts", self.known)):
            if array is not None and tuple(array.shape) != shape:
                raise InputError(
                    f'the {what} of "{self.name}" has the shape {tuple(array.shape)}, its image '
                    f"{shape}: choose the mask of this image"
                )
        kind = self.labels.dtype.kind
        if kind not in "bui" or (kind == "i" and self.labels.size and self.labels.min() < 0):
            raise InputError(
                f'the mask of "{self.name}" holds {self.labels.dtype}: whole numbers from 0 on '
                "are expected"
            )
        if not self.sha256:
            object.__setattr__(self, "sha256", image_sha256(self.image))


def example_from_arrays(
    image: Volume,
    labels: NDArray[Any],
    known: NDArray[np.bool_] | None = None,
    *,
    unlabelled: int | None = None,
    name: str = "",
) -> Example:
    """Return an example of what lies in memory, such as layers.

    Parameters
    ----------
    image : Volume
    labels : integer array
    known : bool array, optional
    unlabelled : int, optional
        A label value that means "not labelled": for scribbles, where background is drawn, too.
    name : str
        Without it the image's.

    Raises
    ------
    InputError
        As for :class:`Example`.
    """
    labels = np.asarray(labels)
    if unlabelled is not None:
        drawn = labels != unlabelled
        known = drawn if known is None else known & drawn
        labels = np.where(drawn, labels, 0)
    return Example(name or image.name, image.loaded(), labels, known)


def examples_from_folder(
    folder: str | Path, *, foreground_above: int | None = None, names: Sequence[str] | None = None
) -> Generator[Progress, None, list[Example]]:
    """Read a folder with ``images``, ``masks`` and, where voxels shall not count, ``ignore``.

    That is what ``napari-lgmsnet project export`` writes.

    Parameters
    ----------
    folder : str or Path
    foreground_above : int, optional
        Mask values above this are foreground (127 for masks stored as 0 and 255). Without it
        they are class numbers.
    names : sequence of str, optional
        Only these images, named without their endings.

    Yields
    ------
    Progress
        One an image.

    Returns
    -------
    list of Example

    Raises
    ------
    TrainingError
        If a folder is missing, or an image has no mask, or several.
    """
    folder = Path(folder)
    images, masks = files_by_name(folder / "images"), files_by_name(folder / "masks")
    ignored = files_by_name(folder / "ignore") if (folder / "ignore").is_dir() else {}
    chosen = list(names) if names is not None else sorted(masks)
    if not chosen:
        raise TrainingError(f'there is no mask in "{folder / "masks"}": correct some images first')
    examples = []
    for done, name in enumerate(chosen):
        yield Progress(done, len(chosen), f"reading {name}")
        for kind, files in (("image", images), ("mask", masks)):
            if len(files[name]) != 1:
                raise TrainingError(f'"{name}" in "{folder}" has {len(files[name]) or "no"} {kind}')
        image, path = read(images[name][0]), images[name][0]
        labels = np.asarray(read_mask(masks[name][0], foreground_above).data)
        known = None
        if ignored.get(name):
            known = np.asarray(read_labels(ignored[name][0]).data) == 0
        examples.append(Example(name, image, labels, known, file_sha256(path)))
    return examples


def examples_from_project(
    project: Project, case_ids: Sequence[int] | None = None
) -> Generator[Progress, None, list[Example]]:
    """Read corrected cases of a project.

    Parameters
    ----------
    project : Project
    case_ids : sequence of int, optional
        Without it all that are accepted, in whole or in part.

    Yields
    ------
    Progress
        One a case.

    Returns
    -------
    list of Example

    Raises
    ------
    InputError
        If there is none, or an image is missing or was changed.
    """
    if case_ids is None:
        cases = project.cases.all(["accepted"])
    else:
        cases = [project.cases.get(one) for one in case_ids]
    if not cases:
        raise InputError("no case is accepted yet: correct one and accept it first")
    examples = []
    for done, case in enumerate(cases):
        step = Progress(done, len(cases), f"reading {case.name}")
        yield step
        sha256 = yield from project.cases.hash(case)
        labels, known = project.target(case.id)
        examples.append(Example(case.name, case.source.read(), labels, known, sha256))
    return examples


def frames_of(example: Example) -> list[Example]:
    """Return the labelled frames of a series as examples of their own; an image as it is."""
    if not example.image.axes.startswith("T"):
        return [example]
    frames = []
    for index in range(example.image.data.shape[0]):
        known = None if example.known is None else example.known[index]
        if known is None or known.any():
            frames.append(
                replace(
                    example,
                    name=f"{example.name}, frame {index + 1}",
                    image=example.image.frame(index),
                    labels=example.labels[index],
                    known=known,
                )
            )
    return frames


def image_sha256(image: Volume) -> str:
    """Return the SHA-256 of an image's voxels, their type and axes."""
    data = np.ascontiguousarray(image.loaded().data)
    head = f"{data.shape} {data.dtype.str} {image.axes}".encode()
    return hashlib.sha256(head + data.tobytes()).hexdigest()
