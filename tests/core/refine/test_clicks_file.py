"""Clicks from files, and what they do to a mask."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet import read, refine
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import read_labels
from napari_lgmsnet.core.refine.apply import LabelledClick
from napari_lgmsnet.core.refine.clicks_file import read_clicks
from napari_lgmsnet.core.refine.refiner import Click, Refiner
from tests.core.helpers import small_model


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A bright disc of which the mask has the left half only."""
    y, x = np.mgrid[:64, :64]
    disc = (y - 32) ** 2 + (x - 32) ** 2 < 15**2
    Image.fromarray((disc * 180 + 40).astype(np.uint8)).save(tmp_path / "image.png")
    Image.fromarray((disc & (x < 32)).astype(np.uint8)).save(tmp_path / "half.png")
    return tmp_path / "image.png"


def test_clicks_do_what_the_window_does(picture: Path) -> None:
    image = read(picture)
    half = read_labels(picture.with_name("half.png")).data
    refiner = Refiner(image.data, None, image.spacing)
    correction = refiner.click(half == 1, Click((32, 40), True))
    expected = half.copy()
    expected[correction.box][correction.changed] = 1
    again = refiner.click(expected == 1, Click((32, 20), False))
    expected[again.box][again.changed] = 0
    # The first says yes; the second, inside of the class, that the mask is wrong there.
    found = refine(image, half, [LabelledClick((32, 40), True), LabelledClick((32, 20))])
    assert np.array_equal(found, expected)
    assert found[32, 40] == 1
    assert found[32, 20] == 0
    assert half[32, 20] == 1  # the given mask stays as it is


def test_classes_are_apart() -> None:
    image = np.zeros((40, 40), np.float32)
    image[10:20, 10:20], image[25:35, 25:35] = 1, 2
    clicks = [LabelledClick((15, 15), True, 1), LabelledClick((30, 30), True, 300)]
    found = refine(image, np.zeros((40, 40), np.uint8), clicks)
    assert found[15, 15] == 1
    assert found[30, 30] == 300
    with pytest.raises(InputError, match="count from 1"):
        refine(image, found, [LabelledClick((1, 1), True, 0)])
    with pytest.raises(InputError, match="outside"):
        refine(image, found, [LabelledClick((1, 41), True)])


def test_indices_and_places_in_the_world_mean_the_same_voxel(tmp_path: Path) -> None:
    affine = np.array([[-0.9, 0.1, 0, 5], [0.2, 1.1, 0, -7], [0, 0, 2.5, 3], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(np.zeros((20, 24, 10), np.int16), affine), tmp_path / "scan.nii")
    image = read(tmp_path / "scan.nii")
    i, j, k = 7, 20, 4  # as NIfTI counts: x, y, z
    x, y, z, _ = affine @ [i, j, k, 1]
    table, objects = tmp_path / "clicks.csv", tmp_path / "clicks.json"
    table.write_text(f"z,y,x,positive,class\n{k},{j},{i},yes,\n{k},{j},{i},-,part\n")
    assert read_clicks(table, image, {"part": 2}) == [
        LabelledClick((k, j, i), True, 1),
        LabelledClick((k, j, i), False, 2),
    ]
    objects.write_text(json.dumps([{"x_mm": x + 0.2, "y_mm": y, "z_mm": z, "positive": True}]))
    assert read_clicks(objects, image, world="ras") == [LabelledClick((k, j, i), True)]
    table.write_text(f"x_mm;y_mm;z_mm\n{-x};{-y};{z}\n")
    assert read_clicks(table, image) == [LabelledClick((k, j, i), None)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y,x\n1,2\n", "click 1"),
        ("z,y,x\n1,2,three\n", "three"),
        ("z,y,x\n1,2,1.5\n", "whole numbers"),
        ("z,y,x\n1,2,99\n", "outside"),
        ("z,y,x,positive\n1,2,3,maybe\n", "maybe"),
        ("z,y,x,class\n1,2,3,liver\n", 'no class "liver"'),
    ],
)
def test_what_cannot_be_understood_is_said(tmp_path: Path, text: str, words: str) -> None:
    nib.save(nib.Nifti1Image(np.zeros((20, 24, 10), np.int16), np.eye(4)), tmp_path / "scan.nii")
    (tmp_path / "clicks.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_clicks(tmp_path / "clicks.csv", read(tmp_path / "scan.nii"))


def test_command(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half, out = picture.with_name("half.png"), tmp_path / "out.png"
    clicks = tmp_path / "clicks.csv"
    clicks.write_text("y,x,positive\n32,40,yes\n")
    arguments = ("refine", picture, "--clicks", clicks, "-o", out)
    assert run(*arguments, "--mask", half, "--json") == 0
    found, before = read_labels(out).data, read_labels(half).data
    told = json.loads(capsys.readouterr().out)
    assert told["voxels changed"] == (found != before).sum() > 100
    assert run(*arguments, "--mask", half) == 2
    assert "exists" in capsys.readouterr().err
    assert run(*arguments, "--overwrite") == 2
    assert "say what is corrected" in capsys.readouterr().err
    checkpoint = tmp_path / "small.safetensors"
    save(checkpoint, small_model(2, size=(32, 32)))
    assert run(*arguments, "-c", checkpoint, "--overwrite", "-q") == 0
    assert read_labels(out).data[32, 40] == 1
