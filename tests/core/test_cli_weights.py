"""`napari-lgmsnet weights`, `convert` and `demo`, driven as a person or a program would."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from napari_lgmsnet import load, read
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import export_official, save
from napari_lgmsnet.core.io import read_labels
from tests.core.helpers import small_model
from tests.core.server import serving


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("weights", "list") == 0
    assert "hippocampus-3d" in capsys.readouterr().out
    assert run("weights", "list", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert run("weights", "show", "brain-t1-2d", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["sha256"] == listed["brain-t1-2d"]["sha256"]
    assert shown["recipe"]["dimensions"] == 2
    assert run("describe", "brain-t1-2d") == 0
    assert shown["sha256"] in capsys.readouterr().out


def test_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("weights", "verify", "--json") == 0
    verdicts = json.loads(capsys.readouterr().out)
    assert {"brain-t1-2d", "hippocampus-3d", "polyp-2d"} <= {one["name"] for one in verdicts}
    assert not any(one["problem"] for one in verdicts)
    good, broken = tmp_path / "good.safetensors", tmp_path / "broken.safetensors"
    save(good, small_model(2))
    broken.write_bytes(good.read_bytes()[:-100])
    assert run("weights", "verify", good, broken) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "whole" in lines[0]
    assert "broken.safetensors" in lines[1]


def test_fetch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.safetensors", small_model(2))
    content = (tmp_path / "a.safetensors").read_bytes()
    sha256, target = hashlib.sha256(content).hexdigest(), tmp_path / "there" / "b.safetensors"
    with serving() as server:
        server.files["a.safetensors"] = content
        url = server.url + "a.safetensors"
        assert run("weights", "fetch", url, "--sha256", "0" * 64, "-o", target, "-q") == 2
        assert "not the expected file" in capsys.readouterr().err
        assert not target.exists()
        assert run("weights", "fetch", url, "--sha256", sha256, "-o", target, "-q") == 0
        assert target.read_bytes() == content
        assert run("weights", "fetch", url, "--sha256", sha256, "--json", "-q") == 0
        kept = Path(json.loads(capsys.readouterr().out.splitlines()[-1])["path"])
        assert load(kept).sha256 == sha256
    assert run("weights", "fetch", url, "--sha256", "abc") == 2
    assert "no SHA-256" in capsys.readouterr().err
    assert run("weights", "fetch", "file:///etc/passwd", "--sha256", sha256) == 2


def test_checkpoints_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model(2, in_channels=3)
    export_official(tmp_path / "official.pth", model)
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    assert run("convert", tmp_path / "official.pth", "-o", own, "--recipe", "paper-kvasir") == 0
    assert load(own).info.recipe.name == "paper-kvasir"
    assert run("convert", own, "-o", back, "--json") == 0
    assert json.loads(capsys.readouterr().out)["output"] == str(back)
    states = [torch.load(tmp_path / name, weights_only=True) for name in ("official.pth", back)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    small = tmp_path / "half.safetensors"
    assert run("convert", own, "-o", small, "--half") == 0
    assert small.stat().st_size < 0.7 * own.stat().st_size
    assert run("convert", own, "-o", back) == 2  # nothing is replaced unasked
    assert run("convert", own, "-o", tmp_path / "a.png") == 2
    assert "no checkpoint" in capsys.readouterr().err


def test_images_and_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    affine = np.array([[-0.9, 0, 0, 5], [0, 1.1, 0, -7], [0, 0, 2.5, 3], [0, 0, 0, 1.0]])
    data = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    nib.save(nib.Nifti1Image(data, affine), tmp_path / "scan.nii.gz")
    assert run("convert", tmp_path / "scan.nii.gz", "-o", tmp_path / "scan.nrrd") == 0
    assert run("convert", tmp_path / "scan.nrrd", "-o", tmp_path / "again.nii", "-q") == 0
    again = nib.load(tmp_path / "again.nii")
    assert np.array_equal(np.asarray(again.dataobj), data)
    assert np.allclose(again.affine, affine)
    assert run("convert", tmp_path / "scan.nii.gz", "-o", tmp_path / "scan.png") == 2
    mask = np.array([[0, 1], [2, 0]], np.uint8)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert run("convert", tmp_path / "mask.png", "-o", tmp_path / "mask.tif", "--mask") == 0
    assert read_labels(tmp_path / "mask.tif").data.tolist() == mask.tolist()
    assert read(tmp_path / "mask.png").data.tolist() == mask.tolist()
    capsys.readouterr()
    assert run("convert", tmp_path / "mask.png", "-o", tmp_path / "b.tif", "--half") == 2
    assert "leave out --half" in capsys.readouterr().err


def test_demo_agrees_with_the_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = tmp_path / "masks"
    assert run("demo", "colin27-axial", "-o", masks, "--json", "-q") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["dice"]["brain"] > 0.85
    assert read_labels(Path(shown["mask"])).data.any()
    assert run("demo", "colin27-axial", "-o", masks) == 2  # nothing is replaced unasked
    assert run("demo", "nobody") == 2
    assert "colin27-slices" in capsys.readouterr().err
