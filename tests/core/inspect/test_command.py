"""The subcommand `features`, driven as a person would: real files, real processes."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet import features, load
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.io import read
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)
AFFINE = np.array(
    [[-0.9, 0.1, 0.3, 12.5], [0.1, 1.1, -0.2, -7.25], [0.2, 0.3, 2.5, 3.0], [0, 0, 0, 1]]
)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run napari-lgmsnet in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "napari_lgmsnet", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def here(*arguments: object) -> int:
    """Run napari-lgmsnet in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    data = GENERATOR.normal(size=(21, 34, 15)).astype(np.float32)
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "scan.nii.gz")
    mask = np.zeros(data.shape, dtype=np.uint8)
    mask[5:12, 8:20, 3:9] = 1
    mask[5:12, 20:25, 3:9] = 2
    nib.save(nib.Nifti1Image(mask, AFFINE), tmp_path / "labels.nii.gz")
    save(tmp_path / "volume.safetensors", small_model(3, out_channels=3, orientation="RAS"))
    return tmp_path / "scan.nii.gz"


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    (tmp_path / "masks").mkdir()
    paths = []
    for name in ("a (1)", "b"):
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(GENERATOR.integers(0, 255, (50, 40, 3), dtype=np.uint8)).save(paths[-1])
        mask = np.zeros((50, 40), dtype=np.uint8)
        mask[10:30, 5:25] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    model = small_model(2, in_channels=3, colour="rgb", size=(32, 32))
    save(tmp_path / "image.safetensors", model)
    save(tmp_path / "other.safetensors", small_model(2, in_channels=3, colour="rgb", seed=1))
    return paths


def test_maps_of_a_scan_lie_on_it(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = command(
        "features", scan, "-o", out, "-c", tmp_path / "volume.safetensors",
        "--mask", tmp_path / "labels.nii.gz", "--stage", "encoder5", "--stage", "decoder2",
        "--reduce", "norm", "--attention", "7,10,10", "--block", "decoder4", "--head", "2",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    source = nib.load(scan)
    for name in ("encoder5_norm", "decoder2_norm", "decoder4_attention_head2"):
        written = nib.load(out / f"scan_{name}.nii.gz")
        assert written.shape == source.shape
        assert np.array_equal(written.affine, source.affine)
        assert written.get_data_dtype() == np.float32
    expected = features(
        load(tmp_path / "volume.safetensors"), read(scan), read(tmp_path / "labels.nii.gz"),
        stages=["encoder5", "decoder2"], reduce="norm",
    )  # fmt: skip
    rows = table(out / "numbers.csv")
    assert [(r["stage"], r["class_name"]) for r in rows[:3]] == [
        ("encoder5", "all classes"), ("encoder5", "class 1"), ("encoder5", "class 2"),
    ]  # fmt: skip
    for written_row, row in zip(rows[:6], expected.numbers, strict=True):
        assert float(written_row["energy"]) == pytest.approx(row.energy, rel=1e-5)
    assert rows[6]["reduce"] == "attention, head 2"
    values = [
        float(r["singular value"]) for r in table(out / "spectra.csv") if r["stage"] == "encoder5"
    ]
    np.testing.assert_allclose(values, expected.spectra["encoder5"].values, rtol=1e-5)
    assert len(table(out / "channels.csv")) == 8


def test_coarse_maps_keep_their_cells_and_their_place(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = ("features", scan, "-o", out, "-c", tmp_path / "volume.safetensors", "-q")
    assert here(*run, "--coarse", "--stage", "encoder4") == 0
    written = nib.load(out / "scan_encoder4_mean.nii.gz")
    expected = features(load(tmp_path / "volume.safetensors"), read(scan), stages="encoder4").maps[
        "encoder4"
    ]
    np.testing.assert_array_equal(written.get_fdata().T, expected.data)
    again = read(out / "scan_encoder4_mean.nii.gz")
    np.testing.assert_allclose(again.affine, expected.as_volume().affine, atol=1e-5)
    assert not (out / "channels.csv").exists()
    assert here(*run, "--reduce", "components", "--overwrite") == 0
    assert read(out / "scan_encoder5_components.nii.gz").data.shape == (15, 34, 21, 3)


def test_random_weights_stand_beside_a_checkpoint(pictures: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = here(
        "features", *pictures, "-o", out, "-c", tmp_path / "other.safetensors", "-q",
        "--mask", tmp_path / "masks", "--compare", "random", "--figures", "svg",
    )  # fmt: skip
    assert code == 0
    rows = table(out / "numbers.csv")
    first = rows[0]["checkpoint"]
    assert [row["checkpoint"] for row in rows] == [first, f"{first}, random weights"] * 2
    assert rows[0]["energy"] != rows[1]["energy"]
    assert "random weights" in (out / "shares.svg").read_text(encoding="utf-8")


def test_several_pictures_figures_and_a_second_checkpoint(
    pictures: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = here(
        "features", *pictures, "-o", out, "-c", tmp_path / "image.safetensors", "-q",
        "--mask", tmp_path / "masks", "--compare", tmp_path / "other.safetensors",
        "--figures", "svg", "--occlude", "5:20,5:20", "--occlusion", "--class", "background",
        "--on-mask",
    )  # fmt: skip
    assert code == 0
    names = {path.name for path in out.iterdir()}
    for case in ("a (1)", "b"):
        tags = ("encoder5_mean", "encoder5_mean_difference", "encoder5_mean_second", "occlusion")
        for tag in tags:
            assert {f"{case}_{tag}.tif", f"{case}_{tag}.svg"} <= names, names
        assert read(out / f"{case}_occlusion.tif").data.shape == (50, 40)
    assert {"stages.svg", "shares.svg", "b_spectra.svg", "summary.csv"} <= names
    occlusions = table(out / "occlusion.csv")
    assert [one["case"] for one in occlusions] == ["a (1)", "b"]
    first = occlusions[0]
    drop = float(first["before"]) - float(first["after"])
    assert drop == pytest.approx(float(first["drop"]), abs=1e-5)
    assert first["class"] == "background"
    checkpoints = [row["checkpoint"] for row in table(out / "numbers.csv")]
    assert checkpoints.count("small-2d (second)") == 2


def test_one_bad_file_does_not_stop_the_rest(pictures: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    out = tmp_path / "out"
    run = ("features", bad, pictures[1], "-o", out, "-c", tmp_path / "image.safetensors", "-q")
    assert here(*run) == 1
    assert [row["case"] for row in table(out / "numbers.csv")] == ["b"]


def test_a_part_and_points_are_counted_on_the_whole_image(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = ("features", scan, "-o", out, "-c", tmp_path / "volume.safetensors", "-q", "--overwrite")
    assert here(*run, "--box", "2:12,4:30,0:20", "--attention", "5,8,8", "--gradcam",
                "--class", "0", "--occlude", "4:9,6:14,2:9") == 0  # fmt: skip
    assert read(out / "scan_encoder5_attention.nii.gz").data.shape == (10, 26, 20)
    assert read(out / "scan_encoder5_gradcam.nii.gz").data.shape == (10, 26, 20)
    assert table(out / "occlusion.csv")[0]["box"] == "4:9,6:14,2:9"
    assert here(*run, "--box", "2:12,4:30,0:20", "--attention", "1,8,8") == 2


def test_wrong_use_is_one_line_and_exit_code_2(
    scan: Path, pictures: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume, image = tmp_path / "volume.safetensors", tmp_path / "image.safetensors"
    out = tmp_path / "out"
    run = ("features", scan, "-o", out, "-q", "-c", volume)
    picture = ("features", pictures[0], "-o", out, "-q", "-c", image)
    namesake = tmp_path / "other" / pictures[0].name
    namesake.parent.mkdir()
    shutil.copy(pictures[0], namesake)
    for arguments, words in (
        (("features",), "INPUT"),
        ((*run, "--stage", "encoder9"), 'no stage "encoder9"'),
        ((*run, "--reduce", "median"), "median"),
        ((*run, "--reduce", "channel"), "give a channel"),
        ((*run, "--box", "1-5"), "write it as"),
        ((*run, "--attention", "a,b"), "write it as"),
        ((*run, "--attention", "500,1,1"), "lies outside"),
        ((*run, "--attention", "5,5"), "3 axes, got numbers for 2"),
        ((*run, "--occlude", "1:5"), "3 axes, got numbers for 1"),
        ((*run, "--attention", "1,1,1", "--block", "stem"), "no attention"),
        ((*run, "--gradcam", "--class", "liver"), "liver"),
        ((*run, "--gradcam", "--on-mask"), "no mask to ask about"),
        ((*run, "--figures", "pdf"), "pdf"),
        ((*run, "--mask", tmp_path / "none"), "none"),
        ((*run, "--mask", pictures[0]), "colour picture"),
        ((*run, "--compare", "nonsense"), "nonsense"),
        ((*run, "--device", "tpu"), "tpu"),
        ((*picture, "--coarse"), "leave out --coarse"),
        ((*picture, "--frame", "2"), "frame"),
        ((*picture[:2], pictures[1], *picture[2:], "--mask", pictures[0]), "a folder of masks"),
        (("features", tmp_path / "no.png", *picture[2:]), "no.png"),
        (("features", pictures[0], namesake, *picture[2:]), "two images"),
        (("features", pictures[0], "-o", pictures[0], "-c", image), "is a file"),
    ):
        assert here(*arguments) == 2, arguments
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert words in lines[0]
    assert here(*picture) == 0
    capsys.readouterr()
    assert here(*picture) == 2
    assert "holds results already" in capsys.readouterr().err
