"""The command line, driven as a person would: real files, real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import export_official, save
from napari_lgmsnet.core.io import read, read_labels
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run napari-lgmsnet in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "napari_lgmsnet", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Run the command line in this process: one line that holds the words, exit code 2."""

    def check(arguments: tuple[object, ...], *words: str) -> None:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        lines = capsys.readouterr().err.strip().splitlines()
        assert caught.value.code == 2
        assert len(lines) == 1, lines
        for word in words:
            assert word in lines[0]

    return check


@pytest.fixture
def volume_checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "volume.safetensors"
    save(path, small_model(3, out_channels=3, orientation="RAS"))
    return path


@pytest.fixture
def image_checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "image.safetensors"
    save(path, small_model(2, in_channels=3, colour="rgb", size=(32, 32)))
    return path


def visible(folder: Path) -> set[str]:
    """Names of the files in a folder, without the records of how they were made."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def write_nifti(path: Path) -> nib.Nifti1Image:
    """Write an oblique, anisotropic volume with distinct codes."""
    affine = np.array(
        [[-0.9, 0.1, 0.3, 12.5], [0.1, 1.1, -0.2, -7.25], [0.2, 0.3, 2.5, 3.0], [0, 0, 0, 1]]
    )
    image = nib.Nifti1Image(GENERATOR.normal(size=(21, 34, 15)).astype(np.float32), affine)
    image.set_sform(affine, 2)
    image.set_qform(affine, 1, strip_shears=True)
    nib.save(image, path)
    return nib.load(path)


def test_nifti_in_nifti_out_on_the_same_grid(tmp_path: Path, volume_checkpoint: Path) -> None:
    source = write_nifti(tmp_path / "scan.nii.gz")
    target = tmp_path / "mask.nii.gz"
    result = command("predict", tmp_path / "scan.nii.gz", "-o", target, "-c", volume_checkpoint)
    assert result.returncode == 0, result.stderr
    mask = nib.load(target)
    assert mask.shape == source.shape
    assert np.array_equal(mask.affine, source.affine)
    assert mask.header["sform_code"] == 2
    assert mask.header["qform_code"] == 1
    assert np.array_equal(mask.get_qform(), source.get_qform())
    assert np.issubdtype(mask.get_data_dtype(), np.integer)


@pytest.mark.parametrize(
    ("name", "mask"), [("scan.nrrd", "scan_mask.nrrd"), ("scan.mhd", "scan_mask.mha")]
)
def test_nrrd_and_metaimage_in_the_same_out_on_the_same_grid(
    tmp_path: Path, volume_checkpoint: Path, name: str, mask: str
) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(GENERATOR.normal(size=(15, 34, 21)).astype(np.float32))
    image.SetSpacing((0.93, 1.1, 2.5))
    image.SetOrigin((12.5, -7.25, 3.125))
    image.SetDirection((0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, -1.0))
    sitk.WriteImage(image, str(tmp_path / name))
    out = tmp_path / "out"
    result = command(
        "predict", tmp_path / name, "-o", out, "-c", volume_checkpoint, "--probabilities"
    )
    assert result.returncode == 0, result.stderr
    probability = mask.replace("_mask", "_probability")
    assert visible(out) == {mask, probability}
    last = (20, 33, 14)
    for written in (mask, probability):
        found = sitk.ReadImage(str(out / written))
        assert found.GetSize() == image.GetSize()
        for index in ((0, 0, 0), (20, 0, 0), (0, 33, 0), (0, 0, 14), last):
            here, there = (one.TransformIndexToPhysicalPoint(index) for one in (image, found))
            assert np.allclose(here, there, rtol=0, atol=1e-9)
    assert sitk.ReadImage(str(out / mask)).GetPixelID() == sitk.sitkUInt8


def test_a_mask_that_cannot_be_written_is_refused_before_anything_is_computed(
    tmp_path: Path, volume_checkpoint: Path, refused: Callable[..., None]
) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(picture)
    # A checkpoint that does not exist would be noticed next.
    for name, words in {
        "mask.jpg": "alters pixels",
        "mask.mhd": "write .mha instead",
        "mask.dcm": "refer to DICOM images",
        "mask.gif": "from its ending",
    }.items():
        refused(("predict", picture, "-o", tmp_path / name, "-c", "none.pth"), name, words)
    write_nifti(tmp_path / "scan.nii")
    volume = ("predict", tmp_path / "scan.nii", "-o", tmp_path / "mask.png")
    refused((*volume, "-c", volume_checkpoint), "mask.png", "is a volume")


def test_pictures_into_a_folder(tmp_path: Path, image_checkpoint: Path) -> None:
    picture = GENERATOR.integers(0, 255, (50, 40, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a (1).jpg")
    Image.fromarray(picture[..., 0]).save(tmp_path / "b.png")
    out = tmp_path / "out"
    result = command(
        "predict", tmp_path / "a (1).jpg", tmp_path / "b.png", "-o", out, "-c", image_checkpoint,
        "--probabilities", "--threshold", "0.4",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert visible(out) == {
        "a (1)_mask.png", "a (1)_probability.tif", "b_mask.png", "b_probability.tif",
    }  # fmt: skip
    probability = read(out / "a (1)_probability.tif")
    mask = read_labels(out / "a (1)_mask.png")
    assert probability.data.dtype == np.float32
    assert ((probability.data >= 0.4) == (mask.data > 0)).all()
    assert mask.spatial_shape == (50, 40)


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path, image_checkpoint: Path) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no picture")
    result = command(
        "predict", tmp_path / "bad.png", tmp_path / "good.png",
        "-o", tmp_path / "out", "-c", image_checkpoint, "-q",
    )  # fmt: skip
    assert result.returncode == 1
    assert "bad.png" in result.stderr
    assert (tmp_path / "out" / "good_mask.png").is_file()


def test_nothing_is_replaced_unasked(
    tmp_path: Path, image_checkpoint: Path, refused: Callable[..., None]
) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "a.png")
    target = tmp_path / "mask.png"
    target.write_text("precious")
    arguments = ("predict", tmp_path / "a.png", "-o", target, "-c", image_checkpoint)
    refused(arguments, "mask.png", "exists")
    assert target.read_text() == "precious"
    assert command(*arguments, "--overwrite").returncode == 0
    assert read(target).spatial_shape == (20, 20)
    source = ("predict", tmp_path / "a.png", "-o", tmp_path / "a.png", "-c", image_checkpoint)
    refused((*source, "--overwrite"), "is an input")


def test_describe_says_what_a_checkpoint_is(tmp_path: Path) -> None:
    export_official(tmp_path / "official.pth", small_model(2, in_channels=3))
    result = command("describe", tmp_path / "official.pth")
    assert result.returncode == 0
    for word in ("LGMSNet 2D", "3 channel(s) in", "dims 4 8 8 8 8", "sha256"):
        assert word in result.stdout


def test_wrong_use_is_one_line_and_exit_code_2(
    tmp_path: Path,
    image_checkpoint: Path,
    volume_checkpoint: Path,
    refused: Callable[..., None],
) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(picture)
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "unet.pth")
    out = ("-o", tmp_path / "out.png", "-c")
    run = ("predict", picture, *out, image_checkpoint)
    refused(("predict",), "INPUT")
    refused(("nonsense",), "nonsense")
    refused(("describe", tmp_path / "missing.pth"), "missing.pth")
    refused(("describe", tmp_path), "is a folder")
    refused(("describe", tmp_path / "unet.pth"), "another network")
    refused(("predict", tmp_path / "b.png", *out, image_checkpoint), "b.png")
    refused(("predict", picture, *out, volume_checkpoint), "works on volumes")
    refused((*run, "--recipe", "none"), "none")
    refused((*run, "--overlap", "1.5"), "overlap")
    refused((*run, "--device", "tpu"), "tpu")
    train = ("train", tmp_path / "none.toml", "--data", tmp_path, "--run", tmp_path)
    refused(train, "none.toml")


def test_a_refusal_reaches_the_shell(tmp_path: Path) -> None:
    result = command("describe", tmp_path / "missing.pth")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_help_lists_the_commands() -> None:
    result = command("--help")
    assert result.returncode == 0
    for name in ("predict", "describe", "train"):
        assert name in result.stdout
