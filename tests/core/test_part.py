"""A part of an image, segmented alone: the same as that part as an image of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet import predict
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.geometry import crop
from napari_lgmsnet.core.io import read, read_labels, write
from napari_lgmsnet.core.settings_file import SavedSettings, read_settings, write_settings
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model

BOX = ((2, 11), (5, 37), (0, 30))
TEXT = "2:11,5:37,0:30"


@pytest.fixture
def scan(tmp_path: Path) -> Volume:
    data = np.random.default_rng(0).normal(100, 20, (14, 40, 36)).astype(np.float32)
    turned = np.array([[2.5, 0.3, 0, 4], [0.2, 1, 0.1, -7], [0, 0.2, 1.2, 3], [0, 0, 0, 1]])
    write(tmp_path / "scan.nii.gz", Volume(data, "ZYX", turned, "mm"))
    return read(tmp_path / "scan.nii.gz")


@pytest.fixture(params=[1, 3])
def checkpoint(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "small.safetensors"
    save(path, small_model(3, out_channels=request.param, orientation="RAS"))
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments), "--engine", "torch", "-q"])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_box_on_the_command_line_and_in_a_file(
    tmp_path: Path, scan: Volume, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = tuple(slice(*span) for span in BOX)
    expected = predict(load(checkpoint), crop(scan, inside), engine="torch")
    use = ["predict", tmp_path / "scan.nii.gz", "-c", checkpoint]
    assert run(*use, "-o", tmp_path / "a.nii.gz", "--box", TEXT, "--probabilities") == 0
    for name, part in (("a", expected.labels), ("a_probability", expected.foreground)):
        found = read(tmp_path / f"{name}.nii.gz")
        assert np.array_equal(found.affine, scan.affine)
        assert np.array_equal(found.data[inside], part)
        outside = np.ones(found.data.shape, bool)
        outside[inside] = False
        assert not found.data[outside].any()
    assert expected.labels.any()

    file = tmp_path / "how.toml"
    write_settings(file, SavedSettings(str(checkpoint), "", None, expected.settings, box=BOX))
    assert read_settings(file).box == BOX
    assert run(*use, "-o", tmp_path / "b.nii.gz", "--settings", file) == 0
    one, other = (read_labels(tmp_path / f"{name}.nii.gz").data for name in "ab")
    assert np.array_equal(one, other)

    capsys.readouterr()
    for wrong in ("2:11,5:41,0:30", "2:11,5:37", "4:4,5:37,0:30", "all"):
        assert run(*use, "-o", tmp_path / "c.nii.gz", "--box", wrong) == 2
        assert "box" in capsys.readouterr().err
    assert run(*use, "-o", tmp_path / "c.zarr", "--box", TEXT) == 2


def test_masks_of_another_part_are_not_taken_for_done(
    tmp_path: Path, scan: Volume, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use = ["predict", tmp_path / "scan.nii.gz", "-c", checkpoint, "-o", tmp_path / "masks"]
    assert run(*use, "--box", TEXT) == 0
    assert run(*use, "--box", TEXT) == 0
    assert run(*use) == 2
    assert "other settings" in capsys.readouterr().err
