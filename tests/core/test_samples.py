"""The bundled samples are complete, small, and what their index says."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.resources import resource_folder

FOLDER = resource_folder("sample_data")
SAMPLES = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))["samples"]
FIELDS = {
    *("name", "title", "kind", "image", "reference", "checkpoint", "reference_classes"),
    *("licence", "source", "sha256"),
}
one_by_one = pytest.mark.parametrize("sample", SAMPLES, ids=[s["name"] for s in SAMPLES])


@one_by_one
def test_index(sample: dict[str, Any]) -> None:
    assert set(sample) == FIELDS
    assert set(sample["sha256"]) == {sample["image"], sample["reference"]}
    for name, expected in sample["sha256"].items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == expected


@one_by_one
def test_reference_lies_on_the_image(sample: dict[str, Any]) -> None:
    image, reference = read(FOLDER / sample["image"]), read_labels(FOLDER / sample["reference"])
    assert reference.spatial_shape == image.spatial_shape
    assert np.array_equal(reference.affine, image.affine)
    assert {str(value) for value in np.unique(reference.data)} == {
        "0",
        *sample["reference_classes"],
    }
    # A mask that was turned or shifted would cover much of the dark background.
    inside, outside = (
        image.data[mask].mean() for mask in (reference.data > 0, reference.data == 0)
    )
    assert sample["kind"] == "3d" or inside > 1.5 * outside


def test_every_file_is_listed_and_small() -> None:
    listed = {sample[role] for sample in SAMPLES for role in ("image", "reference")}
    files = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert files == listed | {"README.md", "index.json"}
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 1_500_000


def test_every_notice_that_is_named_ships() -> None:
    for sample in SAMPLES:
        named = [word.strip("();") for word in sample["licence"].split() if "licences/" in word]
        assert named
        for name in named:
            assert (FOLDER / name).is_file()
