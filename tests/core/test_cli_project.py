"""`napari-lgmsnet project ...`, driven as a person or a program would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.cli import main
from napari_lgmsnet.core.project import Edit, Project
from napari_lgmsnet.core.training.config import DataConfig
from napari_lgmsnet.core.training.data import list_cases
from tests.core.project.helpers import a_prediction, add_pictures, store


def run(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with three cases: accepted, accepted in part, new."""
    folder = tmp_path / "my project"
    with Project.create(folder) as project:
        cases = add_pictures(project, tmp_path / "images", 3)
        for case in cases[:2]:
            store(project, case, a_prediction(case.id))
            project.cases.set_state(case.id, "accepted", partial=case is cases[1])
        project.cases.set_doubt(cases[1].id, 0.75)
        project.cases.set_note(cases[1].id, "[bold]look again[/bold]")
        project.labels.append(cases[0].id, [Edit((np.array([0]), np.array([0])), 9, strokes=1)])
        project.cases.set_state(cases[0].id, "accepted")
    return folder


def test_listing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("project", "list", folder) == 0
    out = capsys.readouterr().out
    for word in ("picture 0", "picture 1", "accepted in part", "0.75", "[bold]"):
        assert word in " ".join(out.split())
    assert run("project", "list", folder, "--state", "accepted", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found] == ["picture 0", "picture 1"]
    assert [one["partial"] for one in found] == [False, True]
    assert run("project", "list", folder, "--min-doubt", "0.5", "--json") == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [2]


def test_exporting(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "training data"
    assert run("project", "export", folder, "-o", target, "--validation", "0.5", "-q") == 0
    assert capsys.readouterr().out == ""
    names = [
        case.name
        for lines in ("train.txt", "val.txt")
        for case in list_cases(target, DataConfig(), lines)
    ]
    assert sorted(names) == ["picture 0", "picture 1"]
    assert [path.name for path in (target / "ignore").iterdir()] == ["picture 1.png"]
    assert run("project", "export", folder, "-o", target) == 2
    assert "not empty" in capsys.readouterr().err
    (tmp_path / "images" / "picture 0.png").unlink()
    assert run("project", "export", folder, "-o", tmp_path / "rest", "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["problems"][0][0] == "picture 0"
    assert "failed: picture 0" in captured.err


def test_verifying(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("project", "verify", folder, "--images") == 0
    assert "all is well" in capsys.readouterr().out
    (folder / "checkpoints" / "left.safetensors").touch()
    assert run("project", "verify", folder, "--json") == 0
    (note,) = json.loads(capsys.readouterr().out)
    assert note["severity"] == "note"
    next((folder / "labels").glob("*/*.npz")).write_bytes(b"")
    assert run("project", "verify", folder) == 1
    assert "is damaged" in capsys.readouterr().out


def test_the_ledger(folder: Path, tmp_path: Path) -> None:
    assert run("project", "ledger", folder, "-o", tmp_path / "l.csv") == 0
    lines = (tmp_path / "l.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("1,picture 0,")


def test_wrong_use(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (("list", tmp_path / "none"), "is no project"),
        (("list", folder, "--state", "done"), "done"),
        (("export", folder), "--output"),
        (("verify",), "PROJECT"),
    ):
        assert run("project", *arguments) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert words in line


def test_a_project_in_use_can_be_looked_at(folder: Path) -> None:
    with Project.open(folder):
        done = subprocess.run(
            [sys.executable, "-m", "napari_lgmsnet", "project", "verify", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_file_is_said_once_however_many_layers_share_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Project.open(folder) as project:
        stored = project.labels.stored(2)
        assert stored is not None
        names = list(stored.files.values())
    (shared,) = {name for name in names if names.count(name) > 1}
    path = next(folder.rglob(f"{shared}.npz"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    assert run("project", "verify", folder, "--json") == 1
    found = [one for one in json.loads(capsys.readouterr().out) if shared in one["what"]]
    assert len(found) == len({one["where"] for one in found}) > 0
