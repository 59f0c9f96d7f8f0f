"""Folders, projects and the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import load, save
from napari_lgmsnet.core.errors import Cancelled, InputError, TrainingError
from napari_lgmsnet.core.finetune import (
    Control,
    FineTuneResult,
    examples_from_folder,
    examples_from_project,
    fine_tune_project,
    make_settings,
    save_candidate,
)
from napari_lgmsnet.core.finetune.state import STATE_FILE
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Project
from tests.core.finetune.helpers import same, squares, untrained, weights, write_folder

SETTINGS = make_settings(epochs=1, adapt="anew", device="cpu", augmentation="none")


def a_project(folder: Path, count: int = 4) -> Project:
    """Return a project with accepted squares."""
    examples = squares(count)
    data = write_folder(folder / "data", examples)
    project = Project.create(folder / "project")
    paths = [data / "images" / f"{one.name}.png" for one in examples]
    for case, one in zip(run(project.add(paths)).cases, examples, strict=True):
        run(project.labels.store(case.id, prediction=one.labels))
        project.cases.set_state(case.id, "accepted")
    return project


def test_a_candidate_comes_back_from_its_file(taught: FineTuneResult, tmp_path: Path) -> None:
    sha256 = save_candidate(tmp_path / "better.safetensors", taught)
    model = load(tmp_path / "better.safetensors")
    assert model.sha256 == sha256
    assert same(weights(model), weights(taught))
    assert model.info.training["kind"] == "fine-tuning"
    with pytest.raises(InputError, match="exists"):
        save_candidate(tmp_path / "better.safetensors", taught)


def test_a_project_knows_run_and_lineage(tmp_path: Path) -> None:
    save(tmp_path / "parent.safetensors", untrained())
    parent = load(tmp_path / "parent.safetensors")
    with a_project(tmp_path) as project:
        result, checkpoint = run(fine_tune_project(project, parent, SETTINGS))
        assert checkpoint is not None
        assert checkpoint.parent == parent.sha256
        assert checkpoint.status == "candidate"
        assert set(checkpoint.held_out) == set(result.held_out_cases)
        assert set(checkpoint.trained_on) == set(result.trained_on)
        assert len(checkpoint.trained_on) == 3
        assert [depth for depth, _ in project.checkpoints.tree()] == [0, 1]
        noted = project.runs.get(checkpoint.run_id or 0)
        assert noted.status == "done"
        assert noted.message == result.verdict.reason
        child = load(project.checkpoints.path(checkpoint.sha256))
        assert child.info.parent_sha256 == parent.sha256
        assert not (project.folder / "runs" / str(noted.id)).exists()


def test_a_cancelled_run_leaves_no_checkpoint(tmp_path: Path) -> None:
    with a_project(tmp_path) as project:
        control = Control()
        job = fine_tune_project(project, untrained(), SETTINGS, control=control)
        while next(job).phase != "train":
            pass
        control.cancel()
        with pytest.raises(Cancelled):
            run(job)
        assert [one.status for one in project.runs.all()] == ["stopped"]
        assert project.checkpoints.all() == []


def test_partial_cases_and_what_a_project_exports_agree(tmp_path: Path) -> None:
    from napari_lgmsnet.core.project import export_cases

    with a_project(tmp_path) as project:
        first = project.cases.all()[0]
        project.cases.set_state(first.id, "in correction")
        project.cases.set_state(first.id, "accepted", partial=True)
        run(export_cases(project, tmp_path / "out"))
        own = {one.name: one for one in run(examples_from_project(project))}
    exported = run(examples_from_folder(tmp_path / "out"))
    assert len(exported) == 4
    for one in exported:
        assert np.array_equal(one.labels, own[one.name].labels)
        known = own[one.name].known
        assert (one.known is None) == (known is None)
        assert one.known is None or np.array_equal(one.known, known)
        assert one.sha256 == own[one.name].sha256


def test_the_command_line_writes_only_what_is_better(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], parent: object
) -> None:
    data = write_folder(tmp_path / "data", squares(4))
    save(tmp_path / "parent.safetensors", untrained())
    output = tmp_path / "new.safetensors"
    command = ["finetune", str(data), "-c", str(tmp_path / "parent.safetensors"), "--epochs", "1"]
    command += ["--device", "cpu", "--augmentation", "none", "-o", str(output), "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1
    assert "not better: " in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["-o", "x.pth"], 'input error: "x.pth" must end in .safetensors'),
        (["-o", "/nowhere/x.safetensors"], 'input error: there is no folder "/nowhere"'),
        ([], "input error: say where the new checkpoint goes"),
        (["-o", "x.safetensors", "--adapt", "madly"], 'input error: setting "adapt"'),
        (["-o", "x.safetensors", "--seconds", "0"], 'input error: setting "seconds"'),
        (["-o", "x.safetensors", "--hold-out", "nobody"], 'there is no case "nobody"'),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], message: str
) -> None:
    data = write_folder(tmp_path / "data", squares(2))
    save(tmp_path / "parent.safetensors", untrained())
    command = ["finetune", str(data), "-c", str(tmp_path / "parent.safetensors"), "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(command + change)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_folders_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", squares(2))
    (data / "images" / "square 1.png").unlink()
    with pytest.raises(TrainingError, match=r'"square 1" in .* has no image'):
        run(examples_from_folder(data))
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(data / "masks" / "square 0.png")
    with pytest.raises(InputError, match="choose the mask of this image"):
        run(examples_from_folder(data, names=["square 0"]))
    with pytest.raises(TrainingError, match="there is no folder"):
        run(examples_from_folder(tmp_path / "nowhere"))


def test_an_interrupted_run_of_a_project_goes_on(tmp_path: Path) -> None:
    settings = make_settings(epochs=4, adapt="anew", device="cpu", augmentation="none")
    with a_project(tmp_path) as project:
        job = fine_tune_project(project, untrained(), settings)
        while not (project.folder / "runs" / "1" / STATE_FILE).exists():
            next(job)
        # A copy made now is what a kill would have left.
        shutil.copytree(project.folder, tmp_path / "killed")
        whole, _ = run(job)
    with Project.open(tmp_path / "killed") as project:
        assert [one.status for one in project.runs.all()] == ["interrupted"]
        result, checkpoint = run(fine_tune_project(project, untrained(), settings, resume=1))
        assert [one.status for one in project.runs.all()] == ["done"]
        assert checkpoint is not None
        assert checkpoint.run_id == 1
    assert same(weights(result), weights(whole))
