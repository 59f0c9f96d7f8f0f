"""Two programs on one project: one writes, the other one is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.errors import ProjectError, ReadOnlyError
from napari_lgmsnet.core.project import Edit, Project
from tests.core.project.helpers import a_prediction, add_pictures, mask_of, store

HOLD = """
import sys
from napari_lgmsnet.core.project import Edit, Project
import numpy as np
project = Project.open(sys.argv[1])
print("writer" if not project.read_only else "reader", flush=True)
for line in sys.stdin:
    number = int(line)
    project.labels.append(1, [Edit((np.array([number]), np.array([0])), 9)])
    print("done", flush=True)
"""


def test_a_second_program_reads_along_until_the_first_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with Project.create(folder) as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, a_prediction())
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "writer\n"
        with Project.open(folder) as second:
            assert second.read_only
            assert second.holder is not None
            assert (second.holder.host, second.holder.pid) == (socket.gethostname(), first.pid)
            assert str(first.pid) in second.why_read_only
            assert second.holder.since[:4].isdigit()
            for number in range(4):
                first.stdin.write(f"{number}\n")
                first.stdin.flush()
                assert first.stdout.readline() == "done\n"
                # Live: neither window does anything for it.
                assert (mask_of(second, case).labels[: number + 1, 0] == 9).all()
                assert second.cases.get(case.id).state == "in correction"
            with pytest.raises(ReadOnlyError, match=str(first.pid)):
                second.cases.set_note(case.id, "x")
        first.kill()
        first.wait()
        with Project.open(folder) as third:
            assert not third.read_only
            assert (mask_of(third, case).labels[:4, 0] == 9).all()


def test_two_windows_of_one_program(tmp_path: Path) -> None:
    first = Project.create(tmp_path / "a")
    second = Project.open(tmp_path / "a")
    assert second.read_only
    assert second.holder is not None
    assert second.holder.pid == os.getpid()
    second.close()
    # The second one's going must not take the first one's lock away.
    third = Project.open(tmp_path / "a")
    assert third.read_only
    first.close()
    fourth = Project.open(tmp_path / "a")
    assert not fourth.read_only
    fourth.close()
    third.close()


def test_a_damaged_lock_says_what_to_do(tmp_path: Path) -> None:
    Project.create(tmp_path / "a").close()
    lock = tmp_path / "a" / "lock.sqlite"
    lock.write_bytes(b"rubbish" * 1000)
    with pytest.raises(ProjectError, match=r"lock.sqlite.* delete it"):
        Project.open(tmp_path / "a")
    lock.unlink()
    with Project.open(tmp_path / "a") as project:
        assert not project.read_only


def open_at_once(folder: Path, count: int) -> list[Project]:
    start = threading.Barrier(count)
    opened: list[Project] = []

    def race() -> None:
        start.wait()
        opened.append(Project.open(folder))

    threads = [threading.Thread(target=race) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return opened


def test_of_many_that_open_at_once_one_writes(tmp_path: Path) -> None:
    Project.create(tmp_path / "a").close()
    for _ in range(5):
        opened = open_at_once(tmp_path / "a", 6)
        writers = [project for project in opened if not project.read_only]
        for project in opened:
            project.close()
        assert len(opened) == 6
        assert len(writers) == 1


def test_a_reader_never_sees_half_of_an_edit_or_of_storing(tmp_path: Path) -> None:
    """Every edit makes the whole mask one number; a reader may only ever see one number."""
    with Project.create(tmp_path / "a") as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, np.zeros((20, 30), np.uint8))
        stop, seen = threading.Event(), []

        def read() -> None:
            with Project.open(tmp_path / "a") as second:
                while not stop.is_set():
                    seen.append(np.unique(mask_of(second, case).labels).tolist())

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(1, 60):
            everywhere = (slice(0, 20), slice(0, 30))
            project.labels.append(case.id, [Edit(everywhere, number)])
            if number % 5 == 0:
                for _ in project.labels.compact(case.id):
                    pass
                for _ in project.tidy():
                    pass
        stop.set()
        reader.join()
    assert seen
    assert all(len(values) == 1 for values in seen)
    numbers = [values[0] for values in seen]
    assert numbers == sorted(numbers)
