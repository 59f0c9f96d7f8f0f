"""Samples, bundled and downloadable, and how well a mask agrees with a sample's reference."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.downloads import Download, cache_folder, fetch
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.types import Progress, Volume


def listed() -> dict[str, dict[str, Any]]:
    """Return the samples that ship: name -> entry of sample_data/index.json."""
    return {entry["name"]: entry for entry in _index()["samples"]}


def downloadable() -> dict[str, dict[str, Any]]:
    """Return the samples that can be downloaded: name -> entry of sample_data/index.json."""
    return {entry["name"]: entry for entry in _index()["downloads"]}


def downloads_of(name: str) -> dict[str, Download]:
    """Return what has to be downloaded for a sample: its image and its reference.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    samples = downloadable()
    if name not in samples:
        raise InputError(f'no sample is called "{name}": choose one of {", ".join(samples)}')
    entry, folder = samples[name], cache_folder() / "samples" / name
    return {
        role: Download(file["url"], file["sha256"], folder / file["name"])
        for role, file in entry["files"].items()
    }


def download(name: str) -> Generator[Progress, None, tuple[Volume, Volume]]:
    """Download a sample, unless it is there already, and read it.

    Nothing else in this package uses the network; this does when a person asks for it.

    Returns
    -------
    image, reference : Volume

    Raises
    ------
    DownloadError, InputError
        As :func:`~napari_lgmsnet.core.downloads.fetch`.
    """
    from napari_lgmsnet.core.io import read, read_labels

    paths = {}
    for role, one in downloads_of(name).items():
        paths[role] = yield from fetch(one)
    yield Progress(0, 0, "reading the image")
    colour = downloadable()[name].get("reference_colour")
    image = read(paths["image"])
    if colour is None:
        return image, read_labels(paths["reference"])
    return image, labels_of_colour(read(paths["reference"]), colour)


def labels_of_colour(picture: Volume, colour: list[int]) -> Volume:
    """Return a mask of the pixels that have about a colour.

    Parameters
    ----------
    picture : Volume
        With red, green and blue of 8 bits.
    colour : list of 3 int
        Each part 0 or 255; parts of pixels count as 255 from 128 on.

    Raises
    ------
    InputError
        If the picture has no colours.
    """
    if not picture.has_channels or picture.data.shape[-1] < 3:
        raise InputError(f'"{picture.name}" has no colours: download it again')
    same = (picture.data[..., :3] > 127) == (np.array(colour) > 127)
    labels = same.all(axis=-1).astype(np.uint8)
    return replace(picture, data=labels, axes=picture.axes.removesuffix("C"))


def _index() -> dict[str, Any]:
    text = (resource_folder("sample_data") / "index.json").read_text(encoding="utf-8")
    index: dict[str, Any] = json.loads(text)
    return index


def score(
    sample: Mapping[str, Any],
    labels: NDArray[np.integer],
    reference: NDArray[np.integer],
    info: ModelInfo,
) -> dict[str, float]:
    """Return the Dice coefficient for each label of a sample's reference.

    Parameters
    ----------
    sample : mapping
        Entry of sample_data/index.json; its ``reference_classes`` say which classes of the
        checkpoint make up which label of the reference.
    labels, reference : integer arrays of the same shape
    info : ModelInfo
        Of the checkpoint that made ``labels``.
    """
    from napari_lgmsnet.core.metrics import dice_per_class

    numbers = {one.name: number for number, one in enumerate(info.classes)}
    scores = {}
    for value, classes in sample["reference_classes"].items():
        found = np.isin(labels, [numbers[name] for name in classes]).astype(np.uint8)
        expected = (np.asarray(reference) == int(value)).astype(np.uint8)
        scores[" + ".join(classes)] = float(dice_per_class(found, expected, 2)[0])
    return scores
