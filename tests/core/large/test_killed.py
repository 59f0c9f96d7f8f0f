"""A run block by block that is killed at any moment goes on, and ends as if left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_lgmsnet import load, predict, read
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save
from tests.core.helpers import small_model
from tests.core.large.helpers import write_scan

ROOT = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
from napari_lgmsnet.cli import main

placed = 0

def kill_before_the_second(event, arguments):
    global placed
    placed += event == "os.link"
    if event == "os.link" and placed == 2:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill_before_the_second)
main(sys.argv[1:])
"""
"""A run of the command that gets SIGKILL with its mask in place and no probability yet."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of a process")


@pytest.mark.parametrize("kind", [".nii", ".zarr"])
def test_wherever_it_is_killed_it_goes_on(tmp_path: Path, kind: str) -> None:
    if kind == ".zarr":
        pytest.importorskip("zarr")
    command = [sys.executable, "-m", "tests.core.large.killed", str(tmp_path), kind]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    for replacing in (False, True):
        of_these = [one for one in told if one["replacing"] is replacing]
        # All was done and every note removed, but for an empty folder: what a finished run leaves.
        at_the_end = of_these[-2]
        wrong = [
            one for one in of_these
            if (one["again"] and one is not at_the_end) or not one["whole"] or one["left"]
        ]  # fmt: skip
        assert not wrong, f"{wrong}\n{ran.stderr}"
        killed = [one for one in of_these if one["code"] == -signal.SIGKILL]
        assert [one["code"] for one in of_these] == [-signal.SIGKILL] * len(killed) + [0]
        there = {tuple(one["there"]) for one in killed}
        assert (f"mask{kind}",) in there, "no kill left the mask without the probability"
        assert (f"mask{kind}", f"probability{kind}") in there


@pytest.fixture
def killed(tmp_path: Path) -> list[str]:
    """Words of a command that was killed with its mask in place and no probability yet."""
    scan = write_scan(tmp_path / "scan.nii")
    save(tmp_path / "small.safetensors", small_model(2, size=(32, 32), orientation="SPL"))
    words = ["predict", scan, "-o", tmp_path / "mask.nii", "-c", tmp_path / "small.safetensors"]
    words = [*map(str, words), "--blocks", "--probabilities", "--json"]
    process = subprocess.run(
        [sys.executable, "-c", KILLED, *words], timeout=240, check=False, capture_output=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert (tmp_path / "mask.nii").exists()
    assert not (tmp_path / "mask_probability.nii").exists()
    return words


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_the_command_goes_on(
    tmp_path: Path, killed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "mask.nii").stat()
    assert run(killed) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["blocks"], told["computed"]) == (5, 0)
    assert (tmp_path / "mask.nii").stat().st_ino == before.st_ino  # as it was, not written again
    prediction = predict(load(tmp_path / "small.safetensors"), read(tmp_path / "scan.nii"))
    assert (read(tmp_path / "mask.nii").data == prediction.labels).all()
    assert (read(tmp_path / "mask_probability.nii").data == prediction.foreground).all()
    assert not list(tmp_path.glob(".*"))
    assert run(killed) == 2  # done: now it is a file like any other
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mask.nii", "mask_probability.nii"])
def test_what_is_not_its_own_stays(
    tmp_path: Path, killed: list[str], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).write_text("precious")
    assert run(killed) == 2
    assert f'{name}" exists' in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "precious"
    other = "mask_probability.nii" if name == "mask.nii" else "mask.nii"
    assert (tmp_path / other).exists() is (other == "mask.nii")


def test_another_work_does_not_take_it_for_its_own(
    tmp_path: Path, killed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "mask.nii").read_bytes()
    assert run([*killed, "--threshold", "0.3"]) == 2
    assert 'mask.nii" exists' in capsys.readouterr().err
    assert (tmp_path / "mask.nii").read_bytes() == before


def test_a_mask_that_was_taken_away_is_made_again(
    tmp_path: Path, killed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "mask.nii").read_bytes()
    (tmp_path / "mask.nii").unlink()
    assert run(killed) == 0
    assert json.loads(capsys.readouterr().out)["computed"] == 0
    assert (tmp_path / "mask.nii").read_bytes() == before
    assert (tmp_path / "mask_probability.nii").exists()
