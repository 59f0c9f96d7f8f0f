"""Checkpoints and runs: where each came from, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_lgmsnet.core.checkpoints import file_sha256, load, save
from napari_lgmsnet.core.errors import CheckpointError, InputError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Checkpoint, Project, verify
from tests.core.helpers import small_model


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as project:
        yield project


def add(
    project: Project, folder: Path, seed: int, parent: Checkpoint | None = None, **more: object
) -> Checkpoint:
    path = folder / f"candidate {seed}.safetensors"
    save(path, small_model(2, seed=seed))
    sha256 = parent.sha256 if parent else ""
    return project.checkpoints.add(path, name=f"c{seed}", parent=sha256, **more)  # type: ignore[arg-type]


def test_a_checkpoint_is_copied_and_known(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    sha256 = save(path, small_model(2))
    added = project.checkpoints.add(
        path,
        trained_on=["b" * 64, "a" * 64, "a" * 64],
        held_out=["c" * 64],
        settings={"epochs": 3},
        metrics={"Dice": 0.9},
    )
    path.unlink()
    assert added.sha256 == sha256
    assert added.name == "small-2d"
    assert (added.status, added.kept) == ("candidate", "here")
    assert added.trained_on == ("a" * 64, "b" * 64)
    assert added.held_out == ("c" * 64,)
    assert (added.settings, added.metrics) == ({"epochs": 3}, {"Dice": 0.9})
    kept = project.checkpoints.path(sha256)
    assert kept.name == f"{sha256}.safetensors"
    assert load(kept).sha256 == sha256
    with Project.open(project.folder, read_only=True) as again:
        assert again.checkpoints.all() == [added]


def test_the_same_file_is_there_once(project: Project, tmp_path: Path) -> None:
    first = add(project, tmp_path, 1)
    again = project.checkpoints.add(tmp_path / "candidate 1.safetensors", name="another name")
    assert again == first
    assert len(list((project.folder / "checkpoints").iterdir())) == 1


def test_what_is_no_checkpoint_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"x" * 100)
    for path in (tmp_path / "x.safetensors", tmp_path / "missing.safetensors", Path("polyp-2d")):
        with pytest.raises(CheckpointError, match="no checkpoint"):
            project.checkpoints.add(path)
    assert project.checkpoints.all() == []
    assert list((project.folder / "checkpoints").iterdir()) == []


def test_a_tree_grows_and_is_walked_back(project: Project, tmp_path: Path) -> None:
    root = project.checkpoints.register("0" * 64, "shipped")
    assert project.checkpoints.current() is None
    a = add(project, tmp_path, 1, root)
    b = add(project, tmp_path, 2, a)
    c = add(project, tmp_path, 3, a)
    tree = [(depth, one.name) for depth, one in project.checkpoints.tree()]
    assert tree == [(0, "shipped"), (1, "c1"), (2, "c2"), (2, "c3")]
    assert [one.name for one in project.checkpoints.ancestors(c.sha256)] == ["c1", "shipped"]
    for one in (root, a, b):
        assert project.checkpoints.accept(one.sha256).status == "accepted"
    assert project.checkpoints.reject(c.sha256).status == "rejected"
    with pytest.raises(InputError, match="roll back first"):
        project.checkpoints.reject(b.sha256)
    assert project.checkpoints.rollback().name == "c1"
    assert project.checkpoints.rollback().name == "shipped"
    with pytest.raises(InputError, match="no earlier checkpoint"):
        project.checkpoints.rollback()
    assert project.checkpoints.rollback(b.sha256).name == "c2"
    assert project.checkpoints.rename(b.sha256, "best").name == "best"
    with pytest.raises(InputError, match="needs a name"):
        project.checkpoints.rename(b.sha256, "")
    with pytest.raises(InputError, match="there is no checkpoint"):
        project.checkpoints.get("f" * 64)
    with Project.open(project.folder, read_only=True) as again:
        assert again.checkpoints.current() == project.checkpoints.get(b.sha256)


def test_what_is_needed_is_not_deleted(project: Project, tmp_path: Path) -> None:
    a = add(project, tmp_path, 1)
    b = add(project, tmp_path, 2, a)
    c = add(project, tmp_path, 3, b)
    project.checkpoints.accept(b.sha256)
    with pytest.raises(InputError, match="in use"):
        project.checkpoints.delete(b.sha256)
    with pytest.raises(InputError, match='a parent of "c2"'):
        project.checkpoints.delete(a.sha256)
    assert project.checkpoints.delete(c.sha256).kept == "trash"
    assert not (project.folder / "checkpoints" / f"{c.sha256}.safetensors").exists()
    with pytest.raises(CheckpointError, match="restore it"):
        project.checkpoints.path(c.sha256)
    with pytest.raises(InputError, match="restore it first"):
        project.checkpoints.accept(c.sha256)
    assert project.checkpoints.restore(c.sha256).kept == "here"
    assert file_sha256(project.checkpoints.path(c.sha256)) == c.sha256
    # Insisting works, and the lineage stays known.
    project.checkpoints.delete(a.sha256, force=True)
    assert [one.kept for one in project.checkpoints.ancestors(c.sha256)] == ["here", "trash"]
    with pytest.raises(InputError, match="no earlier checkpoint"):
        project.checkpoints.rollback()
    project.checkpoints.delete(b.sha256, force=True)
    assert project.checkpoints.current() is None
    project.empty_trash()
    assert project.checkpoints.get(a.sha256).kept == "gone"
    with pytest.raises(CheckpointError, match="not in the trash"):
        project.checkpoints.restore(a.sha256)
    # The same file may come back.
    save(tmp_path / "again.safetensors", small_model(2, seed=1))
    assert project.checkpoints.add(tmp_path / "again.safetensors").kept == "here"
    assert project.checkpoints.get(a.sha256).name == "c1"
    assert run(verify(project)) == []


def test_exporting_a_checkpoint(project: Project, tmp_path: Path) -> None:
    one = add(project, tmp_path, 1)
    target = tmp_path / "mine.safetensors"
    project.checkpoints.export(one.sha256, target)
    assert file_sha256(target) == one.sha256
    with pytest.raises(InputError, match="exists already"):
        project.checkpoints.export(one.sha256, target)
    with pytest.raises(InputError, match="must end in"):
        project.checkpoints.export(one.sha256, tmp_path / "mine.pth")


def test_runs_are_remembered(project: Project, tmp_path: Path) -> None:
    first = project.runs.start("a" * 64, ["b" * 64], {"seconds": 60})
    assert (first.status, first.ended) == ("running", "")
    assert project.runs.folder(first.id).is_dir()
    made = add(project, tmp_path, 1, run_id=first.id)
    done = project.runs.finish(first.id, "done", {"Dice": 0.8})
    assert (done.status, done.metrics, done.cases) == ("done", {"Dice": 0.8}, ("b" * 64,))
    assert done.ended >= done.started
    assert made.run_id == first.id
    failed = project.runs.start("", [], {})
    project.runs.finish(failed.id, "failed", message="out of memory")
    assert [one.status for one in project.runs.all()] == ["done", "failed"]
    with pytest.raises(InputError, match="no run 9"):
        project.runs.get(9)


def test_a_run_that_was_cut_off_goes_on_or_is_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    with Project.create(folder) as project:
        one, other = (project.runs.start("", [], {}) for _ in range(2))
        for each in (one, other):
            (project.runs.folder(each.id) / "last.pt").write_bytes(b"state")
    with Project.open(folder, read_only=True) as second:
        assert second.runs.get(one.id).status == "running", "a reader may not decide that"
    with Project.open(folder) as project:
        assert {each.status for each in project.runs.all()} == {"interrupted"}
        assert project.runs.resume(one.id).status == "running"
        assert (project.runs.folder(one.id) / "last.pt").read_bytes() == b"state"
        with pytest.raises(InputError, match="was not interrupted"):
            project.runs.resume(one.id)
        project.runs.drop(other.id)
        assert not (folder / "runs" / str(other.id)).exists()
        assert len(list((folder / "trash").glob("*/*/last.pt"))) == 1
