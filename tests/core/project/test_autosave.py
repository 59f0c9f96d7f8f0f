"""Saving in the background: soon, never blocking, never silent when it fails."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.errors import InputError, ProjectError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import (
    Autosaver,
    Case,
    Edit,
    Project,
    SaveState,
    autosave,
    compaction,
)
from tests.core.project.helpers import (
    SHAPE,
    a_prediction,
    add_pictures,
    mask_of,
    run_python,
    store,
)


def at(row: int, column: int, new: int = 9, **more: object) -> Edit:
    return Edit((np.array([row]), np.array([column])), new, **more)  # type: ignore[arg-type]


class Reports:
    """What was reported, and waiting for it."""

    def __init__(self) -> None:
        self.states: list[SaveState] = []
        self.threads: set[str] = set()
        self._changed = threading.Condition()

    def __call__(self, state: SaveState) -> None:
        with self._changed:
            self.states.append(state)
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[SaveState], bool]) -> None:
        with self._changed:
            met = self._changed.wait_for(lambda: any(map(wanted, self.states)), 30)
        assert met, self.states


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "a") as project:
        yield project


@pytest.fixture
def case(project: Project, tmp_path: Path) -> Case:
    (case,) = add_pictures(project, tmp_path)
    store(project, case, a_prediction())
    return case


def test_edits_are_saved_by_themselves(project: Project, case: Case) -> None:
    reports = Reports()
    saver = Autosaver(project, reports, delay=0.1)
    assert saver.edit(case.id, at(0, 0)) == 1
    assert saver.edit(case.id, at(0, 1)) == 2
    reports.wait(lambda state: state.status == "saved" and state.saved == 2)
    assert mask_of(project, case).labels[0, :2].tolist() == [9, 9]
    saver.close()
    assert [state.status for state in reports.states] == ["waiting", "saved"]
    assert reports.threads == {"autosave"}
    saver.close()
    with pytest.raises(InputError, match="stopped"):
        saver.edit(case.id, at(0, 0))


def test_painting_on_and_on_does_not_put_saving_off(project: Project, case: Case) -> None:
    reports = Reports()
    saver = Autosaver(project, reports, delay=0.05)
    stop = time.monotonic() + 20
    ticket = 0
    while not any(state.status == "saved" for state in reports.states):
        ticket = saver.edit(case.id, at(0, 0, ticket % 5))
        time.sleep(0.005)  # never a pause as long as the delay
        assert time.monotonic() < stop
    saver.close()
    assert saver.state == SaveState("saved", 0, ticket)


def test_flush_and_read_see_every_edit(project: Project, case: Case) -> None:
    saver = Autosaver(project, delay=1000)
    for column in range(10):
        saver.edit(case.id, at(1, column))
        if column % 3 == 0:
            assert saver.flush() == SaveState("saved", 0, column + 1)
    mask = saver.read(case.id)
    assert mask is not None
    assert (mask.labels[1, :10] == 9).all()
    saver.close()


def test_reading_does_not_wait_for_a_person_who_paints_on(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = Autosaver(project, delay=60)
    write = project.labels.append

    def meanwhile(*arguments: object) -> object:
        saver.edit(case.id, at(2, 2))
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(project.labels, "append", meanwhile)
    saver.edit(case.id, at(1, 1))
    mask = saver.read(case.id)
    assert mask is not None
    assert mask.labels[1, 1] == 9
    assert saver.state.status == "waiting"
    saver.edit(case.id, at(1, 3))
    assert saver.set_state(case.id, "in correction").state == "in correction"
    monkeypatch.undo()
    saver.close()
    assert mask_of(project, case).labels[2, 2] == 9


def test_closing_saves_what_waits(project: Project, case: Case, tmp_path: Path) -> None:
    (other,) = add_pictures(project, tmp_path)
    store(project, other, a_prediction(1))
    saver = Autosaver(project, delay=1000)
    saver.edit(case.id, at(0, 0))
    saver.edit(other.id, at(0, 1))
    saver.edit(case.id, at(0, 2))
    saver.keep_view({"case": 1})
    saver.keep_view({"case": 2})
    saver.close()
    assert mask_of(project, case).labels[0, [0, 2]].tolist() == [9, 9]
    assert mask_of(project, other).labels[0, 1] == 9
    assert project.view() == {"case": 2}


def test_accepting_comes_after_the_last_edit(project: Project, case: Case) -> None:
    saver = Autosaver(project, delay=1000)
    saver.edit(case.id, at(0, 0))
    assert saver.set_state(case.id, "accepted").state == "accepted"
    saver.flush()
    assert project.cases.get(case.id).state == "accepted"
    # An edit after it is one more correction.
    saver.edit(case.id, at(0, 1))
    saver.close()
    assert project.cases.get(case.id).state == "in correction"
    assert [state for state, _ in project.cases.history(case.id)] == [
        "new",
        "predicted",
        "in correction",
        "accepted",
        "in correction",
    ]


def test_handing_over_does_not_wait_for_the_disk(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is stuck until the edits are handed over: if that waited, it would never end."""
    stuck, release = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(handle: int) -> None:
        stuck.set()
        assert release.wait(30)
        fsync(handle)

    saver = Autosaver(project, delay=0.0)
    saver.edit(case.id, at(0, 0))
    saver.flush()
    monkeypatch.setattr(os, "fsync", slow)
    saver.edit(case.id, at(0, 1))
    assert stuck.wait(30)
    for column in range(2, 12):
        saver.edit(case.id, at(0, column))
    assert saver.state.status == "waiting"
    release.set()
    saver.close()
    assert (mask_of(project, case).labels[0, :12] == 9).all()


def test_what_does_not_fit_is_refused_at_once(project: Project, case: Case) -> None:
    saver = Autosaver(project)
    with pytest.raises(InputError, match="outside"):
        saver.edit(case.id, at(99, 0))
    with pytest.raises(InputError, match="wider type"):
        saver.edit(case.id, at(0, 0, 300))
    with pytest.raises(ProjectError, match="no mask yet"):
        saver.edit(case.id + 1, at(0, 0))
    assert saver.state == SaveState("saved")
    run(project.labels.store(case.id, labels=a_prediction().astype(np.uint16)))
    saver.edit(case.id, at(0, 0, 300))
    saver.close()
    assert mask_of(project, case).labels[0, 0] == 300


def test_a_failing_disk_keeps_edits_and_tries_again(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave, "PAUSES", (0.05,))
    journal = project.folder / "journal"
    journal.rename(project.folder / "away")  # as if the disk was pulled out
    reports = Reports()
    saver = Autosaver(project, reports, delay=0.0)
    saver.edit(case.id, at(0, 0))
    reports.wait(lambda state: state.status == "failed")
    failed = next(state for state in reports.states if state.status == "failed")
    assert failed.unsaved == 1
    assert "kept in memory" in failed.message
    saver.edit(case.id, at(0, 1))
    with pytest.raises(ProjectError, match="kept in memory"):
        saver.close()
    (project.folder / "away").rename(journal)
    reports.wait(lambda state: state.status == "saved" and state.saved == 2)
    saver.close()
    assert mask_of(project, case).labels[0, :2].tolist() == [9, 9]


def test_what_cannot_be_saved_can_be_given_up(project: Project, case: Case) -> None:
    (project.folder / "journal").rename(project.folder / "away")
    saver = Autosaver(project, delay=0.0)
    saver.edit(case.id, at(0, 0))
    assert saver.flush().status == "failed"
    saver.discard()
    (project.folder / "away").rename(project.folder / "journal")
    assert mask_of(project, case).labels[0, 0] == a_prediction()[0, 0]


def test_a_mistake_in_the_window_does_not_end_the_saving(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def report(state: SaveState) -> None:
        raise RuntimeError("the layer is gone")

    saver = Autosaver(project, report, delay=0.0)
    saver.edit(case.id, at(0, 0))
    saver.flush()
    saver.edit(case.id, at(0, 1))
    saver.close()
    assert mask_of(project, case).labels[0, :2].tolist() == [9, 9]
    assert all(args.exc_type is RuntimeError for args in told)
    assert told


def test_large_journals_are_stored_whole_while_edits_go_on(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "LARGE", 2000)
    saver = Autosaver(project, delay=0.0)
    expected = a_prediction()
    rng = np.random.default_rng(0)
    for _ in range(300):
        where = tuple(rng.integers(0, size, 20) for size in SHAPE)
        new = rng.integers(0, 9, 20, dtype=np.uint8)
        saver.edit(case.id, Edit(where, new))
        for place, value in zip(zip(*where, strict=True), new, strict=True):
            expected[place] = value
        time.sleep(0.001)
    saver.close()
    assert np.array_equal(mask_of(project, case).labels, expected)
    stored = project.labels.stored(case.id)
    assert stored is not None
    assert stored.sequence > 0
    assert sum(path.stat().st_size for path in (project.folder / "journal").iterdir()) < 40000


def test_time_at_work_is_counted_without_breaks(project: Project, case: Case) -> None:
    now = 0.0
    saver = Autosaver(project, delay=1000, clock=lambda: now)
    for moment in (0.0, 10.0, 25.0, 1000.0, 1030.0):  # one break
        now = moment
        saver.active(case.id)
    now = 1040.0
    saver.edit(case.id, at(0, 0, strokes=1))
    saver.flush()
    (row,) = project.ledger()
    assert row.minutes == pytest.approx(65 / 60, abs=1e-3)
    now = 1050.0
    saver.active(case.id)
    saver.close()  # time alone is written at the end
    (row,) = project.ledger()
    assert row.minutes == pytest.approx(75 / 60, abs=1e-3)
    assert row.strokes == 1


def test_looking_at_a_case_without_a_mask_is_no_error(project: Project, tmp_path: Path) -> None:
    (case,) = add_pictures(project, tmp_path)
    now = 0.0
    saver = Autosaver(project, clock=lambda: now)
    saver.active(case.id)
    now = 5.0
    saver.active(case.id)
    saver.close()
    assert project.ledger() == []


def test_a_project_that_is_read_only_is_refused(project: Project) -> None:
    with (
        Project.open(project.folder) as second,
        pytest.raises(ProjectError, match="open for writing elsewhere"),
    ):
        Autosaver(second)


FULL_DISK = """
import resource, sys, time
from pathlib import Path
import numpy as np
from napari_lgmsnet.core.project import Autosaver, Edit, Project

folder = Path(sys.argv[1])
project = Project.open(folder)
states = []
saver = Autosaver(project, states.append, delay=0.0)
rng = np.random.default_rng(0)

def edit(number):
    where = tuple(rng.integers(0, n, 2000) for n in (20, 30))
    return Edit(where, rng.integers(0, 200, 2000, dtype=np.uint8))

before = [edit(n) for n in range(3)]
for one in before:
    saver.edit(1, one)
assert saver.flush().status == "saved"
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
(journal,) = (folder / "journal").iterdir()
size = journal.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
later = [edit(n) for n in range(40)]
for one in later:
    saver.edit(1, one)
state = saver.flush()
assert state.status == "failed", state
assert "disk is full" in state.message and "memory" in state.message, state.message
assert state.unsaved > 0
held = project.labels.read(1)
assert held.damage == () and held.torn_bytes == 0
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
saver.close()
expected = None
mask = project.labels.read(1)
with Project.open(folder, read_only=True) as second:
    labels = second.labels.read(1).labels
project.close()
model = np.load(sys.argv[2])
for one in [*before, *later]:
    model[one.where] = one.new
assert (labels == model).all()
print([state.status for state in states][-1])
"""


@pytest.mark.skipif(os.name == "nt", reason="limits on the size of files are POSIX")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, a_prediction())
    np.save(tmp_path / "prediction.npy", a_prediction())
    answer = run_python(FULL_DISK, tmp_path / "a", tmp_path / "prediction.npy")
    assert answer == "saved\n"


AT_EXIT = """
import sys
import numpy as np
from napari_lgmsnet.core.project import Autosaver, Edit, Project
saver = Autosaver(Project.open(sys.argv[1]), delay=1000)
saver.edit(1, Edit((np.array([0]), np.array([0])), 9))
"""


def test_a_program_that_ends_without_closing_saves(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, a_prediction())
    run_python(AT_EXIT, tmp_path / "a")
    with Project.open(tmp_path / "a") as project:
        assert mask_of(project, case).labels[0, 0] == 9
