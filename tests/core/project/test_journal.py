"""Journals: nothing whole is lost, nothing torn is taken for whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lgmsnet.core.project.journal import JournalWriter, scan

HEAD = b'{"format":1}'


def write(path: Path, *contents: bytes) -> bytes:
    writer = JournalWriter(path, HEAD)
    writer.append(list(enumerate(contents, start=1)))
    writer.close()
    return path.read_bytes()


def test_records_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "a.journal", b"one", b"", b"three" * 1000)
    found = scan(tmp_path / "a.journal")
    assert found.records == [(0, HEAD), (1, b"one"), (2, b""), (3, b"three" * 1000)]
    assert (found.torn, found.damaged) == (0, [])


def test_last_record_cut_at_every_length(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    whole = write(path, b"first", b"second")
    before = len(whole) - len(b"second") - 28
    for length in range(before, len(whole)):
        path.write_bytes(whole[:length])
        found = scan(path)
        assert found.records == [(0, HEAD), (1, b"first")], length
        assert found.torn == length - before
        assert found.damaged == []


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"LGJ1"])
def test_rubbish_at_the_end_is_a_torn_record(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "a.journal"
    whole = write(path, b"first")
    path.write_bytes(whole + filler * 200)
    found = scan(path)
    assert [number for number, _ in found.records] == [0, 1]
    assert found.torn == len(filler) * 200


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_bad_byte_costs_one_record_and_is_told(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    contents = data.draw(st.lists(st.binary(min_size=1, max_size=40), min_size=3, max_size=6))
    whole = bytearray(write(path, *contents))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    found = scan(path)
    every = [(0, HEAD), *enumerate(contents, start=1)]
    lost = [record for record in every if record not in found.records]
    assert len(lost) == 1
    assert [record for record in every if record not in lost] == found.records
    # At the end it cannot be told from a record that was being written.
    assert len(found.damaged) == (0 if lost[0] == every[-1] else 1)
    assert bool(found.torn) == (lost[0] == every[-1])


def test_an_old_journal_is_never_written_to(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.journal", b"first")
    with pytest.raises(FileExistsError):
        JournalWriter(tmp_path / "a.journal", HEAD)
    assert (tmp_path / "a.journal").read_bytes() == whole


FULL_DISK = """
import resource, sys
from pathlib import Path
from napari_lgmsnet.core.project.journal import JournalWriter, scan
path = Path(sys.argv[1])
writer = JournalWriter(path, b"head")
writer.append([(1, b"x" * 100)])
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (writer.size + 50, limits[1]))
try:
    writer.append([(2, b"y" * 100)])
except OSError as error:
    assert error.errno == 27, error
else:
    raise AssertionError("the limit did not hold")
assert not writer.broken
assert path.stat().st_size == writer.size, "half a record was left behind"
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
writer.append([(2, b"y" * 100)])
found = scan(path)
assert [number for number, _ in found.records] == [0, 1, 2]
assert (found.torn, found.damaged) == (0, [])
"""


@pytest.mark.skipif(os.name == "nt", reason="limits on the size of files are POSIX")
def test_full_disk_leaves_no_half_record(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.journal")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
