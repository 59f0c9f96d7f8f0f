"""Folders of projects: made, opened, refused."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.errors import InputError, ProjectError, ReadOnlyError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Project, schema
from napari_lgmsnet.core.project.places import on_network
from tests.core.project.helpers import a_prediction, add_pictures, mask_of, run_python, store


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("lock.sqlite")
    }


def test_a_new_project_is_there_and_empty(tmp_path: Path) -> None:
    assert not Project.is_project(tmp_path / "a")
    with Project.create(tmp_path / "a") as project:
        assert not project.read_only
        assert project.cases.all() == []
        assert project.view() == {}
    assert Project.is_project(tmp_path / "a")
    assert "SQLite" in (tmp_path / "a" / "README.txt").read_text(encoding="utf-8")


def test_a_project_is_not_made_twice(tmp_path: Path) -> None:
    Project.create(tmp_path / "a").close()
    before = contents(tmp_path / "a")
    with pytest.raises(InputError, match="is a project already"):
        Project.create(tmp_path / "a")
    assert contents(tmp_path / "a") == before


def test_the_view_is_kept(tmp_path: Path) -> None:
    view = {"case": 3, "step": [1, 2], "camera": {"zoom": 1.5}}
    with Project.create(tmp_path / "a") as project:
        project.set_view(view)
        for bad in ({"x": float("nan")}, {"x": object()}, {"x": "y" * 70000}):
            with pytest.raises(InputError, match="viewer"):
                project.set_view(bad)
    with Project.open(tmp_path / "a") as project:
        assert project.view() == view


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is no project"):
        Project.open(tmp_path)
    with pytest.raises(ProjectError, match="is no project"):
        Project.open(tmp_path / "missing")
    with closing(sqlite3.connect(tmp_path / "project.sqlite")) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.commit()
    before = contents(tmp_path)
    with pytest.raises(ProjectError, match="database of another program"):
        Project.open(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("damage", ["empty", "text", "start", "middle", "cut"])
def test_a_damaged_database_is_refused_and_not_touched(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "a"
    with Project.create(folder) as project:
        add_pictures(project, tmp_path, 40)
    path = folder / "project.sqlite"
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "text": b"not a database at all, but long enough for a header " * 20,
            "start": b"\0" * 100 + whole[100:],
            "middle": whole[:4096] + os.urandom(len(whole) - 4096),
            "cut": whole[: len(whole) // 2],
        }[damage]
    )
    before = contents(folder)
    for read_only in (True, False):
        with pytest.raises(ProjectError, match="damaged"):
            Project.open(folder, read_only=read_only)
    # SQLite may leave its empty log behind.
    after = contents(folder)
    assert {name: after[name] for name in before} == before
    assert not after.get("project.sqlite-wal")


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    Project.create(tmp_path / "a").close()
    path = tmp_path / "a" / "project.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = contents(tmp_path / "a")
    with pytest.raises(ProjectError, match=r"newer version .* update"):
        Project.open(tmp_path / "a")
    assert contents(tmp_path / "a") == before


@pytest.mark.parametrize("version", range(schema.VERSION + 1))
def test_every_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "project.sqlite", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        for statements in schema.MIGRATIONS[:version]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
        if version:
            connection.execute(
                """INSERT INTO cases (name, kind, absolute_path, size, fingerprint, position,
                added, changed) VALUES ('kept', 'file', '/x.png', 1, 'f', 0, 't', 't')"""
            )
        layout = connection.execute("PRAGMA table_list").fetchall()
    if version < schema.VERSION:
        with pytest.raises(ProjectError, match="older version"):
            Project.open(folder, read_only=True)
    with Project.open(folder) as project:
        assert [case.name for case in project.cases.all()] == (["kept"] if version else [])
        assert project.checkpoints.all() == []
        assert project.runs.all() == []
    with closing(sqlite3.connect(folder / "project.sqlite")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
        assert len(connection.execute("PRAGMA table_list").fetchall()) >= len(layout)


def test_a_failing_migration_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project.create(tmp_path / "a").close()
    steps = (*schema.MIGRATIONS, ("CREATE TABLE half (x)", "CREATE TABLE half (x)"))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "VERSION", len(steps))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Project.open(tmp_path / "a")
    monkeypatch.undo()
    with Project.open(tmp_path / "a") as project:
        assert project.check_database() == []


READ = """
import sys
from napari_lgmsnet.core.project import Project
with Project.open(sys.argv[1]) as project:
    assert project.read_only
    assert "cannot be written" in project.why_read_only, project.why_read_only
    print([case.state for case in project.cases.all()], project.labels.read(1).labels.sum())
    try:
        project.cases.set_note(1, "x")
    except Exception as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("left_open", [False, True])
def test_a_read_only_folder_opens_for_reading(tmp_path: Path, left_open: bool) -> None:
    # Left open, the latest changes are in SQLite's log, beside the database.
    folder = tmp_path / "a"
    project = Project.create(folder)
    (case,) = add_pictures(project, tmp_path)
    store(project, case, a_prediction())
    if not left_open:
        project.close()
    places = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in places if path.exists()}
    for path in modes:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        before = contents(folder)
        answer = run_python(READ, folder, powerless=True).split("\n")
        assert contents(folder) == before
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
        project.close()
    assert answer[:2] == [f"['predicted'] {a_prediction().sum()}", "ReadOnlyError"]


CREATE = """
import sys
from napari_lgmsnet.core.errors import ReadOnlyError
from napari_lgmsnet.core.project import Project
try:
    Project.create(sys.argv[1] + "/new")
except ReadOnlyError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_no_project_is_made_where_nothing_can_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "choose another folder" in run_python(CREATE, tmp_path, powerless=True)
    finally:
        tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


def test_reading_only_refuses_every_change(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
    before = contents(tmp_path / "a")
    with Project.open(tmp_path / "a", read_only=True) as project:
        attempts = (
            lambda: project.cases.set_state(case.id, "rejected"),
            lambda: run(project.add([tmp_path])),
            lambda: project.set_view({}),
            lambda: store(project, case, a_prediction()),
            lambda: project.labels.append(case.id, []),
            lambda: run(project.labels.compact(case.id)),
            lambda: run(project.tidy()),
            lambda: project.remove_case(case.id),
            lambda: project.runs.start("", [], {}),
            lambda: project.checkpoints.register("0" * 64, "x"),
            project.empty_trash,
        )
        for attempt in attempts:
            with pytest.raises(ReadOnlyError, match="reading only"):
                attempt()
    assert contents(tmp_path / "a") == before


def test_a_closed_project_says_so(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "a")
    project.close()
    project.close()
    with pytest.raises(ProjectError, match="closed"):
        project.cases.all()
    with pytest.raises(ProjectError, match="closed"):
        project.set_view({})


def test_a_project_can_be_moved_with_its_images(tmp_path: Path) -> None:
    with Project.create(tmp_path / "old" / "project") as project:
        (case,) = add_pictures(project, tmp_path / "old" / "images")
        store(project, case, a_prediction())
    (tmp_path / "old").rename(tmp_path / "new")
    with Project.open(tmp_path / "new" / "project") as project:
        moved = project.cases.get(case.id)
        assert moved.source.path == tmp_path / "new" / "images" / "picture 0.png"
        assert project.cases.presence(moved) == "there"
        assert np.array_equal(mask_of(project, moved).labels, a_prediction())


MOUNTS = r"""21 1 8:1 / / rw - ext4 /dev/sda1 rw
30 21 0:25 / /home rw - nfs4 server:/home rw
31 30 0:26 / /home/me/local\040disk rw - ext4 /dev/sdb1 rw
32 21 0:27 / /media/share rw - cifs //server/share rw
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/data", False),
        ("/home/me/project", True),
        ("/home/me/local disk/project", False),
        ("/media/share", True),
        ("/media/shared", False),
    ],
)
def test_network_folders_are_known(folder: str, expected: bool) -> None:
    assert on_network(Path(folder), MOUNTS) is expected


def test_on_a_network_folder_no_memory_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_lgmsnet.core.project.store.on_network", lambda _: True)
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        with Project.open(tmp_path / "a") as second:
            assert second.read_only
            project.cases.set_note(case.id, "seen")
            assert second.cases.get(case.id).note == "seen"
        assert not list((tmp_path / "a").glob("*-shm"))
    monkeypatch.undo()
    with Project.open(tmp_path / "a") as project:
        project.cases.set_note(case.id, "on a disk of one's own again")
        assert list((tmp_path / "a").glob("*-wal"))
